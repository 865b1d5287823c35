"""Which process is a slot's at present: the kernel gives the numbers of dead ones again."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any, cast

from tests.faults.deeds import OLD_ENOUGH_S, Deeds
from tests.faults.orders import Line

PID = 4242


def deeds(started_at: float, lines: list[Line]) -> Deeds:
    witness = SimpleNamespace(lines=lines, abandoned=threading.Event())
    slot = SimpleNamespace(started_at=started_at)
    crew = SimpleNamespace(witness=witness, pid=lambda _number: PID, slot=lambda _number: slot)
    return Deeds(cast("Any", crew), 0, 1.0, None, cast("Any", None))


def test_a_new_process_may_have_the_number_of_one_that_was_killed() -> None:
    started_at = time.monotonic() - OLD_ENOUGH_S
    one = deeds(started_at, [Line(started_at + 1, 0, PID, "committed", -1, "committed")])
    one._gone[PID] = started_at - 100
    assert one._at_work() == PID


def test_a_process_that_was_killed_is_not_at_work_however_long_its_body_lies_there() -> None:
    started_at = time.monotonic() - OLD_ENOUGH_S
    one = deeds(started_at, [Line(started_at + 1, 0, PID, "committed", -1, "committed")])
    one._gone[PID] = started_at + OLD_ENOUGH_S
    threading.Timer(0.2, one.crew.witness.abandoned.set).start()
    assert one._at_work() is None


def test_what_an_earlier_process_of_that_number_committed_does_not_count() -> None:
    started_at = time.monotonic() - OLD_ENOUGH_S
    one = deeds(started_at, [Line(started_at - 50, 0, PID, "committed", -1, "committed")])
    threading.Timer(0.2, one.crew.witness.abandoned.set).start()
    assert one._at_work() is None
