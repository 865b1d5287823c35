"""Brokers that never outlive the tests, with short timings; changes of topics behind the product's back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import ConsumerGroupState

from pipelines.broker import AdminClient, Cluster, Door, EmbeddedKafka, Producer
from tests.support.waiting import CALL_S, LOOK_S, until

MakeTopic = Callable[..., str]

# Long enough for a busy machine, short enough that a test can wait for a session or a transaction to time out.
SHORT_TIMINGS = {
    "broker.session.timeout.ms": "3000",  # a killed broker may register again only when this has passed
    "broker.heartbeat.interval.ms": "500",
    "group.min.session.timeout.ms": "500",
    "group.consumer.min.session.timeout.ms": "3000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}
# Waits for the end of its input, which comes when the tests' process is gone however it went.
_GUARD = """
import sys
from pathlib import Path
from pipelines.broker import EmbeddedKafka
sys.stdin.read()
EmbeddedKafka(Path(sys.argv[1])).stop()
"""


def running_kafka(folder: Path, *, brokers: int, doors: dict[int, Door] | None = None) -> Iterator[EmbeddedKafka]:
    kafka = EmbeddedKafka(folder, brokers, SHORT_TIMINGS, doors=doors)
    with guarded(kafka):
        kafka.start()
        yield kafka


@contextmanager
def guarded(kafka: EmbeddedKafka) -> Iterator[None]:
    """Stop the brokers in the end, also when this process is killed: they run in sessions of their own."""
    guarding = [sys.executable, "-c", _GUARD, str(kafka.folder)]
    with subprocess.Popen(guarding, stdin=subprocess.PIPE, start_new_session=True):
        try:
            yield
        finally:
            kafka.stop()


def delete_topics(cluster: Cluster, names: list[str]) -> None:
    """What no room of the project can do. Waits until a broker says that they are gone: it hears later of it."""
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})  # must outlive its futures
    for future in client.delete_topics(names).values() if names else ():
        future.result(CALL_S)
    until(lambda: not client.list_topics(timeout=CALL_S).topics.keys() & set(names), "a broker without these topics")


def alter(cluster: Cluster, topic: str, name: str, value: str) -> None:
    """Change a topic's setting behind the project's back."""
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    client = AdminClient({"bootstrap.servers": cluster.bootstrap})
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in client.incremental_alter_configs([resource]).values():
        future.result(CALL_S)


def flushed(producer: Producer) -> None:
    """Wait until a producer has delivered, or given up, all that it was handed; blocks while its queue gets shorter."""
    until(lambda: producer.flush(LOOK_S) == 0, "the delivery of every record", progress=lambda: len(producer))


def has_no_members(cluster: Cluster, group: str) -> bool:
    """Return whether a consumer group is there and empty. Asks all brokers: what asks a coordinator may crash."""
    client = AdminClient({"bootstrap.servers": cluster.bootstrap, **cluster.properties})  # must outlive its futures
    found = client.list_consumer_groups(states={ConsumerGroupState.EMPTY}, request_timeout=CALL_S).result(CALL_S + 1)
    return group in {listing.group_id for listing in found.valid}
