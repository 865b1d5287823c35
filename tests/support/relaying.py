"""Run a worker of a `RelayFixture` until it has relayed everything, or until it crashes at a step."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pipelines.broker import Partition
from pipelines.relay.audit import behind, read_books
from pipelines.relay.steps import Step, Watch
from pipelines.trouble import Trouble
from tests.support.relay_fixture import RelayFixture, running
from tests.support.waiting import until


class CrashError(Exception):
    """Stands for SIGKILL: nothing after it runs."""


def crash_at(step: Step, occurrence: int) -> Watch:
    seen = 0

    def watch(now: Step) -> None:
        nonlocal seen
        seen += now is step
        if now is step and seen == occurrence:
            raise CrashError

    return watch


def relay(house: RelayFixture) -> None:
    with running(house.worker()) as raised:
        house.wait_until_through()
    assert raised == []


def breaks_off_and_is_followed(house: RelayFixture, step: Step, cluster: Any = None) -> None:
    house.publish([house.ping(n) for n in range(600)])
    watch = crash_at(step, 2 if step is Step.POLLED else 1)
    with running(house.worker(watch=watch, cluster=cluster, batch_events=200)) as raised:
        until(lambda: raised, f"the crash at {step}")
    assert [type(error) for error in raised] == [CrashError]
    relay(house)


def get_through(house: RelayFixture, raised: list[BaseException]) -> None:
    """Wait until a commit covers every raw record, or the worker has raised something.

    Offsets that an open transaction holds are no failure: the wait goes on, for as long as anything moves.
    """
    admin, offsets = house.cluster.admin(timeout_s=2, open_s=0), dict[Partition, int]()

    def over() -> bool:
        with suppress(Trouble):  # offsets whose marker is missing are not told
            books = read_books(house.contract, admin)
            offsets.update({place: book.next_offset for place, book in books.items()})
            return bool(raised) or behind(house.contract, admin, books) == 0
        return bool(raised)

    until(over, "the worker gets through, or refuses", progress=offsets.copy)
