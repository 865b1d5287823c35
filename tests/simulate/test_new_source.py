"""A source that nobody wrote a model for is simulated from its schema, policy and topic alone."""

import json
import shutil
from datetime import date
from pathlib import Path
from textwrap import dedent

import pytest

from pipelines.contract import derived_schemas, load, load_valid
from pipelines.contract.model import Contract
from pipelines.simulate import Simulation, find
from tests.support.signing import sign

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
AS_OF = date(2026, 11, 30)
START_MS = 1_795_392_000_000  # 2026-11-23T00:00Z

SCHEMA = {
    "type": "record",
    "name": "Latch",
    "namespace": "lock",
    "fields": [
        {"name": "event_id", "type": {"type": "string", "logicalType": "uuid"}, "class": "event_id"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "class": "event_time"},
        {"name": "device_id", "type": "string", "class": "device_identifier"},
        {"name": "note", "type": "string", "class": "content"},
        {"name": "side", "type": {"type": "enum", "name": "Side", "symbols": ["LEFT", "RIGHT"]}, "class": "metadata"},
        {"name": "level", "type": "int", "class": "metadata"},
        {"name": "force", "type": ["null", "double"], "class": "metadata"},
        {"name": "firmware", "type": "string", "class": "metadata"},
        {"name": "room_kind", "type": "string", "class": "metadata"},
        {"name": "bolts", "type": {"type": "array", "items": "boolean"}, "class": "metadata", "max_items": 4},
    ],
}
POLICY = """\
    event: lock.latch
    views:
      network-metadata.security-enforcement:
        device_id: handle
        occurred_at: {truncate: 1h}
        side: {map: {LEFT: l}}
        level: {within: [3, 5]}
        force: {bucket: [10, 20]}
        firmware: {matches: '[12]\\.[0-9]', max: 3}
        room_kind: {one_of: [office, lab]}
        'bolts[]': keep
    never:
      note: content
    """


@pytest.fixture
def extended(tmp_path: Path) -> Contract:
    for name in ("schemas/raw", "policies"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "schemas/raw/lock").mkdir()
    (tmp_path / "schemas/raw/lock/latch.v1.avsc").write_text(json.dumps(SCHEMA, indent=1))
    (tmp_path / "policies/lock").mkdir()
    (tmp_path / "policies/lock/latch.yaml").write_text(dedent(POLICY))
    topics = (ROOT / "topics.yaml").read_text()
    raw = "raw:\n  raw.lock.latch: {ttl: 24h, partitions: 1, producers: [lock-service]}\n"
    (tmp_path / "topics.yaml").write_text(topics.replace("raw:\n", raw, 1))
    return _load(tmp_path, AS_OF)


def test_its_events_suit_its_views_and_hide_canaries(extended: Contract) -> None:
    events = list(Simulation(extended, only={"lock.latch"}).events(400, start_ms=START_MS))
    assert len(events) == 400
    for event in events:
        fields = event.fields
        assert fields["device_id"] == event.device
        assert fields["side"] == "LEFT"
        assert fields["level"] in {3, 4, 5}
        assert fields["force"] is None or float(str(fields["force"])) >= 10
        assert fields["room_kind"] in {"office", "lab"}
        assert str(fields["firmware"])[0] in "12"
        assert len(list(fields["bolts"])) <= 4  # type: ignore[call-overload]
        assert find(str(fields["note"]).encode()) == "canary"


def test_it_comes_along_with_the_products(extended: Contract) -> None:
    events = [event.event for event in Simulation(extended).events(3000, start_ms=START_MS)]
    assert events.count("lock.latch") > 50
    assert set(events) == set(extended.events)


def _load(folder: Path, as_of: date) -> Contract:
    """The contract, with its derived schemas written: they are part of it."""
    loaded = load(sign(folder, as_of=as_of), as_of=as_of)
    assert loaded.contract is not None, loaded.findings
    for path, text in derived_schemas(loaded.contract).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return load_valid(folder, as_of=as_of)
