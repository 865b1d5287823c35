"""A new source, by lines in the contract's files alone: from `validate` to `consume`, as a person would type it."""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import orjson
import pytest

from pipelines.broker import EmbeddedKafka
from pipelines.contract.model import Contract
from pipelines.relay.audit import read_books
from pipelines.relay.books import Books
from pipelines.simulate import Tally, find
from tests.end_to_end.computing import Place
from tests.end_to_end.searching import Search, value_of
from tests.support.commands import done, run, running
from tests.support.oracle import Expectation, Record, committed, differences, expect, reordered
from tests.support.through import wait_until_through
from tests.support.waiting import CALL_S

pytestmark = pytest.mark.brokers(1)

ROOT = Path(__file__).parents[2]
CONTRACT_FILES = ("schemas", "policies", "topics.yaml")
COUNT = 2000
EVENT, RAW = "lock.latch", "raw.lock.latch"
MANAGED, WATCHED = "device-lifecycle.device-management", "os-security-state.tamper-watch"


def metadata(name: str, kind: object, **more: object) -> dict[str, object]:
    return {"name": name, "type": kind, "class": "metadata", **more}


def record(name: str, *fields: dict[str, object]) -> dict[str, object]:
    return {"type": "record", "name": name, "fields": list(fields)}


def enum(name: str, *symbols: str) -> dict[str, object]:
    return {"type": "enum", "name": name, "symbols": list(symbols)}


SCHEMA = {
    "namespace": "lock",
    **record(
        "Latch",
        {"name": "event_id", "type": {"type": "string", "logicalType": "uuid"}, "class": "event_id"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "class": "event_time"},
        {"name": "device_id", "type": ["null", "string"], "class": "device_identifier"},
        metadata("side", enum("Side", "LEFT", "RIGHT", "BOTH")),
        metadata("cause", ["null", enum("Cause", "KEYPAD", "KEY", "FORCE", "REMOTE")]),
        {
            "name": "body",
            "type": record(
                "Body",
                metadata("model", "string"),
                metadata("force_n", ["double", "null"]),
                {"name": "serial_number", "type": "string", "class": "device_identifier"},
                {"name": "seal", "type": {"type": "fixed", "name": "Seal", "size": 16}, "class": "credential"},
            ),
        },
        {
            "name": "bolts",
            "max_items": 6,
            "type": {
                "type": "array",
                "items": record(
                    "Bolt",
                    metadata("state", enum("BoltState", "IN", "OUT", "STUCK")),
                    metadata("turns", "int"),
                    {"name": "remark", "type": ["null", "string"], "class": "content"},
                ),
            },
        },
        metadata("sensors", {"type": "map", "values": record("Sensor", metadata("ok", "boolean"))}),
        {"name": "spoken", "type": {"type": "array", "items": "string"}, "class": "content", "max_items": 8},
        {"name": "opened_by", "type": ["null", "string"], "class": "account_identifier"},
    ),
}
POLICY = f"""\
    event: {EVENT}
    views:
      {MANAGED}:
        device_id: handle
        occurred_at: {{truncate: 1d}}
        body.model: {{one_of: [L-1, L-2], else: other}}
        'bolts[].state': keep
        'bolts[].turns': {{within: [0, 12]}}
        'sensors{{"tamper"}}.ok': {{do: keep, as: tamper_ok}}
      {WATCHED}:
        occurred_at: {{truncate: 1h}}
        side: {{map: {{LEFT: one, RIGHT: one, BOTH: both}}}}
        cause: keep
        body.force_n: {{bucket: [0, 10, 100]}}
        bolts: {{do: {{count_where: {{state: [STUCK]}}}}, as: stuck_bolts}}
        sensors: count
        spoken: present
    never:
      event_id: nobody needs it
      body.serial_number: a second name of the device
      body.seal: credential
      opened_by: no purpose of these views works by account
    """
PURPOSE = """
    tamper-watch:
      description: See whether locks of a kind are tampered with at all
      objective: security
      iri: dpv:EnforceSecurity
      legal_basis: dpv:LegitimateInterest
      question: Is any kind of lock tampered with more than it was
      need: Tampering shows in how a lock was opened, and in which bolts stick
      alternatives: None needed - there is no handle and no finer time than an hour
      how_long: 96 h, so that a weekend is in reach
      who: Enyra
      user_control: None needed, as nothing here belongs to anybody
      handle: none
      rotate: 1d
      max_bits: 48
      review: {id: PR-0099, approved: 2026-11-02, expires: 2099-01-01, owner: privacy-office, covers: COVERS}
    """.replace("COVERS", "ab" * 32)
