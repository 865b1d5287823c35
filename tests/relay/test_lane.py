"""An event type's way into a batch, without a broker."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import derived_schemas, load
from pipelines.contract.model import DAY_MS, HOUR_MS, Contract
from pipelines.envelope import read_notes
from pipelines.keys import throwaway_keyring
from pipelines.minimize import FAULT_CODES, Fault, Minimized
from pipelines.minimize.reference import minimize_event
from pipelines.relay.batch import Batch, Outgoing
from pipelines.relay.books import PartitionBook
from pipelines.relay.lane import (
    AHEAD_OF_CLOCK,
    INTERNAL,
    LARGEST_RAW_BYTES,
    LARGEST_VALUE_BYTES,
    NO_BROKER_TIME,
    TOO_LARGE,
    UNREADABLE,
    Lane,
    Raw,
)
from pipelines.retention import AHEAD_MS
from tests.support.relay_fixture import TODAY, encode_ping, write_contract

NOON = 1_795_000_000_000 // DAY_MS * DAY_MS + 12 * HOUR_MS
KEYS = throwaway_keyring()


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    return read(tmp_path_factory.mktemp("contract"))


def read(folder: Path, review_expires: str = "2099-01-01") -> Contract:
    write_contract(folder, "probe", review_expires, "24h")
    loaded = load(folder, as_of=TODAY).contract
    assert loaded is not None
    assert derived_schemas(loaded)
    return loaded


def lane_of(contract: Contract) -> Lane:
    return Lane(contract, contract.events["probe.ping"], KEYS, b"\1\2\3\4")


def take(lane: Lane, raws: Sequence[Raw], now_ms: int = NOON) -> tuple[Batch, PartitionBook]:
    batch, book = Batch(now_ms), PartitionBook(0)
    book.open_views(lane.topics)
    for raw in raws:
        lane.take(batch, book, raw)
    assert book.imbalances() == []
    return batch, book


def ping(
    contract: Contract, number: int, offset: int = 0, at_ms: int = NOON, device: str | None = "synthetic-1"
) -> Raw:
    return Raw(0, offset, at_ms, encode_ping(contract.events["probe.ping"], number, device))


def seen(contract: Contract, raw: Raw) -> list[Outgoing]:
    return sorted(take(lane_of(contract), [raw], raw.timestamp_ms)[0].records(), key=lambda record: record.topic)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    """The contract with a limited time."""
    folder = tmp_path_factory.mktemp("limited")
    write_contract(folder, "probe", "2099-01-01", "24h")
    policy = folder / "policies/probe/ping.yaml"
    policy.write_text(policy.read_text().replace("{truncate: 1h}", "{truncate: {to: 1h, within: 72h}}"))
    loaded = load(folder, as_of=TODAY).contract
    assert loaded is not None
    return loaded


@given(
    st.one_of(st.integers(-80 * HOUR_MS, 80 * HOUR_MS), st.sampled_from([h * HOUR_MS for h in (-73, -72, 72, 73)])),
    st.integers(0, DAY_MS),
)
def test_a_limited_time_is_held_to_the_broker_time_of_its_raw_record(
    limited: Contract, apart_ms: int, later_ms: int
) -> None:
    event, at_ms = limited.events["probe.ping"], NOON + later_ms
    occurred_at = datetime.fromtimestamp((at_ms + apart_ms) / 1000, UTC)
    value = encode_ping(event, 1, None, occurred_at)
    made = minimize_event(event, value, [lambda _: bytes(16)] * 2, at_ms)
    batch, _ = take(lane_of(limited), [Raw(0, 0, at_ms, value)], now_ms=at_ms)
    expected = [one.value for one in made if isinstance(one, Minimized)]
    assert sorted(record.value for record in batch.records()) == sorted(expected)
    (probe,) = [value for value in expected if value[2:10] == event.views[0].fingerprint]
    steps = (at_ms + apart_ms) // HOUR_MS - at_ms // HOUR_MS
    assert (probe[10] == 0) == (abs(steps) > 72), "the first field's branch says whether there is a time"


@given(st.integers(0, HOUR_MS - 1), st.integers(0, HOUR_MS - 1), st.integers(1000, 4000), st.integers(1000, 4000))
def test_the_time_within_a_step_and_what_a_view_drops_change_no_byte_of_it(
    contract: Contract, one_ms: int, other_ms: int, one: int, other: int
) -> None:
    first, second = (seen(contract, ping(contract, n, at_ms=NOON + ms)) for ms, n in ((one_ms, one), (other_ms, other)))
    tallies = [[record for record in records if "tally" in record.topic] for records in (first, second)]
    assert tallies[0] == tallies[1]
    if one == other:
        assert first == second


@given(at_ms=st.integers(NOON - 3 * 60_000, NOON), step_ms=st.sampled_from((1, 100, 1_000, 60_000)))
def test_a_step_below_a_minute_is_the_time_of_its_records(contract: Contract, at_ms: int, step_ms: int) -> None:
    event = contract.events["probe.ping"]
    views = tuple(replace(view, step_ms=step_ms) for view in event.views)
    finer = replace(contract, events={event.name: replace(event, views=views)})
    lane = lane_of(finer)  # one for several times of one minute, in both orders
    raws = [ping(finer, 2_000, offset=n, at_ms=at) for n, at in enumerate((at_ms, max(at_ms - 150, 0), at_ms))]
    for raw in raws:
        times = {record.timestamp_ms for record in take(lane, [raw])[0].records()}
        assert times == {raw.timestamp_ms - raw.timestamp_ms % step_ms}


def test_ids_are_those_of_the_coordinates_whatever_else_is_in_the_batch(contract: Contract) -> None:
    alone = {(r.topic, r.headers[0]) for n in (3, 4) for r in seen(contract, ping(contract, n, offset=n))}
    batch, _ = take(lane_of(contract), [ping(contract, n, offset=n) for n in range(10)])
    together = {(record.topic, record.headers[0]) for record in batch.records()}
    assert alone <= together
    assert len(together) == 20
    assert {name for _, (name, _) in together} == {"ce_id"}


def test_order_is_kept_where_there_is_a_handle_and_nowhere_else(contract: Contract) -> None:
    raws = [ping(contract, n, offset=n) for n in range(60)]
    lane = lane_of(contract)
    ids = {raw.offset: {r.topic: r.headers[0][1] for r in seen(contract, raw)} for raw in raws}
    shuffled = False
    for _ in range(3):
        records = list(take(lane, raws)[0].records())
        for topic in lane.topics:
            got = [record.headers[0][1] for record in records if record.topic == topic]
            want = [ids[offset][topic] for offset in range(60)]
            assert sorted(map(str, got)) == sorted(map(str, want))
            if "probe-probe" in topic:
                assert got == want
            else:
                shuffled = shuffled or got != want
    assert shuffled


def test_records_without_a_handle_keep_no_order_and_tell_no_epoch_even_where_others_have_one(
    contract: Contract,
) -> None:
    lane = lane_of(contract)
    raws = [ping(contract, n, offset=n, device=None if n % 2 else "synthetic-1") for n in range(80)]
    batch, _ = take(lane, raws)
    sizes = [sum(parcel.size() for parcel in parcels) for parcels in (batch.ordered, batch.loose.values())]
    assert sizes == [40, 120]
    for record in batch.records():
        assert ("ce_handleepoch" in dict(record.headers)) == (record.key is not None)


@pytest.mark.parametrize(
    "code",
    sorted(
        {*FAULT_CODES, *(fault.code for fault in (AHEAD_OF_CLOCK, INTERNAL, NO_BROKER_TIME, TOO_LARGE, UNREADABLE))}
    ),
)
def test_every_fault_that_there_is_can_be_noted(contract: Contract, code: str) -> None:
    lane, batch, book = lane_of(contract), Batch(NOON), PartitionBook(0)
    book.open_views(lane.topics)
    lane.refuse(batch, book, Raw(0, 7, NOON, None), Fault(code, "checks[].id"))
    (value,) = batch.notes()
    notes = read_notes(value)
    assert notes is not None
    assert [(note.code, note.offset) for note in notes.each()] == [(code, 7)]


def test_a_raw_value_that_only_compression_made_small_is_quarantined_unread(contract: Contract) -> None:
    value = ping(contract, 1).value
    assert value is not None
    batch, book = take(lane_of(contract), [Raw(0, 0, NOON, value + bytes(LARGEST_RAW_BYTES))])
    assert [view.quarantined for view in book.views.values()] == [1, 1]
    assert {json.loads(note)["code"] for note in batch.notes()} == {"too_large"}


def test_a_review_that_ends_at_midnight_suspends_its_view_from_the_first_millisecond(tmp_path: Path) -> None:
    contract = read(tmp_path, review_expires="2026-12-01")
    midnight = int((date(2026, 12, 1) - date(1970, 1, 1)).total_seconds()) * 1000
    lane = lane_of(contract)
    raws = [ping(contract, 1, n, midnight + ms) for n, ms in enumerate((-1, 0, -HOUR_MS, HOUR_MS, 1))]
    _, book = take(lane, raws, now_ms=midnight + HOUR_MS)
    handled = next(topic for topic in lane.topics if "probe-probe" in topic)
    assert (book.views[handled].out, book.views[handled].suspended) == (2, 3)


def test_the_fate_of_every_event_is_counted_once_in_every_view(contract: Contract) -> None:
    lane = lane_of(contract)
    old = NOON - 25 * HOUR_MS
    raws = [
        ping(contract, 1, 0),
        ping(contract, 4001, 1),
        Raw(0, 2, NOON, b"SYNTHETIC"),
        Raw(0, 3, NOON, None),
        ping(contract, 1, 4, old),
        Raw(0, 5, old, b"SYNTHETIC"),
        ping(contract, 1, 6, device=None),
    ]
    batch, book = take(lane, raws)
    fates = {
        topic.split(".")[1].split("-")[0]: (view.out, view.quarantined, view.expired, view.suspended)
        for topic, view in book.views.items()
    }
    assert fates == {"probe": (2, 3, 2, 0), "tally": (3, 2, 2, 0)}
    notes = [json.loads(note) for note in batch.notes()]
    assert [(note["offset"], note["view"] is None) for note in notes] == [(1, False), (2, True), (3, True)]
    assert sum(batch.reasons.values()) == 3
    keys = [record.key for record in batch.records() if "probe-probe" in record.topic]
    assert [key is None for key in keys] == [False, True]


@given(
    st.lists(
        st.one_of(
            st.integers(-30 * HOUR_MS, AHEAD_MS),
            st.sampled_from([0, 1, AHEAD_MS, AHEAD_MS + 1]),
            st.integers(AHEAD_MS + 1, 100 * 365 * DAY_MS),  # there is no key for most of these
        ),
        max_size=12,
    )
)
def test_an_event_is_quarantined_as_ahead_exactly_when_it_is_later_than_five_minutes_and_moves_no_other(
    contract: Contract, apart_ms: list[int]
) -> None:
    raws = [ping(contract, 1, offset, NOON + ms) for offset, ms in enumerate(apart_ms)]
    ahead = [raw.offset for raw in raws if raw.timestamp_ms > NOON + AHEAD_MS]
    batch, book = take(lane_of(contract), raws)
    alone, its_book = take(lane_of(contract), [raw for raw in raws if raw.offset not in ahead])
    noted = [note for value in batch.notes() for note in (read_notes(value) or pytest.fail("no note")).each()]
    assert [(note.code, note.view, note.offset) for note in noted] == [("ahead_of_clock", None, at) for at in ahead]
    assert batch.ahead == len(ahead)
    assert batch.now_ms == alone.now_ms <= NOON + AHEAD_MS
    for topic, view in book.views.items():
        other = its_book.views[topic]
        assert (view.out, view.expired, view.quarantined) == (other.out, other.expired, len(ahead))
    assert len(list(batch.records())) == len(list(alone.records()))


def test_a_fault_of_ours_on_one_event_is_quarantined_and_tells_nothing(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()

    def fail(identifier: bytes) -> bytes:
        next(calls)
        raise RuntimeError(repr(identifier))

    monkeypatch.setattr("pipelines.keys.subkeys.Subkeys.handle_maker", lambda *_: fail)
    batch, book = take(lane_of(contract), [ping(contract, 1)])
    assert next(calls) == 1
    assert [view.quarantined for view in book.views.values()] == [1, 1]
    assert [json.loads(note)["code"] for note in batch.notes()] == ["internal"]


def test_a_record_that_no_broker_takes_is_quarantined(contract: Contract) -> None:
    lane = lane_of(contract)
    assert lane.largest_value_bytes == LARGEST_VALUE_BYTES
    lane.largest_value_bytes = 10
    batch, book = take(lane, [ping(contract, 1)])
    assert list(batch.records()) == []
    assert [view.quarantined for view in book.views.values()] == [1, 1]
    assert {json.loads(note)["code"] for note in batch.notes()} == {"too_large"}
