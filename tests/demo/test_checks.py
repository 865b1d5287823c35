"""Every check holds on a sound run, and each fails when what it looks at is broken. No broker: see `world`."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from pipelines.contract.model import DAY_MS, Contract
from pipelines.demo.checks import CHECKS, judge
from pipelines.simulate.canaries import text
from tests.demo.world import WORKERS, World, play

CANARY = text(3)
VPN = "raw.vpn.session"
ENFORCEMENT = "network-metadata.security-enforcement"
SUPPORT = "network-metadata.support"


def broken(world: World) -> set[str]:
    return {check.name for check in judge(world.evidence()) if not check.held}


def details(world: World) -> dict[str, str]:
    return {check.name: check.detail for check in judge(world.evidence())}


def test_every_check_holds_on_a_sound_run(world: World) -> None:
    assert broken(world) == set()


def test_every_check_fails_when_there_was_nothing_to_look_at(shipped: Contract, tmp_path: Path) -> None:
    nothing = play(shipped, tmp_path, 0)
    nothing.logs.clear()
    nothing.metrics_text = b""
    evidence = nothing.evidence()
    evidence.workers, evidence.judged = (), 0
    held = {check.name for check in judge(evidence) if check.held}
    # No fault was planted, and quarantine is empty: that is a finding, not a lack of one.
    assert held == {"quarantine holds the planted faults"}


def a_record_twice(world: World) -> None:
    world.topics[ENFORCEMENT].append(world.topics[ENFORCEMENT][0])


def a_record_lost(world: World) -> None:
    del world.topics[ENFORCEMENT][0]


def a_raw_record_twice(world: World) -> None:
    world.topics[VPN].append(world.topics[VPN][-1])


def an_event_unacknowledged(world: World) -> None:
    world.sent = dataclasses.replace(world.sent, unacknowledged=1)


def one_more_out_in_the_books(world: World) -> None:
    world.books[VPN, 0].views[ENFORCEMENT].out += 1


def a_view_without_books(world: World) -> None:
    del world.books[VPN, 0].views[ENFORCEMENT]


def a_canary_that_is_not_in_raw(world: World) -> None:
    world.sent = dataclasses.replace(world.sent, canaries=world.sent.canaries + 1)


def no_canary_planted(world: World) -> None:
    world.sent = dataclasses.replace(world.sent, canaries=0)


def a_leak_in_a_value(world: World) -> None:
    first = world.topics[ENFORCEMENT][0]
    first.value_ = (first.value_ or b"") + CANARY.encode()


def a_leak_in_a_key(world: World) -> None:
    world.topics[ENFORCEMENT][0].key_ = CANARY.encode()


def a_leak_in_a_header(world: World) -> None:
    world.topics[ENFORCEMENT][0].headers_.append(("ce_note", CANARY.encode()))


def a_leak_in_a_headers_name(world: World) -> None:
    world.topics[ENFORCEMENT][0].headers_.append((CANARY, b""))


def a_leak_in_a_timestamp(world: World) -> None:
    world.topics[ENFORCEMENT][0].timestamp_ms = int.from_bytes(b"CNRY5E  ", "big")


def a_leak_in_hexadecimal(world: World) -> None:
    world.topics[ENFORCEMENT][0].headers_.append(("ce_note", CANARY.encode().hex().encode()))


def a_leaking_identifier(world: World) -> None:
    world.topics[ENFORCEMENT][0].headers_.append(("device", world.sent.device))


def a_leak_in_quarantine(world: World) -> None:
    note = world.topics["quarantine"][0]
    note.value_ = json.dumps({**json.loads(note.value_ or b""), "path": CANARY}).encode()


def a_leak_in_quarantines_headers(world: World) -> None:
    world.topics["quarantine"][0].headers_.append(("value", CANARY.encode()))


def a_leak_in_a_log(world: World) -> None:
    with world.logs[0].open("a") as log:
        log.write(f"fault at {CANARY}\n")


def a_leak_in_a_metric(world: World) -> None:
    world.metrics_text = f'pipelines_records_out_total{{topic="{CANARY}"}} 1.0'.encode()


def no_metrics(world: World) -> None:
    world.metrics_text, world.counters = b"", {}


def a_counter_behind(world: World) -> None:
    world.counters["pipelines_records_out"][VPN, SUPPORT] -= 1


def a_counter_of_nothing(world: World) -> None:
    world.counters["pipelines_events_expired"] = Counter({(VPN, SUPPORT): 1})


def a_note_lost(world: World) -> None:
    del world.topics["quarantine"][0]


def a_sound_event_quarantined(world: World) -> None:
    note = next(each for each in world.topics["quarantine"] if b'"offset":' in (each.value_ or b""))
    other = {**json.loads(note.value_ or b""), "offset": 10**6}
    world.topics["quarantine"].append(dataclasses.replace(note, value_=orjson.dumps(other)))


def a_note_that_is_none(world: World) -> None:
    world.topics["quarantine"].append(dataclasses.replace(world.topics["quarantine"][0], value_=b"\xff"))


def a_silent_worker(world: World) -> None:
    lines = world.logs[0].read_text().splitlines()
    world.logs[0].write_text("\n".join(line for line in lines if WORKERS[1] not in line))


def a_finer_time(world: World) -> None:
    world.topics[ENFORCEMENT][0].timestamp_ms += 1


def a_record_of_no_view(world: World) -> None:
    headers = world.topics[ENFORCEMENT][0].headers_
    headers[:] = [(name, b"vpn.unknown" if name == "ce_type" else value) for name, value in headers]


def one_handle_in_two_purposes(world: World) -> None:
    record = next(record for record in world.topics[ENFORCEMENT] if record.key_)
    world.topics["threat-intelligence.threat-detection"][0].key_ = record.key_


def the_devices_handles_nowhere(world: World) -> None:
    world.sent = dataclasses.replace(world.sent, device=b"another device")


def a_breach(world: World) -> None:
    world.breaches = ["raw.vpn.session: a record may stay forever, the promise is 24h"]


def the_example_lost(world: World) -> None:
    topic, event_id = next(iter((world.evidence().example or pytest.fail("no example")).ids.items()))
    world.topics[topic] = [one for one in world.topics[topic] if dict(one.headers_)["ce_id"] != event_id.encode()]


def the_example_twice(world: World) -> None:
    topic, event_id = next(iter((world.evidence().example or pytest.fail("no example")).ids.items()))
    twice = next(one for one in world.topics[topic] if dict(one.headers_)["ce_id"] == event_id.encode())
    world.topics[topic].append(twice)


LEAK = "no canary, no identifier got through"
BOOKS = "the books balance in every view"
TOPICS = "the topics hold what the books say"
METRICS = "the metrics say what the books say"
QUARANTINE = "quarantine holds the planted faults"
PLANTED = "every canary is in raw"
TIMES = "no timestamp is finer than its view"
HANDLES = "handles differ between purposes"
EXAMPLE = "one event is once in each of its views"
SENT = "every event sent is in raw"

MUTANTS: list[tuple[Callable[[World], None], set[str]]] = [
    (a_record_twice, {TOPICS}),
    (a_record_lost, {TOPICS}),
    (a_raw_record_twice, {SENT, TOPICS}),
    (an_event_unacknowledged, {SENT}),
    (one_more_out_in_the_books, {BOOKS, TOPICS, METRICS}),
    (a_view_without_books, {BOOKS, TOPICS, METRICS}),
    (a_canary_that_is_not_in_raw, {PLANTED, LEAK}),
    (no_canary_planted, {PLANTED, LEAK}),
    (a_leak_in_a_value, {LEAK}),
    (a_leak_in_a_key, {LEAK}),
    (a_leak_in_a_header, {LEAK}),
    (a_leak_in_a_headers_name, {LEAK}),
    (a_leak_in_a_timestamp, {LEAK, TIMES}),
    (a_leak_in_hexadecimal, {LEAK}),
    (a_leaking_identifier, {LEAK}),
    (a_leak_in_quarantine, {LEAK, QUARANTINE, METRICS}),
    (a_leak_in_quarantines_headers, {LEAK}),
    (a_leak_in_a_log, {LEAK}),
    (a_leak_in_a_metric, {LEAK}),
    (no_metrics, {LEAK, METRICS}),
    (a_counter_behind, {METRICS}),
    (a_counter_of_nothing, {METRICS}),
    (a_note_lost, {QUARANTINE, METRICS}),
    (a_sound_event_quarantined, {QUARANTINE, METRICS}),
    (a_note_that_is_none, {QUARANTINE}),
    (a_silent_worker, {"every worker logged"}),
    (a_finer_time, {TIMES}),
    (a_record_of_no_view, {TIMES}),
    (one_handle_in_two_purposes, {HANDLES}),
    (the_devices_handles_nowhere, {HANDLES}),
    (a_breach, {"retention is as promised"}),
    (the_example_lost, {TOPICS, EXAMPLE}),
    (the_example_twice, {TOPICS, EXAMPLE}),
]


@pytest.mark.parametrize(("break_it", "expected"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_a_broken_run_fails_the_checks_that_look_there(
    world: World, break_it: Callable[[World], None], expected: set[str]
) -> None:
    break_it(world)
    assert broken(world) == expected


def test_every_check_has_a_mutant_that_it_alone_or_with_its_kin_catches() -> None:
    assert set().union(*(expected for _, expected in MUTANTS)) == set(CHECKS)


def test_a_leak_is_told_by_kind_and_place_and_never_by_what_it_is(world: World) -> None:
    a_leak_in_a_header(world)
    a_leaking_identifier(world)
    told = " ".join(details(world).values())
    assert f"1 times: identifier in the header of {ENFORCEMENT}" in told
    assert CANARY not in told
    assert world.sent.device.decode() not in told


def test_a_search_that_is_blind_to_a_raw_topics_canaries_proves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.demo.gathering.find", lambda _: None)
    assert broken(world) == {PLANTED, LEAK}
    assert "void" in details(world)[LEAK]


def test_epochs_that_roll_over_during_the_run_break_no_check(shipped: Contract, tmp_path: Path) -> None:
    midnight = 1_795_392_000_000
    assert midnight % DAY_MS == 0
    over = play(shipped, tmp_path, at_ms=midnight - 15_000, apart_ms=50)
    evidence = over.evidence()
    assert max(map(len, evidence.handles.values())) == 2
    assert {check.name for check in judge(evidence) if not check.held} == set()
