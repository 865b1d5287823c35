"""`pipelines lint-sample`: a sample in; paths, patterns and counts out; never a value, not in an error either."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path

import fastavro
import orjson
import pytest
from click.testing import CliRunner, Result

from pipelines.cli.app import pipelines
from pipelines.contract import load_valid
from pipelines.explain import encode
from pipelines.trouble import Exit, Trouble

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/vpn.session.json"
CANARIES = ["192.0.2.251", "canary-51c0ffee", "nobody@canary.example.test", "00000000-0000-4000-8000-c0ffeec0ffee"]


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(pipelines, ["lint-sample", *arguments, "--contract", str(ROOT)], input=stdin)


def event(**changed: object) -> dict[str, object]:
    found: dict[str, object] = orjson.loads(EXAMPLE.read_bytes())
    return found | changed


def wrong() -> bytes:
    """A sample in which metadata holds what it should not."""
    client = event()["client"]
    assert isinstance(client, dict)
    return b"\n".join(
        orjson.dumps(event(gateway_region=text, client=client | {"app_version": text})) for text in CANARIES
    )


def said(result: Result) -> str:
    return result.output + result.stderr + str(result.exception) + str(getattr(result.exception, "hint", ""))


def test_a_sample_that_holds_what_it_says_ends_with_0() -> None:
    result = run("vpn.session", str(EXAMPLE))
    assert result.exit_code == 0, result.output
    assert "0 findings in 1 event of vpn.session" in result.output


def test_a_sample_that_contradicts_its_classes_ends_with_1_and_says_where_and_how_often() -> None:
    result = run("vpn.session", "-", stdin=wrong())
    assert result.exit_code == Exit.FINDINGS
    assert "gateway_region (metadata)  ipv4  1 of 4 values" in result.output
    assert "client.app_version:e-mail" in result.output
    told = orjson.loads(run("vpn.session", "-", "--json", stdin=wrong()).output)
    assert (told["event"], told["events"]) == ("vpn.session", 4)
    assert told["findings"][0] == {
        "path": "client.app_version", "class": "metadata", "pattern": "e-mail", "belongs_to": "account_identifier",
        "matching": 1, "values": 4,
    }  # fmt: skip


def test_no_value_is_printed_whatever_is_found() -> None:
    results = [run("vpn.session", "-", *json_, stdin=wrong()) for json_ in ([], ["--json"])]
    assert [result.exit_code for result in results] == [Exit.FINDINGS] * 2
    told = "".join(map(said, results))
    assert "uuid" in told
    assert not [canary for canary in CANARIES if canary in told]


@pytest.mark.parametrize(
    "stdin",
    [
        b'{"event_id": "canary-51c0ffee"',
        b'{"canary-51c0ffee": 1}',
        wrong().replace(b'"phase"', b'"canary-51c0ffee"'),
        wrong().replace(b'"mtu":', b'"mtu":"canary-51c0ffee","x":'),
        b"canary-51c0ffee\x00\xff",
        b"\xc3\x01canary-51c0ffee",
        b"Obj\x01canary-51c0ffee",
        b"[" * 100_000,
        b'{"event_id": "\xff canary-51c0ffee"}',
        b"",
    ],
    ids=["cut", "a field", "a name", "a type", "no text", "no event", "no container", "nested", "no UTF-8", "nothing"],
)
def test_a_file_that_cannot_be_read_is_trouble_and_not_repeated(stdin: bytes) -> None:
    for json_ in ([], ["--json"]):
        result = run("vpn.session", "-", *json_, stdin=stdin)
        assert isinstance(result.exception, Trouble)
        assert result.exception.exit_code is Exit.USAGE
        assert not [canary for canary in CANARIES if canary in said(result)]


def test_what_a_reviewer_accepted_is_not_found_again() -> None:
    line = orjson.dumps(event(gateway_region=CANARIES[0]))
    assert run("vpn.session", "-", stdin=line).exit_code == Exit.FINDINGS
    assert run("vpn.session", "-", "--accept", "gateway_region:ipv4", stdin=line).exit_code == 0
    assert run("vpn.session", "-", "--accept", "gateway_region:uuid", stdin=line).exit_code == Exit.FINDINGS
    refused = run("vpn.session", "-", "--accept", "gateway_region:anything", stdin=line)
    assert refused.exit_code == Exit.USAGE
    assert "e-mail" in refused.output


def test_a_container_and_a_single_kafka_value_are_read() -> None:
    version = load_valid(ROOT, as_of=date(2026, 11, 30)).events["vpn.session"].versions[-1]
    value = encode(version, event(gateway_region=CANARIES[0]))
    assert isinstance(value, bytes)
    assert run("vpn.session", "-", stdin=value).exit_code == Exit.FINDINGS
    schema = fastavro.parse_schema(json.loads(version.text))
    out = io.BytesIO()
    fastavro.writer(
        out, schema, [fastavro.schemaless_reader(io.BytesIO(value[10:]), schema, None)] * 3, codec="deflate"
    )
    told = orjson.loads(run("vpn.session", "-", "--json", stdin=out.getvalue()).output)
    assert [(one["path"], one["matching"]) for one in told["findings"]] == [("gateway_region", 3)]


def test_an_older_version_and_an_unknown_event_type_are_named() -> None:
    missing = run("vpn.session", str(EXAMPLE), "--version", "9").exception
    assert "no version 9" in str(missing)
    unknown = run("vpn.sesion", str(EXAMPLE)).exception
    assert isinstance(unknown, Trouble)
    assert "vpn.session" in unknown.hint
