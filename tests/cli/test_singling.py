"""`pipelines singling-out`: a sample in, names and counts out."""

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
from pipelines.simulate import Simulation
from pipelines.trouble import Exit, Trouble

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/vpn.session.json"


def run(*arguments: str) -> Result:
    arguments = ("singling-out", *arguments, "--contract", str(ROOT))
    return CliRunner().invoke(pipelines, arguments, env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]]]:
    contract = load_valid(ROOT, as_of=date(2026, 11, 30))
    version = contract.events["vpn.session"].versions[-1]
    made = Simulation(contract, seed=5, devices=30, only=["vpn.session"]).events(600, start_ms=1_795_000_000_000)
    fields = [one.fields for one in made if one.version == version.version]
    file = tmp_path_factory.mktemp("sample") / "sample.avro"
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(json.loads(version.text)), fields, codec="deflate")
    file.write_bytes(out.getvalue())
    return file, fields


def test_simulated_devices_are_singled_out_by_names_and_counts() -> None:
    shown = run("vpn.session", "--simulate", "600").output
    assert "vpn.session → network-metadata.support" in shown
    assert "each record on its own: 600 records of" in shown
    assert "all records of one handle together:" in shown
    assert "client_app_version" in shown


def test_a_topic_is_looked_at_with_all_its_event_types() -> None:
    found = orjson.loads(run("network-metadata.support", "--simulate", "200", "--json").output)
    assert [(one["event"], one["topic"]) for one in found] == [
        ("proxy.request", "network-metadata.support"), ("vpn.session", "network-metadata.support"),
    ]  # fmt: skip


def test_a_view_without_handles_has_no_histories() -> None:
    (found,) = orjson.loads(run("tor.circuit", "--simulate", "200", "--json").output)
    assert found["handle"] is None
    assert found["record"]["units"] == 200


def test_no_value_of_a_file_is_printed(sample: tuple[Path, list[dict[str, object]]]) -> None:
    file, events = sample
    said = run("vpn.session", "--file", str(file)).output + run("vpn.session", "--file", str(file), "--json").output
    texts = {text for event in events for text in _texts(event) if len(text) > 3}
    assert len(texts) > 100
    names = json.dumps(orjson.loads(run("vpn.session", "--simulate", "100", "--json").output)) + said[:0]
    assert not {text for text in texts if text in said and text not in names}


def _texts(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case bytes():
            return [value.decode("latin-1")]
        case dict():
            return [text for one in value.values() for text in _texts(one)]
        case list():
            return [text for one in value for text in _texts(one)]
        case _:
            return []


def test_a_file_and_a_simulation_of_the_same_events_agree(sample: tuple[Path, list[dict[str, object]]]) -> None:
    file, events = sample
    found = orjson.loads(run("vpn.session", "--file", str(file), "--json").output)
    assert {one["record"]["units"] for one in found} == {len(events)}
    assert {one["record"]["devices"] for one in found} == {len({event["device_id"] for event in events})}
    assert all(one["malformed"] == 0 for one in found)


def test_a_sample_of_fewer_than_k_devices_says_nothing() -> None:
    shown = run("vpn.session", "--file", str(EXAMPLE)).output
    assert "fewer than 5 devices in all: nothing can be said" in shown


def test_one_sample_must_be_named_and_no_live_topic_can_be() -> None:
    assert run("vpn.session").exit_code == Exit.USAGE
    assert run("vpn.session", "--simulate", "50", "--file", str(EXAMPLE)).exit_code == Exit.USAGE
    assert "bootstrap" not in run("--help").output


def test_a_file_holds_one_event_type() -> None:
    result = run("network-metadata.support", "--file", str(EXAMPLE))
    assert isinstance(result.exception, Trouble)
    assert "proxy.request, vpn.session" in result.exception.hint


def test_a_file_of_something_else_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("canary-51c0ffee")
    result = run("vpn.session", "--file", str(tmp_path / "notes.txt"))
    assert isinstance(result.exception, Trouble)
    assert "canary" not in str(result.exception) + result.output
