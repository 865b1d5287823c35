"""`pipelines new`: what it writes can be completed, lets nothing out, and harms nothing that is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from pipelines.cli.app import pipelines
from pipelines.contract import load
from pipelines.contract.findings import Severity
from pipelines.trouble import Exit, Trouble
from tests.support.contract_folders import TODAY, overlaid

ROOT: Final = Path(__file__).parents[2]
SCHEMAS: Final = sorted((ROOT / "schemas/raw").rglob("*.avsc"))


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(pipelines, ["new", *arguments, "--contract", str(folder)])


def refused(folder: Path, *arguments: str) -> Trouble:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    trouble = run(folder, *arguments).exception
    assert isinstance(trouble, Trouble), trouble
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return trouble


def foreign(schema: Any) -> Any:
    """A schema as other tools write it: their attributes, and no classes."""
    match schema:
        case dict():
            kept = {key: foreign(value) for key, value in schema.items() if key not in {"class", "class_review"}}
            return {**kept, "connect.name": "x", "confluent:tags": ["PII"]} if "name" in kept else kept
        case list():
            return [foreign(item) for item in schema]
        case _:
            return schema


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_an_event_type_of_any_schema_is_whole_and_lets_nothing_out(file: Path, tmp_path: Path) -> None:
    given = tmp_path / "given.avsc"
    given.write_text(json.dumps(foreign(json.loads(file.read_text()))))
    folder = overlaid(tmp_path / "contract")
    done = run(folder, "event", "lock.latch", "--schema", str(given))
    assert done.exit_code == Exit.DONE, done.exception
    loaded = load(folder, as_of=TODAY)
    assert loaded.contract is not None, loaded.findings
    assert loaded.contract.events["lock.latch"].views == ()
    errors = [one for one in loaded.findings if one.severity is Severity.ERROR]
    assert {one.check for one in errors} <= {"schema-event-id"}, errors
    assert "connect.name" not in (folder / "schemas/raw/lock/latch.v1.avsc").read_text()


def test_a_source_begins_a_contract_in_an_empty_folder_and_only_once(tmp_path: Path) -> None:
    assert run(tmp_path, "source", "lock.latch").exit_code == Exit.DONE
    assert "new event lock.bolt" in refused(tmp_path, "source", "lock.bolt").hint
    assert "there already" in str(refused(tmp_path, "event", "lock.latch"))
    assert run(tmp_path, "event", "lock.bolt").exit_code == Exit.DONE
    assert (tmp_path / "topics.yaml").read_text().count("raw.lock.") == 2


def test_a_purpose_is_appended_and_its_questions_are_open(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    before = (folder / "policies/purposes.yaml").read_text()
    assert run(folder, "purpose", "repair").exit_code == Exit.DONE
    text = (folder / "policies/purposes.yaml").read_text()
    assert text.startswith(before.rstrip())
    checks = [one.check for one in load(folder, as_of=TODAY).findings]
    assert checks.count("answer-placeholder") == 6
    assert "there already" in str(refused(folder, "purpose", "repair"))


def test_a_view_takes_only_what_no_decision_is_needed_for(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    run(folder, "event", "lock.latch")
    schema = folder / "schemas/raw/lock/latch.v1.avsc"
    document = json.loads(schema.read_text())
    document["fields"] += [
        {"name": "on", "type": ["null", "boolean"], "class": "metadata"},
        {"name": "secret", "type": "boolean", "class": "content"},
        {"name": "note", "type": "string", "class": "metadata"},
        {"name": "marks", "type": {"type": "array", "items": "boolean"}, "class": "metadata"},
    ]
    schema.write_text(json.dumps(document))
    policy = folder / "policies/lock/latch.yaml"
    policy.write_text(policy.read_text() + "  'marks[]': a\n  secret: b\n  note: c\n  on: d\n")
    assert run(folder, "view", "lock.latch", "network-metadata.support").exit_code == Exit.DONE
    loaded = load(folder, as_of=TODAY)
    assert {one.check for one in loaded.findings} == {"derived-missing", "review-signed"}
    assert loaded.contract is not None
    (view,) = loaded.contract.events["lock.latch"].views
    assert {str(rule.path) for rule in view.rules} == {"device_id", "occurred_at", "on"}
    assert "has a view" in str(refused(folder, "view", "lock.latch", "network-metadata.support"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("view", "vpn.session", "network-metadata.unknown"), "pipelines new purpose unknown"),
        (("view", "vpn.unknown", "network-metadata.support"), "pipelines new event vpn.unknown"),
        (("view", "vpn.session", "sport.support"), "network-metadata"),
        (("event", "Lock.Latch"), "Lower-case"),
        (("event", "../../up"), "Lower-case"),
        (("purpose", "no purpose"), "Lower-case"),
    ],
)
def test_what_cannot_be_begun_names_the_way(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    assert said in refused(overlaid(tmp_path), *arguments).hint


@pytest.mark.parametrize("text", ["no json", "[]", '{"type": "enum"}'])
def test_what_is_no_schema_is_refused(text: str, tmp_path: Path) -> None:
    folder = overlaid(tmp_path / "contract")
    (tmp_path / "given.avsc").write_text(text)
    assert "not an Avro record" in str(refused(folder, "event", "lock.latch", "--schema", str(tmp_path / "given.avsc")))


def test_a_file_in_flow_style_is_left_alone_and_the_lines_are_shown(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (folder / "topics.yaml").write_text("{raw: {}, minimized: {}}\n")
    assert "raw.lock.latch: {ttl: 24h" in str(refused(folder, "event", "lock.latch"))


def test_lines_are_added_where_their_mapping_ends_and_comments_stay(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    topics = folder / "topics.yaml"
    topics.write_text((ROOT / "topics.yaml").read_text())
    run(folder, "event", "lock.latch")
    text = topics.read_text()
    assert (
        text.replace("  raw.lock.latch: {ttl: 24h, partitions: 2, producers: [lock-service]}\n", "")
        == (ROOT / "topics.yaml").read_text()
    )
