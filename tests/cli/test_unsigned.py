"""What nobody has signed can be looked at, said to be UNSIGNED, and never relayed."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from pipelines.cli.app import pipelines
from pipelines.contract import build, load, load_for_building, load_to_look_at, load_valid
from pipelines.trouble import Exit, Trouble
from tests.support.case_files import GOOD
from tests.support.contract_folders import TODAY, overlaid

PURPOSES: Final = "policies/purposes.yaml"
REVIEW: Final = re.compile(r"  review: .*\n")
EVENT: Final = {
    "event_id": "e",
    "occurred_at": "2026-06-01T10:42:06Z",
    "device_id": "d",
    "account_id": None,
    "region": "eu-west",
    "ok": True,
    "bytes_up": 2048,
    "dns_names": [],
    "checks": [],
    "labels": {"tier": "free"},
}
UNSIGNED: Final = {
    "no review": (REVIEW, ""),
    "a review that covers nothing": (re.compile(r", covers: [0-9a-f]{64}"), ""),
    "a review of something else": (re.compile(r"covers: [0-9a-f]{64}"), "covers: " + "0" * 64),
}


@pytest.fixture(params=UNSIGNED)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The base contract, its one purpose unsigned."""
    made = overlaid(tmp_path / "contract")
    pattern, by = UNSIGNED[request.param]
    text, count = pattern.subn(by, (made / PURPOSES).read_text())
    assert count == 1
    (made / PURPOSES).write_text(text)
    (made / "policies/vpn/session.cases.yaml").write_text(GOOD.partition("  after the review:")[0])
    (made / "event.json").write_text(json.dumps(EVENT))
    return made


def run(folder: Path, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(pipelines, [command, *arguments, "--contract", str(folder)], env={"COLUMNS": "200"})


def test_build_writes_the_schemas_and_says_so(folder: Path) -> None:
    assert "UNSIGNED  support" in run(folder, "build").output
    done = run(folder, "build", "--json")
    assert done.exit_code == Exit.DONE
    assert json.loads(done.output)["unsigned"] == ["support"]


def test_cases_run_and_it_says_so(folder: Path) -> None:
    done = run(folder, "test")
    assert done.exit_code == Exit.DONE, done.output
    assert "UNSIGNED  support" in done.output
    assert json.loads(run(folder, "test", "--json").output)["unsigned"] == ["support"]


def test_explain_tells_the_policy_and_says_so(folder: Path) -> None:
    done = run(folder, "explain", "vpn.session")
    assert done.exit_code == Exit.DONE
    assert done.output.startswith("UNSIGNED  support")
    assert "bytes_up" in done.output
    (view,) = json.loads(run(folder, "explain", "vpn.session", "--json").output)["views"]
    assert view["signed"] is False
    assert view["review"].startswith("UNSIGNED")


def test_try_shows_what_would_leave_and_says_so(folder: Path) -> None:
    arguments = ("vpn.session", str(folder / "event.json"), "--at", "2026-06-01T10:42:07Z")
    done = run(folder, "try", *arguments)
    assert done.exit_code == Exit.DONE, done.output
    assert done.output.startswith("UNSIGNED  support")
    assert "→ network-metadata.support  UNSIGNED" in done.output
    (trial,) = json.loads(run(folder, "try", *arguments, "--json").output)
    (view,) = trial["outgoing"]
    assert (view["outcome"], view["signed"], view["record"]["bytes_up"]) == ("out", False, 1024)


def test_what_is_signed_is_not_said_to_be_unsigned(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    assert load_to_look_at(folder, as_of=TODAY).unsigned == frozenset()
    (folder / "event.json").write_text(json.dumps(EVENT))
    arguments = ("vpn.session", str(folder / "event.json"), "--at", "2026-06-01T10:42:07Z")
    for output in (run(folder, "build").output, run(folder, "try", *arguments).output):
        assert "UNSIGNED" not in output


def test_under_an_overlay_the_contract_is_what_has_to_be_signed(folder: Path) -> None:
    (folder / "overlays").mkdir()
    (folder / "overlays/less.yaml").write_text(
        "description: less\nviews: {vpn.session: {network-metadata.support: {ok: remove}}}\n"
    )
    assert load_to_look_at(folder, as_of=TODAY, overlay="less").unsigned == {"support"}


def test_topics_that_serve_no_purpose_are_said_to_be_unsigned(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    topics = folder / "topics.yaml"
    topics.write_text(topics.read_text().replace("[operators]", "[marketing, operators]"))
    (folder / "event.json").write_text(json.dumps(EVENT))
    tried = ("vpn.session", str(folder / "event.json"), "--at", "2026-06-01T10:42:07Z")
    for output in (
        run(folder, "build").output,
        run(folder, "explain", "vpn.session").output,
        run(folder, "try", *tried).output,
    ):
        assert "UNSIGNED  quarantine" in output
    assert json.loads(run(folder, "build", "--json").output)["unsigned_topics"] == ["quarantine"]
    refused = CliRunner().invoke(pipelines, ["run", "--contract", str(folder), "--bootstrap", "127.0.0.1:1"]).exception
    assert isinstance(refused, Trouble)
    assert "[pipeline-consumers]" in str(refused)
    assert "[review-signed]" in str(refused)


@pytest.mark.parametrize(
    "command",
    [
        ("run",),
        ("replay", "--event", "vpn.session", "--from", "2026-06-01T00:00:00Z", "--to", "2026-06-01T01:00:00Z"),
        ("quarantine", "retry"),
        ("quarantine", "list"),
        ("topics", "apply"),
        ("topics", "plan"),
        ("topics", "verify"),
        ("keys", "init"),
    ],
    ids=" ".join,
)
def test_nothing_that_relays_or_prepares_it_takes_what_is_unsigned(
    folder: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = command[:2] if command[0] in {"quarantine", "topics", "keys"} else command[:1]
    broker = [] if command[0] == "keys" else ["--bootstrap", "127.0.0.1:1"]
    arguments = [*words, *command[len(words) :], "--contract", str(folder), *broker]
    monkeypatch.chdir(folder)
    refused = CliRunner().invoke(pipelines, arguments).exception
    assert isinstance(refused, Trouble), refused
    assert refused.exit_code is Exit.FINDINGS
    assert "[review-" in str(refused)


def test_the_relay_itself_loads_nothing_that_is_unsigned(folder: Path) -> None:
    build(folder, load_for_building(folder, as_of=TODAY), as_of=TODAY)
    with pytest.raises(Trouble, match=r"\[review-"):
        load_valid(folder, as_of=date(2026, 6, 1))
    assert not load(folder, as_of=TODAY).valid
