from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from pipelines.cli.app import pipelines

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(pipelines, ["explain", *arguments, "--contract", str(ROOT)], env={"COLUMNS": "200"})


def test_explain_says_where_an_event_goes_and_what_becomes_of_each_field() -> None:
    shown = run("vpn.session").output
    assert "enters by raw.vpn.session" in shown
    assert "→ network-metadata.security-enforcement" in shown
    assert "read by  enyra-enforcement, policy-engine-enforcement" in shown
    assert "never leaves  network identifier; no purpose needs it" in shown


def test_explain_of_one_field_says_nothing_of_others() -> None:
    shown = run("vpn.session", "client_ip").output
    assert "client_ip" in shown
    assert "bytes_up" not in shown


def test_explain_gives_json_to_a_program() -> None:
    document = orjson.loads(run("posture.report", "checks[].id", "--json").output)
    assert [field["path"] for field in document["fields"]] == ["checks[].id"]
    assert document["raw_topic"] == "raw.posture.report"


def test_explain_says_how_much_each_output_and_each_record_can_say() -> None:
    shown = run("vpn.session", "error.code").output
    assert "can say  26.7 bits a record besides the handle; at most 48" in shown
    assert "quarantine a note without the value (6.1 bits)" in shown
    assert "(3.0 bits an item)" in run("ota.eligibility-check", "blockers").output
    assert " bits)" not in run("vpn.session", "device_id").output