RAW_TOPIC = f"  {RAW}: {{ttl: 48h, partitions: 3, producers: [lock-service]}}\n"
TOPIC = f"""\
  {WATCHED}:
    ttl: 96h
    late: 48h
    partitions: 2
    consumers: [enyra]
    basis: {{product: none, security: a weekend, legal: none, reviewed: 2026-11-02, expires: 2099-01-01}}
"""


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """What the commands said, and what was in the topics in the end."""

    folder: Path
    contract: Contract
    stale: str
    built: str
    valid: str
    applied: dict[str, Any]
    simulated: dict[str, Any]
    books: Books
    expectation: Expectation
    tally: Tally
    records: list[Record]
    notes: list[bytes]
    search: Search
    consumed: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    folder = tmp_path_factory.mktemp("new-source")
    copy_shipped(folder)
    add_the_source(folder)
    try:
        yield play(folder)
    finally:
        EmbeddedKafka(folder / ".pipelines/broker").stop()


def copy_shipped(folder: Path) -> None:
    for name in CONTRACT_FILES:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)


def add_the_source(folder: Path) -> None:
    """Nothing but lines in the contract's files."""
    for room, name, text in (
        ("schemas/raw/lock", "latch.v1.avsc", json.dumps(SCHEMA, indent=2)),
        ("policies/lock", "latch.yaml", dedent(POLICY)),
    ):
        (folder / room).mkdir()
        (folder / room / name).write_text(text)
    with (folder / "policies/purposes.yaml").open("a") as purposes:
        purposes.write(dedent(PURPOSE))
    topics = (folder / "topics.yaml").read_text()
    topics = topics.replace("raw:\n", "raw:\n" + RAW_TOPIC, 1).replace("minimized:\n", "minimized:\n" + TOPIC, 1)
    (folder / "topics.yaml").write_text(topics)


def sign(folder: Path, purpose: str) -> None:
    """Put the line that `pipelines review` prints where the purpose's review says what it covers."""
    asked = run("review", purpose, cwd=folder)
    assert asked.returncode == 1, asked.stdout + asked.stderr
    line = next(line for line in asked.stdout.splitlines() if line.startswith("covers: "))
    purposes = folder / "policies/purposes.yaml"
    before, name, after = purposes.read_text().partition(f"\n{purpose}:\n")
    review, _, rest = after.partition("covers: ")
    purposes.write_text(f"{before}{name}{review}{line}{rest[64:]}")


def play(folder: Path) -> Outcome:
    """Type the commands, in the order in which a person would."""
    stale = run("validate", cwd=folder)
    assert stale.returncode == 1, stale.stdout + stale.stderr
    built = done("build", cwd=folder)
    for purpose in ("device-management", "tamper-watch"):
        sign(folder, purpose)
    valid = done("validate", cwd=folder)
    started = done("broker", "start", cwd=folder)
    place = Place(folder, started.split()[-1])
    contract, admin = place.contract(), place.cluster.admin(timeout_s=CALL_S)
    applied = orjson.loads(done("topics", "apply", "--json", cwd=folder))
    done("keys", "init", cwd=folder)
    how = ("--event", EVENT, "--count", str(COUNT), "--faults", "0.05", "--json")
    simulated = orjson.loads(done("simulate", *how, cwd=folder))
    with running("lock", "--workers", "2", cwd=folder) as crew:
        wait_until_through(contract, admin)
        assert crew.end() == 0
    tally, search = Tally(simulated["canaries"]), Search()
    expectation = expect(contract, place.cluster, place.keyring(), lambda message: tally.note(value_of(message)))
    minimized, notes = committed(contract, place.cluster, search.look)
    consumed = {topic: consume(folder, topic) for topic in (MANAGED, WATCHED)}
    assert run("consume", RAW, "--from-beginning", cwd=folder).returncode == 4
    return Outcome(
        folder=folder,
        contract=contract,
        stale=stale.stdout,
        built=built,
        valid=valid,
        applied=applied,
        simulated=simulated,
        books=read_books(contract, admin),
        expectation=expectation,
        tally=tally,
        records=minimized,
        notes=notes,
        search=search,
        consumed=consumed,
    )


