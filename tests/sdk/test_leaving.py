"""How a producer ends: by a flush, an exception, a signal, the program's end, or in a fork."""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.broker import Cluster, records
from pipelines.contract.model import Contract, Event
from pipelines.sdk import Misfit, RawProducer, Report, UnacknowledgedError
from pipelines.sdk.report import INTERRUPTED
from tests.sdk.pings import SECRET, fields
from tests.support.processes import completed

MakeTopic = Callable[..., str]

# A program of a product's that never closes its producer.
PROGRAM = """
import sys
from pipelines.broker import Cluster
from pipelines.sdk import RawProducer
from tests.sdk.pings import contract_of, fields
bootstrap, event, close_s = sys.argv[1:]
producer = RawProducer(Cluster(bootstrap), contract_of(event), close_s=float(close_s))
for _ in range(5):
    producer.send(event, fields())
"""


def program_ends(cluster: Cluster, event: Event, close_s: str) -> tuple[int, str]:
    """Return the program's exit code and what it said on standard error."""
    ended = completed([sys.executable, "-c", PROGRAM, cluster.bootstrap, event.name, close_s])
    return ended.returncode, ended.stderr.decode()


def test_a_program_that_ends_without_closing_has_its_events_delivered(
    cluster: Cluster, event: Event, make_topic: MakeTopic
) -> None:
    make_topic(event.raw_topic)
    assert program_ends(cluster, event, "60") == (0, "")
    assert len(list(records(cluster, event.raw_topic))) == 5


def test_a_program_that_ends_without_a_broker_says_once_how_many_events_were_lost(
    nowhere: Cluster, event: Event
) -> None:
    exit_code, told = program_ends(nowhere, event, "0.5")
    said = [line for line in told.splitlines() if "RawProducer" in line]
    assert exit_code == 0
    assert said == [f"RawProducer was not closed: 5 events were not acknowledged by {nowhere.bootstrap} (_PURGE_QUEUE)"]
    assert "synthetic" not in told


def test_a_producer_that_nobody_holds_any_more_has_its_events_delivered(
    cluster: Cluster, contract: Contract, event: Event, make_topic: MakeTopic
) -> None:
    make_topic(event.raw_topic)
    producer = RawProducer(cluster, contract, overrides={"linger.ms": 5_000})
    producer.send(event.name, fields())
    del producer
    gc.collect()
    assert len(list(records(cluster, event.raw_topic))) == 1


def test_leaving_tells_which_events_were_lost(nowhere: Cluster, contract: Contract, event: Event) -> None:
    producer = RawProducer(nowhere, contract, close_s=0.1)
    for _ in range(3):
        producer.send(event.name, fields())
    with pytest.raises(UnacknowledgedError) as lost, producer:
        pass
    assert [each.number for each in lost.value.unacknowledged] == [1, 2, 3]


def test_an_exception_in_the_block_goes_on_and_says_how_many_events_were_lost(
    nowhere: Cluster, contract: Contract, event: Event
) -> None:
    producer = RawProducer(nowhere, contract, close_s=0.1)
    producer.send(event.name, fields())
    with pytest.raises(ZeroDivisionError) as error, producer:
        _ = 1 // 0
    assert error.value.__notes__ == [
        f"1 events were not acknowledged by {nowhere.bootstrap} (_PURGE_QUEUE)",
    ]


def test_a_misfit_in_the_middle_leaves_the_others_as_they_are_and_takes_no_number(
    cluster: Cluster, contract: Contract, event: Event, make_topic: MakeTopic
) -> None:
    make_topic(event.raw_topic)
    with RawProducer(cluster, contract) as producer:
        producer.send(event.name, fields())
        with pytest.raises(Misfit):
            producer.send(event.name, fields(level=SECRET))
        producer.send(event.name, fields())
        assert producer.flush(60) == Report(2, ())
    assert len(list(records(cluster, event.raw_topic))) == 2


def test_an_interruption_while_send_waits_for_room_is_told_and_nothing_is_uncounted(
    nowhere: Cluster, contract: Contract, event: Event
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    producer = RawProducer(nowhere, contract, room_s=60, overrides={"queue.buffering.max.messages": 2})
    try:
        producer.send(event.name, fields())
        producer.send(event.name, fields())
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt) as interruption:
            producer.send(event.name, fields(event_id=SECRET))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert SECRET not in "".join(traceback.format_exception(interruption.value))
    report = producer.close(0.1)
    told = [(lost.number, lost.error) for lost in report.unacknowledged]
    assert (report.acknowledged, told) == (0, [(1, "_PURGE_QUEUE"), (2, "_PURGE_QUEUE"), (3, INTERRUPTED)])


def test_a_closed_producer_takes_no_more_events_and_may_be_closed_again(
    nowhere: Cluster, contract: Contract, event: Event
) -> None:
    producer = RawProducer(nowhere, contract)
    assert producer.close(0) == producer.close(0) == Report(0, ())
    with pytest.raises(RuntimeError, match="is closed"):
        producer.send(event.name, fields())


def test_a_forked_child_is_refused_and_its_parent_goes_on(
    cluster: Cluster, contract: Contract, event: Event, make_topic: MakeTopic
) -> None:
    make_topic(event.raw_topic)
    with RawProducer(cluster, contract) as producer:
        producer.send(event.name, fields())
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # a call that hangs instead of being refused
            os._exit(_refusals(producer, event))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
        producer.send(event.name, fields())
        assert producer.flush(60) == Report(2, ())
    assert len(list(records(cluster, event.raw_topic))) == 2


def _refusals(producer: RawProducer, event: Event) -> int:
    """How many calls on an inherited producer are refused; the finalizer is to do nothing."""
    count = 0
    calls: list[Callable[[], Any]] = [
        lambda: producer.send(event.name, fields()),
        lambda: producer.flush(1),
        lambda: producer.close(1),
    ]
    for call in calls:
        try:
            call()
        except RuntimeError:
            count += 1
    producer._unclosed()
    return count + 1
