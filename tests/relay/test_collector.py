"""The garbage collector leaves a batch's events alone, and still finds what goes round in circles."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Iterator

import pytest

from pipelines.relay.collector import relax
from pipelines.relay.deadline import within


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def collections() -> int:
    return gc.get_stats()[0]["collections"]


def test_a_batch_of_events_is_not_walked_through() -> None:
    gc.collect()
    before = collections()
    events = [[[number]] for number in range(20_000)]
    assert collections() > before  # Python's own thresholds
    del events
    relax()
    gc.collect()
    before = collections()
    events = [[[number]] for number in range(20_000)]
    assert collections() == before
    assert len(events) == 20_000


def test_circles_do_not_pile_up() -> None:
    class Circle:
        alive = 0

        def __init__(self) -> None:
            Circle.alive += 1
            self.itself = self

        def __del__(self) -> None:
            Circle.alive -= 1

    relax()
    for _ in range(300_000):
        Circle()
    assert Circle.alive <= 50_000


def test_a_call_that_fails_within_a_deadline_leaves_no_circle() -> None:
    class Batch:
        pass

    made = list[weakref.ref[Batch]]()

    def call() -> None:
        batch = Batch()
        made.append(weakref.ref(batch))
        raise ValueError  # its traceback holds the batch

    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            within(30, call)
        assert [batch() for batch in made] == [None]
    finally:
        gc.enable()
