"""What could not be minimized, listed and tried again, on a real broker with hostile notes beside the relay's."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipelines.broker import AdminClient, Cluster, TopicPartition, headers_of, records
from pipelines.cli.app import pipelines
from pipelines.contract.model import HOUR_MS
from pipelines.envelope import Note, quarantine_record, read_notes
from pipelines.replay import presence
from pipelines.replay.lives import left_ms
from pipelines.trouble import Exit
from tests.support.kafka import flushed
from tests.support.replay_scene import Scene, scene_on
from tests.support.waiting import CALL_S

SECRET = "SYNTHETIC-SECRET"


@pytest.fixture
def scene(tmp_path: Path, cluster: Cluster) -> Scene:
    """Two bound faults of one view, a structural fault, and an event that went out."""
    scene = scene_on(tmp_path, cluster)
    house = scene.house
    house.publish([house.ping(4_050), house.ping(1), house.ping(4_090), b"SYNTHETIC not avro"], partition=0)
    scene.relay()
    return scene


def run(scene: Scene, verb: str, *arguments: str) -> Result:
    house = scene.house
    options = ["--contract", str(house.folder), "--bootstrap", house.cluster.bootstrap]
    if verb == "retry":
        options += ["--keyring", str(house.folder / "keyring.json"), "--kek-file", str(house.folder / "kek")]
    done = CliRunner().invoke(pipelines, ["quarantine", verb, *options, *arguments])
    assert done.exit_code == Exit.DONE, done.output
    return done


def told(scene: Scene, verb: str, *arguments: str) -> Any:
    return json.loads(run(scene, verb, "--json", *arguments).stdout)


def identities(scene: Scene, topic: str) -> Counter[bytes]:
    return Counter(dict(headers_of(message))["ce_id"] for message in records(scene.house.cluster, topic))


def test_a_retry_brings_to_the_views_that_failed_what_they_can_take_now_and_to_no_others(scene: Scene) -> None:
    house = scene.house
    scene.correct("[0, 4000]", "[0, 4063]")
    before = identities(scene, house.loose)
    planned = told(scene, "retry")
    done = told(scene, "retry", "--execute")
    (outcome,) = done["retries"]
    assert outcome["views"] == planned["retries"][0]["views"]
    zero = {"already_there": 0, "expired": 0, "too_late": 0, "suspended": 0}
    assert outcome["views"][house.handled] == {"in": 3, "out": 1, "quarantined": 2, **zero}
    assert outcome["views"][house.loose] == {"in": 1, "out": 0, "quarantined": 1, **zero}, "the structural fault alone"
    said = [json.loads(message.value() or b"") for message in records(house.cluster, house.contract.changes.name)]
    begun, ended = (each for each in said if each["kind"] in {"replay", "replayed"})
    assert (begun["selected"], begun["event"], begun["replay"]) == ("places", f"{house.source}.ping", outcome["replay"])
    assert ended["counts"][house.handled]["out"] == 1
    assert identities(scene, house.loose) == before
    assert set(identities(scene, house.handled).values()) == {1}
    assert len(list(records(house.cluster, house.contract.quarantine.name))) == 3, "nothing is noted again"
    # The notes stay, so a later retry meets them again: with a wider bound it brings what is missing, and no more.
    scene.correct("[0, 4063]", "[0, 4095]")
    (again,) = told(scene, "retry", "--execute", "--view", house.handled)["retries"]
    assert again["views"] == {
        house.handled: {"in": 2, "out": 1, "already_there": 1, "quarantined": 0, "expired": 0, "too_late": 0,
                        "suspended": 0}
    }  # fmt: skip
    assert Counter(identities(scene, house.handled).values()) == {1: 3}
    everything = "".join(run(scene, "retry", *more).output for more in ((), ("--json",), ("--code", "bound")))
    assert "SYNTHETIC" not in everything


def test_many_alike_notes_take_one_record_and_are_listed_and_tried_again_one_by_one(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(4_050) if number % 9 else house.ping(1) for number in range(2_000)], partition=0)
    scene.relay()
    values = [message.value() or b"" for message in records(house.cluster, house.contract.quarantine.name)]
    counts = [notes.count for value in values if (notes := read_notes(value))]
    assert (len(counts), sum(counts)) == (len(values), 1_777 + 3)
    assert len(values) < 30
    assert len(told(scene, "list", "--view", house.handled)["notes"]) == 1_777 + 2
    # Half of them by a retry in other batches; what still fails is known, and not noted again.
    scene.correct("[0, 4000]", "[0, 4010]")
    (outcome,) = told(scene, "retry", "--execute", "--view", house.handled, "--batch-events", "700")["retries"]
    assert outcome["views"][house.handled]["quarantined"] == 1_779
    assert len(list(records(house.cluster, house.contract.quarantine.name))) == len(values)
    scene.correct("[0, 4010]", "[0, 4063]")
    (outcome,) = told(scene, "retry", "--execute", "--view", house.handled)["retries"]
    assert (outcome["views"][house.handled]["out"], outcome["views"][house.handled]["quarantined"]) == (1_778, 1)
    assert set(identities(scene, house.handled).values()) == {1}


def test_notes_of_another_source_are_no_reason_to_refuse_a_retry(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    house = scene.house
    producer = house.cluster.producer()
    for offset in range(40):
        flood = Note("raw.other.event", 0, offset, "other.event", None, "truncated", "")
        producer.produce(house.contract.quarantine.name, quarantine_record(flood.kind, offset))
    flushed(producer)
    monkeypatch.setattr(presence, "MOST_RECORDS", 20)
    (outcome,) = told(scene, "retry", "--execute", "--view", house.handled)["retries"]
    assert outcome["views"][house.handled]["quarantined"] == 2


def written(said: dict[str, Any]) -> bytes:
    note = Note(**said)
    return quarantine_record(note.kind, note.offset)


def test_hostile_records_of_quarantine_are_counted_and_neither_shown_nor_followed(scene: Scene) -> None:
    house = scene.house
    own = {"topic": house.raw_topic, "partition": 0, "offset": 1, "event": f"{house.source}.ping"}
    well_formed = [
        {**own, "view": "audit.another-contract", "code": "bound", "path": ""},
        {**own, "view": house.handled, "code": "bound", "path": "", "partition": 70},
        {**own, "view": house.handled, "code": "bound", "path": "", "topic": house.contract.quarantine.name},
        {**own, "view": house.handled, "code": "bound", "path": "", "event": "vpn.session"},
    ]
    beyond = {**own, "view": house.handled, "code": "bound", "path": "", "offset": 5_000_000}
    producer = house.cluster.producer()
    malformed = [SECRET.encode(), b"", b"\xff" * 90, json.dumps({**own, "value": SECRET}).encode(), b"[" * 9_000]
    for value in [*malformed, *map(written, (*well_formed, beyond))]:
        producer.produce(house.contract.quarantine.name, value)
    producer.produce(house.contract.quarantine.name, None)
    flushed(producer)
    listed = told(scene, "list")
    assert listed["foreign"] == len(malformed) + len(well_formed) + 1
    assert len(listed["notes"]) == 4
    assert [note["hours_left"] for note in listed["notes"] if note["offset"] == beyond["offset"]] == [0.0]
    (outcome,) = told(scene, "retry", "--view", house.handled)["retries"]
    assert outcome["views"][house.handled]["expired"] == 1
    shown = run(scene, "list").output + run(scene, "list", "--each").output
    assert SECRET not in shown
    assert "10 records of quarantine are not notes" in shown


def test_the_list_says_for_how_long_an_event_can_be_tried_again_and_which_one_is_gone(scene: Scene) -> None:
    house = scene.house
    listed = told(scene, "list", "--event", f"{house.source}.ping")["notes"]
    assert [(note["offset"], note["view"], note["code"]) for note in listed] == [
        (0, house.handled, listed[0]["code"]), (2, house.handled, listed[1]["code"]), (3, None, listed[2]["code"])
    ]  # fmt: skip
    retention_h = (
        int(house.cluster.admin(timeout_s=CALL_S).topic_configs([house.raw_topic])[house.raw_topic]["retention.ms"])
        / HOUR_MS
    )
    for note in listed:  # a 48th of 24 h, and a tenth, may be missing
        assert retention_h - 0.7 <= note["hours_left"] <= retention_h
    admin = AdminClient({"bootstrap.servers": house.cluster.bootstrap})
    for future in admin.delete_records([TopicPartition(house.raw_topic, 0, 1)]).values():
        future.result(CALL_S)
    listed = told(scene, "list", "--view", house.handled)["notes"]
    assert listed[0]["hours_left"] == 0
    assert listed[1]["hours_left"] > 0
    assert "gone" in run(scene, "list", "--each").output
    assert "1, for " in run(scene, "list").output
    (outcome,) = told(scene, "retry", "--view", house.handled)["retries"]
    assert (outcome["views"][house.handled]["in"], outcome["views"][house.handled]["expired"]) == (2, 1)


def test_a_fault_that_no_contract_takes_away_is_listed_as_never(scene: Scene) -> None:
    notes = told(scene, "list")["notes"]
    assert [note["never"] for note in notes] == [None, None, "its bytes are not in Avro single-object encoding"]
    for arguments in ((), ("--each",)):
        shown = [line for line in run(scene, "list", *arguments).output.splitlines() if "never: " in line]
        assert len(shown) == 1
        assert "not_single_object" in shown[0]


def test_what_is_left_is_never_told_too_long_whatever_the_clock_says(scene: Scene) -> None:
    house = scene.house
    admin = house.cluster.admin(timeout_s=CALL_S)
    event = f"{house.source}.ping"
    note = Note(house.raw_topic, 0, 2, event, house.handled, "bound", "")
    (_, _, raw, _) = records(house.cluster, house.raw_topic)
    at_ms = raw.timestamp()[1]
    kept_ms = int(admin.topic_configs([house.raw_topic])[house.raw_topic]["retention.ms"])
    for age_ms in (1, HOUR_MS, 7 * HOUR_MS + 1_234_567, kept_ms - 1, kept_ms, kept_ms + HOUR_MS, 30 * HOUR_MS):
        left = left_ms(house.contract, admin, [note], at_ms + age_ms)[note]
        assert max(0, kept_ms - age_ms) - 24 * HOUR_MS // 48 <= left <= max(0, kept_ms - age_ms)


def test_a_quarantine_without_such_notes_says_so(scene: Scene) -> None:
    assert "no such notes" in run(scene, "list", "--code", "nothing-like-it").output
    assert "no such notes" in run(scene, "retry", "--code", "nothing-like-it").output
