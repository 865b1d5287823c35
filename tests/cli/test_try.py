import sys
from datetime import date
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from pipelines.cli.app import main, pipelines
from pipelines.contract import load_valid
from pipelines.explain import encode
from pipelines.trouble import Exit, Trouble

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/vpn.session.json"
CANARY = "canary-7f3a"


def run(*arguments: str, stdin: bytes | None = None, at: str = "2026-11-23T10:42:00Z") -> Result:
    always = ["--contract", str(ROOT), "--at", at]
    return CliRunner().invoke(
        pipelines, ["try", "vpn.session", *arguments, *always], input=stdin, env={"COLUMNS": "250"}
    )


def test_try_shows_what_leaves_and_only_names_and_classes_of_what_came_in() -> None:
    result = run(str(EXAMPLE))
    assert result.exit_code == 0
    assert "network-metadata.security-enforcement" in result.output
    assert "client_ip" in result.output
    given = orjson.loads(EXAMPLE.read_bytes())
    dropped = ["client_ip", "gateway_host", "auth_token", "event_id", "device_id", "account_id", "session_id"]
    for value in [*(given[name] for name in dropped), given["client"]["user_agent"], *given["dns_names"]]:
        assert value not in result.output


@pytest.mark.parametrize(("at", "told"), [("2026-11-23T10:43:00Z", 3), ("2026-11-30T10:43:00Z", 0)])
def test_try_holds_limited_times_to_the_broker_time_that_it_names(at: str, told: int) -> None:
    (trial,) = orjson.loads(run(str(EXAMPLE), "--json", at=at).output)
    times = [view["record"]["occurred_at"] for view in trial["outgoing"]]
    assert len(times) == 3
    assert sum(time is not None for time in times) == told
    assert f"held to the broker time {at}" in " ".join(run(str(EXAMPLE), at=at).output.split())


def test_try_reads_several_events_one_a_line_and_one_that_is_spread_over_lines() -> None:
    line = orjson.dumps(orjson.loads(EXAMPLE.read_bytes()))
    assert len(orjson.loads(run("-", "--json", stdin=line + b"\n\n" + line + b"\n").output)) == 2
    assert len(orjson.loads(run("-", "--json", stdin=EXAMPLE.read_bytes()).output)) == 1


def test_try_reads_the_bytes_of_a_kafka_value() -> None:
    contract = load_valid(ROOT, as_of=date(2026, 11, 30))
    value = encode(contract.events["vpn.session"].versions[-1], orjson.loads(EXAMPLE.read_bytes()))
    assert isinstance(value, bytes)
    (trial,) = orjson.loads(run("-", "--json", stdin=value).output)
    assert trial["version"] == 2
    assert trial["code"] is None


@pytest.mark.parametrize(
    "stdin",
    [
        f'{{"event_id": "{CANARY}"'.encode(),
        f'{{"{CANARY}": 1}}'.encode(),
        f'{{"event_id": "{CANARY}", "x": 1}}'.encode(),
    ],
    ids=["cut off", "an unknown field", "a field with a value"],
)
def test_an_event_that_cannot_be_read_ends_with_1_and_is_not_repeated(stdin: bytes) -> None:
    result = run("-", stdin=stdin)
    assert result.exit_code == Exit.FINDINGS
    assert "cannot be read" in result.output
    assert CANARY not in result.output


def test_a_view_that_would_be_quarantined_ends_with_1() -> None:
    event = orjson.loads(EXAMPLE.read_bytes()) | {"duration_ms": -5}
    result = run("-", stdin=orjson.dumps(event))
    assert result.exit_code == Exit.FINDINGS
    assert "out_of_range at duration_ms" in result.output


def test_the_exit_code_reaches_the_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text("{}")
    monkeypatch.setattr(
        sys, "argv", ["pipelines", "try", "vpn.session", str(tmp_path / "e.json"), "--contract", str(ROOT)]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == Exit.FINDINGS


@pytest.mark.parametrize("stdin", [b"", b"\n \n"], ids=["nothing", "blank lines"])
def test_an_empty_file_is_refused(stdin: bytes) -> None:
    refused = run("-", stdin=stdin).exception
    assert isinstance(refused, Trouble)
    assert refused.exit_code is Exit.USAGE


@pytest.mark.parametrize("time", ["yesterday", "99999999999999999999"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    arguments = ["try", "vpn.session", str(EXAMPLE), "--contract", str(ROOT), "--at", time]
    assert CliRunner().invoke(pipelines, arguments).exit_code == Exit.USAGE