def consume(folder: Path, topic: str) -> list[dict[str, Any]]:
    printed = done("consume", topic, "--from-beginning", "--json", cwd=folder)
    return [orjson.loads(line) for line in printed.rstrip("\n").split("\n")]


def test_only_lines_in_the_contract_were_added(outcome: Outcome) -> None:
    files = {file.relative_to(outcome.folder) for name in CONTRACT_FILES for file in (outcome.folder / name).rglob("*")}
    files |= {Path("topics.yaml")}
    new = {str(file) for file in files if not (ROOT / file).exists() and (outcome.folder / file).is_file()}
    changed = {
        str(file)
        for file in files
        if (ROOT / file).is_file() and not filecmp.cmp(ROOT / file, outcome.folder / file, shallow=False)
    }
    derived = {f"schemas/minimized/{topic}/{EVENT}.v1.avsc" for topic in (MANAGED, WATCHED)}
    assert new == {"schemas/raw/lock/latch.v1.avsc", "policies/lock/latch.yaml", *derived}
    assert changed == {"policies/purposes.yaml", "topics.yaml"}


def test_validate_asks_for_the_derived_schemas_until_build_has_written_them(outcome: Outcome) -> None:
    assert "pipelines build" in outcome.stale
    for topic in (MANAGED, WATCHED):
        assert f"wrote schemas/minimized/{topic}/{EVENT}.v1.avsc" in outcome.built
    assert "error" not in outcome.valid.replace("0 errors", "").replace("no errors", "")


def test_its_topics_are_made_with_the_promised_clocks(outcome: Outcome) -> None:
    made = {step["topic"]: step for step in outcome.applied["made"] if step["kind"] == "create"}
    assert {RAW, WATCHED} <= made.keys()
    assert made[RAW]["settings"]["message.timestamp.type"] == "LogAppendTime"
    assert made[WATCHED]["settings"]["message.timestamp.type"] == "CreateTime"
    assert outcome.applied["left"] == []


def test_every_event_comes_out_as_the_reference_computes(outcome: Outcome) -> None:
    assert outcome.simulated["sent"] == {EVENT: COUNT}
    assert outcome.simulated["acknowledged"] == COUNT
    assert set(outcome.simulated["faulty"]) == {"bound", "structural"}
    assert outcome.expectation.events == {RAW: COUNT}
    assert {record.topic for record in outcome.records} == {MANAGED, WATCHED}
    assert len(outcome.notes) > 0
    assert differences(outcome.expectation, outcome.records, outcome.notes) == {}
    assert reordered(outcome.expectation, outcome.records) == 0
    books = [book for (topic, _), book in outcome.books.items() if topic == RAW]
    assert sum(book.events_in for book in books) == COUNT
    assert all(not book.imbalances() for book in books)


def test_every_canary_is_in_raw_and_none_came_out(outcome: Outcome) -> None:
    assert outcome.simulated["canaries"] > COUNT
    assert outcome.tally.missing == 0
    assert outcome.search.searched.total() == len(outcome.records) + len(outcome.notes)
    assert outcome.search.leaks == {}
    assert find(orjson.dumps(outcome.consumed)) is None


def test_consume_prints_every_record_as_its_derived_schema_says(outcome: Outcome) -> None:
    for topic, told in outcome.consumed.items():
        assert len(told) == sum(record.topic == topic for record in outcome.records)
        schema = json.loads((outcome.folder / f"schemas/minimized/{topic}/{EVENT}.v1.avsc").read_text())
        names = [field["name"] for field in schema["fields"]]
        assert all(list(record["fields"]) == names for record in told)
        assert {record["headers"]["ce_type"] for record in told} == {EVENT}
        assert {record["headers"]["ce_source"] for record in told} == {"lock"}
    managed, watched = (outcome.consumed[topic] for topic in (MANAGED, WATCHED))
    assert all(record["key"] == record["fields"]["device_id"] for record in managed)
    assert {bolt["state"] for record in managed for bolt in record["fields"]["bolts"]} <= {"IN", "OUT", "STUCK"}
    assert {record["fields"]["body_model"] for record in managed} <= {"L-1", "L-2", "other"}
    assert {record["key"] for record in watched} == {None}
    assert {record["fields"]["cause"] for record in watched} <= {"KEYPAD", "KEY", "FORCE", "REMOTE", None}
    assert {record["fields"]["side"] for record in watched} <= {"one", "both"}
