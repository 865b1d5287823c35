"""Under any overlay that passes, what leaves the relay follows from what leaves it without, topic by topic.

Both go the way of the relay: one lane each over the same raw events, with one keyring. Events come in pairs that look
alike to a view of the contract, so that equal outputs without the overlay are met often, and in every view.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.contract import load
from pipelines.contract.bits import view_bits
from pipelines.contract.changes import compare
from pipelines.contract.changes.change import Direction
from pipelines.contract.model import DAY_MS, HOUR_MS, Contract, Event
from pipelines.keys import throwaway_keyring
from pipelines.relay.batch import Batch
from pipelines.relay.books import PartitionBook
from pipelines.relay.lane import Lane, Raw
from tests.support.contract_folders import TODAY
from tests.support.disturb import disturb
from tests.support.overlays import errors, lab, laid, lists_of, random_overlay
from tests.support.random_data import Speller, random_datum

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("PIPELINES_EXAMPLES", "60"))
NOON = 1_780_272_000_000 + 12 * HOUR_MS  # of TODAY

Left = dict[str, object]
"""By topic: the record, or the note, that one raw event left there; nothing where none did."""


class Alike:
    """Two lanes, and what each left of the same events."""

    def __init__(self, base: Contract, under: Contract, seen: Counter[str]) -> None:
        keys = throwaway_keyring()
        (event,) = base.events.values()
        self.lanes = [Lane(contract, contract.events[event.name], keys, b"\1\2\3\4") for contract in (base, under)]
        self._late = {name: topic.late_ms for name, topic in under.topics.items()}
        self._follows: dict[tuple[str, object], object] = {}
        self._seen = seen

    def see(self, raw: Raw) -> None:
        without, under = (left_by(lane, raw) for lane in self.lanes)
        assert under.keys() <= without.keys(), "something leaves that would not leave without the overlay"
        for topic, said in without.items():
            if NOON - raw.timestamp_ms > self._late.get(topic, NOON):
                assert topic not in under, "it is later than the overlay allows"
                continue
            self._seen["again" if (topic, said) in self._follows else "first"] += 1
            now = under.get(topic)
            self._seen["notes"] += isinstance(said, str)
            if isinstance(said, str) or isinstance(now, str):
                assert now in (None, said), "a note says something else than without the overlay"
            assert self._follows.setdefault((topic, said), now) == now, "what looks alike without does not look alike"


def left_by(lane: Lane, raw: Raw) -> Left:
    batch, book = Batch(NOON), PartitionBook(0)
    book.open_views(lane.topics)
    lane.take(batch, book, raw)
    left: Left = {}
    for record in batch.records():
        headers = tuple(pair for pair in record.headers if pair[0] != "ce_policyversion")
        left[record.topic] = (record.key, record.value, headers, record.timestamp_ms)
    for text in batch.notes():
        note = json.loads(text)
        left[note["view"]] = text.decode()
    return left


def twins(rng: Random, event: Event) -> Iterator[Raw]:
    """One raw event and three others in its place that look like it to one view of the contract."""
    version, offset = rng.choice(event.versions), rng.randrange(1 << 40)
    datum = random_datum(rng, version.record)
    at_ms = NOON - rng.choice((0, 0, 0, 5, 20, 30)) * HOUR_MS - rng.randrange(DAY_MS)
    view = rng.choice(event.views)
    for number in range(4):
        like = disturb(rng, view, version.record, datum) if number else datum
        value = Speller(rng, odd=True).event(version.record, like, version.fingerprint)
        step = at_ms - at_ms % view.step_ms
        yield Raw(0, offset, min(step + rng.randrange(view.step_ms), NOON), value)


def test_every_output_follows_from_the_output_without_and_nothing_grows(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder = lab(tmp_path / "contract")
    base = load(folder, as_of=TODAY).contract
    assert base is not None
    (event,) = base.events.values()
    lists, seen = lists_of(base), Counter[str]()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**48 - 1))
    def tried(seed: int) -> None:
        rng = Random(seed)
        loaded = laid(folder, random_overlay(rng, base, lists))
        seen["tried"] += 1
        if errors(loaded) or loaded.contract is None:
            return
        seen["passed"] += 1
        nothing_grew(base, loaded.contract)
        alike = Alike(base, loaded.contract, seen)
        for _ in range(40):
            for raw in twins(rng, event):
                alike.see(raw)

    tried()
    record_property(
        "random examples",
        f"overlays: {seen['tried']:,}, {seen['passed'] / seen['tried']:.0%} passed; {seen['first']:,} outputs of views "
        f"and {seen['again']:,} that were equal to one before, {seen['notes']:,} of them notes",
    )
    assert seen["passed"] >= seen["tried"] / 12  # a quarter and more as a rule, which sixty draws can miss
    assert seen["again"] > 20 * seen["passed"]
    assert seen["notes"] < 2 * (seen["first"] + seen["again"]) / 3


def nothing_grew(base: Contract, under: Contract) -> None:
    assert not [one for one in compare(base, under) if one.direction is Direction.WORSE]
    for name, purpose in under.purposes.items():
        old = base.purposes[name]
        assert purpose.max_bits <= old.max_bits
        assert old.rotate_ms % purpose.rotate_ms == 0
        assert purpose.review is not None
        assert old.review is not None
        assert purpose.review.expires <= old.review.expires
    for name, topic in under.topics.items():
        assert topic.ttl_ms <= base.topics[name].ttl_ms
        assert topic.late_ms <= base.topics[name].late_ms
        assert set(topic.consumers) <= set(base.topics[name].consumers)
    for name, raw_topic in under.raw_topics.items():
        assert raw_topic.ttl_ms <= base.raw_topics[name].ttl_ms
        assert set(raw_topic.producers) <= set(base.raw_topics[name].producers)
    assert under.quarantine.ttl_ms <= base.quarantine.ttl_ms
    assert set(under.quarantine.consumers) <= set(base.quarantine.consumers)
    for name, event in under.events.items():
        views = {view.topic: view for view in base.events[name].views}
        for view in event.views:
            new, was = view_bits(event.versions, view), view_bits(event.versions, views[view.topic])
            assert new.count <= was.count
            fields = {field.path: field.count for field in was.fields}
            assert all(field.count <= fields.get(field.path, 1) for field in new.fields)
