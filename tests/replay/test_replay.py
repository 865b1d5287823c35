"""Replays on a real broker, in this process."""

import json
import time
from collections import Counter
from typing import Any

import pytest

from pipelines.broker import KafkaError, KafkaException, Message, headers_of, records
from pipelines.contract.model import DAY_MS, HOUR_MS
from pipelines.keys import LocalKeyEncryption, extend
from pipelines.relay.steps import Step
from pipelines.replay.engine import _FAILURES
from pipelines.replay.selection import ByTime
from pipelines.replay.tally import ViewTally
from pipelines.trouble import Exit, Trouble
from tests.support.replay_scene import Scene
from tests.support.waiting import CALL_S, until


def found(scene: Scene, topic: str) -> list[Message]:
    return list(records(scene.house.cluster, topic))


def ids(scene: Scene, topic: str) -> Counter[bytes]:
    return Counter(dict(headers_of(message))["ce_id"] for message in found(scene, topic))


def test_a_corrected_policy_brings_what_was_quarantined_and_nothing_twice(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(n) for n in (1, 2, 4_001, 4_002, 4_003)])
    scene.relay()
    assert len(found(scene, house.handled)) == 2
    before = ids(scene, house.loose)
    scene.correct("[0, 4000]", "[0, 4095]")
    planned = scene.replay().dry_run()
    assert len(found(scene, house.handled)) == 2, "a dry run writes nothing"
    outcome = scene.replay().execute()
    assert outcome.tally == planned.tally
    assert outcome.tally.views[house.handled] == ViewTally(events_in=5, out=3, already=2)
    assert outcome.tally.views[house.loose] == ViewTally(events_in=5, already=5)
    assert set(ids(scene, house.handled).values()) == {1}
    assert ids(scene, house.loose) == before
    assert set(before) == set(ids(scene, house.loose))


def test_a_replayed_record_has_the_relays_id_and_time_and_one_header_more(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(n) for n in range(6)])
    scene.relay()
    outcome = scene.replay(again=True).execute()
    for topic in (house.handled, house.loose):
        by_id: dict[bytes, list[Message]] = {}
        for message in found(scene, topic):
            by_id.setdefault(dict(headers_of(message))["ce_id"], []).append(message)
        assert len(by_id) == 6
        for both in by_id.values():
            first, second = sorted(both, key=lambda message: len(headers_of(message)))
            assert headers_of(second) == [*headers_of(first), ("ce_replay", outcome.name.encode())]
            assert (second.key(), second.value()) == (first.key(), first.value())
            assert second.timestamp() == first.timestamp()


def test_the_same_replay_is_done_once_however_often_it_is_asked_for(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(n) for n in range(9)])
    scene.relay()
    everything = scene.all_time()
    first = scene.replay(everything, again=True).execute()
    second = scene.replay(everything, again=True).execute()
    assert (first.resumed, second.resumed) == (False, True)
    assert first.tally == second.tally
    assert set(ids(scene, house.handled).values()) == {2}


def test_what_the_relay_has_not_relayed_yet_is_left_to_it(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(n) for n in range(3)])
    scene.relay()
    house.publish([house.ping(n) for n in range(3, 9)])
    outcome = scene.replay(again=True).execute()
    assert outcome.behind == 6
    assert outcome.tally.views[house.handled].events_in == 3
    scene.relay()
    assert Counter(ids(scene, house.handled).values()) == {2: 3, 1: 6}


def test_an_event_goes_out_up_to_the_topics_late_and_not_a_millisecond_longer(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(1)])
    scene.relay()
    (raw,) = records(house.cluster, house.raw_topic)
    at_ms = raw.timestamp()[1]
    late_ms = house.contract.topics[house.handled].late_ms
    assert late_ms == 24 * HOUR_MS
    everything = scene.all_time()
    last = scene.replay(everything, again=True, clock=lambda: (at_ms + late_ms) / 1000).dry_run()
    assert last.tally.views[house.handled].out == 1
    late = scene.replay(everything, again=True, clock=lambda: (at_ms + late_ms + 1) / 1000).dry_run()
    # The raw topic's own TTL is 24 h, too, so that there it has expired altogether.
    assert late.tally.views[house.handled] == ViewTally(events_in=1, expired=1)


