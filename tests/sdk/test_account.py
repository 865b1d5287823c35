"""The account adds up, whatever happens to the events and whenever somebody looks or interrupts."""

import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from types import FrameType
from typing import Any, Self

from hypothesis import given
from hypothesis import strategies as st

from pipelines.sdk import account as module
from pipelines.sdk.account import Account
from pipelines.sdk.report import IN_FLIGHT


@given(st.lists(st.tuples(st.sampled_from(["enter", "acknowledge", "fail", "report"]), st.integers(1, 20))))
def test_every_event_is_acknowledged_failed_or_in_flight_and_told_once(deeds: list[tuple[str, int]]) -> None:
    account, open_, acknowledged, failed, reports = Account(), set[int](), 0, set[int](), []
    for deed, number in deeds:
        if deed == "enter":
            open_.add(account.enter("a.b"))
        elif deed == "report":
            reports.append(account.report())
        elif deed == "acknowledge":
            account.acknowledge(number)
            acknowledged += number in open_
            open_.discard(number)
        else:
            account.fail(number, "ERROR")
            failed |= open_ & {number}
            open_.discard(number)
    reports.append(account.report())
    told = [lost.number for report in reports for lost in report.unacknowledged if lost.error != IN_FLIGHT]
    assert sum(report.acknowledged for report in reports) == acknowledged
    assert sorted(told) == sorted(failed)
    assert {lost.number for lost in reports[-1].unacknowledged if lost.error == IN_FLIGHT} == open_


def test_an_interruption_at_any_point_makes_no_event_acknowledged_that_is_not() -> None:
    interrupted = 0
    for at in count():
        account = Account()
        deeds: list[Callable[[], object]] = [
            partial(account.enter, "a.b"),
            partial(account.enter, "a.b"),
            partial(account.acknowledge, 1),
            partial(account.fail, 2, "ERROR"),
        ]
        outcomes = []
        with _interrupting(at) as trace:
            for deed in deeds:
                try:
                    outcomes.append(deed())
                except KeyboardInterrupt:
                    interrupted += 1
        report = account.report()
        assert 0 <= report.acknowledged <= 1
        if 2 in outcomes:
            assert report.acknowledged + len(report.unacknowledged) == 2
        if not trace.fired:
            break
    assert interrupted > 10


class _interrupting:  # noqa: N801 - read as a word
    """Raises KeyboardInterrupt before the n-th instruction of the account's methods."""

    def __init__(self, at: int) -> None:
        self.left, self.fired = at, False

    def __enter__(self) -> Self:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Any:
        if frame.f_code.co_filename != module.__file__:
            return None
        frame.f_trace_opcodes = True
        return self._step

    def _step(self, _frame: FrameType, event: str, _arg: object) -> Any:
        if event == "opcode" and not self.fired:
            if self.left == 0:
                self.fired = True
                raise KeyboardInterrupt
            self.left -= 1
        return self._step
