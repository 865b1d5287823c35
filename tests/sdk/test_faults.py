"""A producer whose broker or own process dies or sleeps: each event is accounted for, and none is there twice."""

import signal
import subprocess
import sys
import threading
from collections import defaultdict
from itertools import count
from pathlib import Path

import psutil
import pytest

from pipelines.broker import Cluster, EmbeddedKafka, NewTopic, records
from pipelines.contract.model import Contract, Event
from pipelines.sdk import RawProducer, Report
from pipelines.sdk.report import QUEUE_FULL
from tests.support.processes import ended
from tests.support.waiting import CALL_S, joined, until

_KEYS = 7


@pytest.fixture
def broker(private_kafka: EmbeddedKafka) -> psutil.Process:
    """Return the process of the broker, which runs again after the test whatever came."""
    return psutil.Process(private_kafka.pids()[1])


def made(kafka: EmbeddedKafka, event: Event) -> Cluster:
    kafka.cluster.admin(timeout_s=CALL_S).create([NewTopic(event.raw_topic, 3, 1, {})])
    return kafka.cluster


def send(producer: RawProducer, event: Event, number: int) -> None:
    """The value is the number that the producer's account gives the event."""
    producer.send_encoded(event.name, b"%d" % number, key=b"synthetic-device-%d" % (number % _KEYS))


def arrived(cluster: Cluster, event: Event) -> list[int]:
    """The numbers in the topic; no number may be there twice, and each key's must ascend."""
    by_key: dict[object, list[int]] = defaultdict(list)
    for message in records(cluster, event.raw_topic):
        by_key[message.key()].append(int(message.value() or b""))
    for numbers in by_key.values():
        assert numbers == sorted(set(numbers))
    return sorted(number for numbers in by_key.values() for number in numbers)


def every_event_is_accounted_for(reports: list[Report], sent: int, there: list[int]) -> None:
    lost = {each.number for report in reports for each in report.unacknowledged if each.error != "IN_FLIGHT"}
    acknowledged = sum(report.acknowledged for report in reports)
    assert acknowledged + len(lost) == sent
    assert set(range(1, sent + 1)) - lost <= set(there)  # what was acknowledged is there
    assert set(there) <= set(range(1, sent + 1))


def test_a_broker_that_is_killed_and_comes_back_costs_no_event(
    private_kafka: EmbeddedKafka, broker: psutil.Process, contract: Contract, event: Event
) -> None:
    assert broker.is_running()
    cluster, stopping, sent = made(private_kafka, event), threading.Event(), 0
    producer = RawProducer(cluster, contract)

    def publish() -> None:
        nonlocal sent
        for number in count(1):
            if stopping.wait(0.0005):
                return
            send(producer, event, number)
            sent = number

    publishing = threading.Thread(target=publish)
    publishing.start()
    reports = []
    try:
        for _ in range(3):
            before = sent
            until(lambda was=before: sent > was + 400, "events that are sent", progress=lambda: sent)
            private_kafka.kill(1)
            reports.append(producer.flush(0.5))
            private_kafka.restart(1)
    finally:
        stopping.set()
        joined(publishing, "the publisher", progress=lambda: sent)
    reports.append(producer.close(CALL_S))
    there = arrived(cluster, event)
    assert sent > 1_000
    assert there == list(range(1, sent + 1))
    every_event_is_accounted_for(reports, sent, there)
    assert reports[-1].unacknowledged == ()


def test_a_broker_that_does_not_answer_holds_nobody_and_its_losses_are_told(
    private_kafka: EmbeddedKafka, broker: psutil.Process, contract: Contract, event: Event
) -> None:
    cluster = made(private_kafka, event)
    settings = {"queue.buffering.max.messages": 50, "message.timeout.ms": 20_000, "linger.ms": 1}
    with RawProducer(cluster, contract, room_s=0.05, overrides=settings) as producer:
        for number in range(1, 31):
            send(producer, event, number)
        reports = [producer.flush(CALL_S)]
        assert reports == [Report(30, ())]
        broker.suspend()
        for number in range(31, 101):
            send(producer, event, number)
        reports.append(producer.flush(CALL_S))
        broker.resume()
        for number in range(101, 131):
            send(producer, event, number)
        reports.append(producer.flush(CALL_S))
    errors = {lost.error for lost in reports[1].unacknowledged}
    assert errors == {QUEUE_FULL, "_MSG_TIMED_OUT"}
    assert len(reports[1].unacknowledged) == 70
    every_event_is_accounted_for(reports, 130, arrived(cluster, event))
    assert reports[2] == Report(30, ())


PROGRAM = """
import sys
from itertools import count
from pipelines.broker import Cluster
from pipelines.sdk import RawProducer
from tests.sdk.pings import contract_of
bootstrap, event = sys.argv[1:]
producer, acknowledged = RawProducer(Cluster(bootstrap), contract_of(event), room_s=600), 0
for number in count(1):
    producer.send_encoded(event, b"%d" % number, key=b"synthetic-device-%d" % (number % 7))
    if number % 500 == 0:
        acknowledged += producer.flush(0).acknowledged
        print(acknowledged, flush=True)
"""


@pytest.mark.usefixtures("broker")
def test_of_a_producer_that_is_killed_there_is_a_beginning_of_each_key_in_order_and_once(
    private_kafka: EmbeddedKafka, event: Event
) -> None:
    cluster = made(private_kafka, event)
    command = [sys.executable, "-c", PROGRAM, cluster.bootstrap, event.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        acknowledged = 0
        while acknowledged < 2_000:  # however long the first answer takes
            acknowledged = int(process.stdout.readline())
        process.kill()
        assert ended(process, "the killed producer") == -signal.SIGKILL
    there = set(arrived(cluster, event))
    assert len(there) >= acknowledged
    for key in range(_KEYS):
        numbers = sorted(number for number in there if number % _KEYS == key)
        assert numbers == list(range(key or _KEYS, (key or _KEYS) + _KEYS * len(numbers), _KEYS))


def test_threads_may_share_a_producer(cluster: Cluster, contract: Contract, event: Event) -> None:
    cluster.admin(timeout_s=CALL_S).create([NewTopic(event.raw_topic, 3, 1, {})])
    producer, reports = RawProducer(cluster, contract, overrides={"queue.buffering.max.messages": 100}), []

    def publish(thread: int) -> None:
        for number in range(1_000):
            producer.send_encoded(event.name, b"%d" % number, key=b"synthetic-thread-%d" % thread)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        reports.append(producer.flush(0.01))
    reports.append(producer.close(CALL_S))
    assert sum(report.acknowledged for report in reports) == 4_000
    assert reports[-1].unacknowledged == ()
    assert len(arrived(cluster, event)) == 4_000