def test_events_outside_of_the_range_are_not_touched(scene: Scene) -> None:
    house = scene.house
    for number in range(3):
        house.publish([house.ping(number)], partition=0)
        time.sleep(0.05)
    scene.relay()
    times = [message.timestamp()[1] for message in records(house.cluster, house.raw_topic)]
    middle = ByTime(times[1], times[2], (house.handled,))
    outcome = scene.replay(middle, again=True).execute()
    assert outcome.tally.taken == 1
    assert list(outcome.tally.views) == [house.handled]
    assert Counter(ids(scene, house.handled).values()) == {1: 2, 2: 1}
    assert set(ids(scene, house.loose).values()) == {1}


def test_a_fault_that_quarantine_knows_is_not_noted_again_and_a_new_one_is(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(4_001), b"SYNTHETIC not avro", house.ping(7)])
    scene.relay()
    quarantine = house.contract.quarantine.name
    assert len(found(scene, quarantine)) == 2
    outcome = scene.replay(again=True).execute()
    assert outcome.tally.views[house.handled] == ViewTally(events_in=3, out=1, quarantined=2)
    assert outcome.tally.views[house.loose] == ViewTally(events_in=3, out=2, quarantined=1)
    assert len(found(scene, quarantine)) == 2
    scene.correct("[0, 1000, 10000]", "[1000, 10000]")
    scene.replay().execute()
    notes = [json.loads(message.value() or b"") for message in found(scene, quarantine)]
    assert len(notes) == 3
    assert notes[-1]["view"] == house.loose


def test_a_second_replay_of_an_event_type_ends_the_first_which_leaves_nothing_half_done(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(n) for n in range(300)])
    scene.relay()
    everything = scene.all_time()
    rival = scene.replay(ByTime(everything.since_ms, everything.until_ms, (house.handled,)), again=True)
    begun = 0

    def watch(step: Step) -> None:
        nonlocal begun
        begun += step is Step.PRODUCED
        if step is Step.PRODUCED and begun == 2:
            rival.execute()

    with pytest.raises(Trouble) as refused:
        scene.replay(everything, again=True, watch=watch, batch_events=100).execute()
    assert refused.value.exit_code is Exit.REFUSED
    scene.replay(everything, again=True, batch_events=100).execute()
    assert Counter(ids(scene, house.handled).values()) == {3: 300}
    assert Counter(ids(scene, house.loose).values()) == {2: 300}


@pytest.mark.parametrize("now_and_then", [True, False])
def test_a_replay_ends_when_the_cluster_fails_it_again_and_again_but_not_when_it_does_so_now_and_then(
    scene: Scene, *, now_and_then: bool
) -> None:
    house = scene.house
    house.publish([house.ping(n) for n in range(12 * 10)])
    scene.relay()
    failed, fails = 0, True

    def watch(step: Step) -> None:
        nonlocal failed, fails
        if step is Step.SENDING_OFFSETS:
            fails, now = (not fails if now_and_then else True), fails
            if now:
                failed += 1
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, txn_requires_abort=True))

    replay = scene.replay(again=True, watch=watch, batch_events=10, slow_commit_ms=10_000)
    if now_and_then:
        replay.execute()
        assert failed > _FAILURES
        assert Counter(ids(scene, house.handled).values()) == {2: 120}
    else:
        with pytest.raises(Trouble, match=f"failed the replay {_FAILURES} times"):
            replay.execute()
        assert failed == _FAILURES


def test_what_went_out_under_another_rotation_is_known_and_not_sent_again(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(n) for n in (1, 2, 3, 4_001)])
    scene.relay()
    before = ids(scene, house.handled) + ids(scene, house.loose)
    scene.correct("[0, 4000]", "[0, 4095]")
    scene.correct("rotate: 1d", "rotate: 12h", "policies/purposes.yaml")
    extend(
        house.folder / "keyring.json",
        LocalKeyEncryption.open(house.folder / "kek"),
        scene.house.contract.purposes.values(),
        first_ms=scene.since_ms - DAY_MS,
        last_ms=scene.since_ms + DAY_MS,
    )
    with_new_values = scene.replay(again=True).dry_run()
    assert with_new_values.tally.views[house.handled] == ViewTally(events_in=4, out=1, already=3)
    outcome = scene.replay().execute()
    assert outcome.tally.views[house.handled] == ViewTally(events_in=4, out=1, already=3)
    assert outcome.tally.views[house.loose] == ViewTally(events_in=4, already=4)
    after = ids(scene, house.handled) + ids(scene, house.loose)
    assert len(after - before) == 1
    assert set(after.values()) == {1}


def test_what_went_out_with_another_step_is_known_and_not_sent_again(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(n) for n in range(4)])
    scene.relay()
    scene.correct("{truncate: 1h}", "{truncate: 1m}")
    (first, *_) = sorted(message.timestamp()[1] for message in records(house.cluster, house.raw_topic))
    outcome = scene.replay(ByTime(first, first + HOUR_MS, (house.handled,))).execute()
    assert outcome.tally.views[house.handled] == ViewTally(events_in=4, already=4)
    assert set(ids(scene, house.handled).values()) == {1}


def changes(scene: Scene) -> list[dict[str, Any]]:
    said = [json.loads(message.value() or b"") for message in found(scene, scene.house.contract.changes.name)]
    return [each for each in said if each["kind"] in {"replay", "replayed"}]


def test_a_replay_is_recorded_before_it_writes_anything_and_when_it_is_done(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(n) for n in (1, 2, 4_001)])
    scene.relay()
    scene.correct("[0, 4000]", "[0, 4095]")
    scene.replay().dry_run()
    assert changes(scene) == [], "a dry run is none"
    at_first: list[dict[str, Any]] = []

    def watch(step: Step) -> None:
        if step is Step.BEGUN and not at_first:
            at_first.extend(changes(scene))

    everything = scene.all_time()
    outcome = scene.replay(everything, watch=watch).execute()
    (begun,) = at_first
    assert {name: begun[name] for name in ("kind", "by", "event", "selected", "again", "raw_offsets", "resumed")} == {
        "kind": "replay", "by": "tests", "event": f"{house.source}.ping", "selected": "time", "again": False,
        "raw_offsets": 3, "resumed": False,
    }  # fmt: skip
    assert (begun["replay"], begun["contract"]) == (outcome.name, scene.house.contract.digest.hex())
    assert begun["views"] == [house.handled, house.loose]
    assert begun["from"] < begun["to"]
    (_, done) = changes(scene)
    assert (done["kind"], done["replay"], done["raw_events"]) == ("replayed", outcome.name, 3)
    assert done["counts"][house.handled]["out"] == 1
    scene.replay(everything).execute()
    assert len(changes(scene)) == 2, "nothing was left to do"


def test_a_replay_that_cannot_be_recorded_writes_nothing(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(4_001)])
    scene.relay()
    scene.correct("[0, 4000]", "[0, 4095]")
    replay = scene.replay()  # which looks at the topics: what it would refuse there is set afterwards
    house.cluster.changer().set(house.contract.changes.name, {"max.message.bytes": "1"})
    admin, record = house.cluster.admin(timeout_s=CALL_S), house.contract.changes.name
    until(lambda: admin.topic_configs([record])[record]["max.message.bytes"] == "1", "the smaller limit of the record")
    with pytest.raises(Trouble, match="record") as refused:
        replay.execute()
    assert refused.value.exit_code == Exit.UNAVAILABLE
    assert found(scene, house.handled) == []


def test_a_replay_with_another_keyring_than_the_relays_is_refused_and_sends_nothing(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(number) for number in range(6)])
    scene.relay()
    before = ids(scene, house.handled)
    for name in ("keyring.json", "kek"):
        (house.folder / name).unlink()
    kek, now_ms = LocalKeyEncryption.create(house.folder / "kek"), int(time.time() * 1000)
    span = {"first_ms": now_ms - 4 * DAY_MS, "last_ms": now_ms + DAY_MS}
    extend(house.folder / "keyring.json", kek, house.contract.purposes.values(), **span)
    for outcome in (scene.replay().dry_run, scene.replay().execute):
        with pytest.raises(Trouble, match="were relayed with another keyring") as refused:
            outcome()
        assert refused.value.exit_code is Exit.REFUSED
    assert ids(scene, house.handled) == before
