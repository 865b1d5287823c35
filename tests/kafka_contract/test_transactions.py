import threading
import time
from typing import Any

from pipelines.broker import Cluster, KafkaException, TopicPartition
from tests.support.kafka_clients import flags, let_pass, raised, read, stays_silent, transactional, values, wait_until


def reading(cluster: Cluster, topic: str, **settings: Any) -> Any:
    """A consumer that reads the first partitions of a topic from the beginning."""
    consumer = cluster.consumer(**settings)
    consumer.assign([TopicPartition(topic, 0, 0)])
    return consumer


def test_a_commit_makes_the_records_of_all_partitions_visible_together(any_cluster: Cluster, new_topic: Any) -> None:
    topic = new_topic(partitions=2)
    producer = transactional(any_cluster, topic)
    producer.begin_transaction()
    producer.produce(topic, b"a", partition=0)
    producer.produce(topic, b"b", partition=1)
    assert producer.flush(30) == 0
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(topic, 0, 0), TopicPartition(topic, 1, 0)])
        assert stays_silent(consumer)
        producer.commit_transaction(30)
        assert sorted(values(consumer, 2)) == [b"a", b"b"]


def test_records_of_an_open_transaction_are_visible_to_read_uncommitted(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic)
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(30)
    with reading(any_cluster, topic, **{"isolation.level": "read_uncommitted"}) as consumer:
        assert values(consumer, 1) == [b"open"]
    producer.abort_transaction(30)


def test_an_abort_hides_the_records_from_read_committed_only(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic)
    producer.begin_transaction()
    producer.produce(topic, b"aborted")
    producer.flush(30)
    producer.abort_transaction(30)
    producer.begin_transaction()
    producer.produce(topic, b"committed")
    producer.commit_transaction(30)
    with reading(any_cluster, topic) as consumer:
        assert values(consumer, 1) == [b"committed"]
        assert stays_silent(consumer)
    with reading(any_cluster, topic, **{"isolation.level": "read_uncommitted"}) as consumer:
        assert values(consumer, 2) == [b"aborted", b"committed"]


def test_read_committed_stops_at_the_last_stable_offset(any_cluster: Cluster, topic: str) -> None:
    first, second, plain = (
        transactional(any_cluster, topic),
        transactional(any_cluster, f"{topic}.2"),
        any_cluster.producer(),
    )
    first.begin_transaction()
    first.produce(topic, b"first")
    first.flush(30)
    plain.produce(topic, b"plain")
    plain.flush(30)
    second.begin_transaction()
    second.produce(topic, b"second")
    second.commit_transaction(30)
    assert any_cluster.admin().offsets([(topic, 0)], "latest")[topic, 0].offset == 4
    assert any_cluster.admin().offsets([(topic, 0)], "latest", read_committed=True)[topic, 0].offset == 0
    with reading(any_cluster, topic) as consumer:
        assert stays_silent(consumer)
        first.abort_transaction(30)
        assert values(consumer, 2) == [b"plain", b"second"]
    assert any_cluster.admin().offsets([(topic, 0)], "latest", read_committed=True)[topic, 0].offset == 5


def test_the_end_of_a_transaction_takes_an_offset_in_each_of_its_partitions(
    any_cluster: Cluster, new_topic: Any
) -> None:
    topic = new_topic(partitions=3)
    producer = transactional(any_cluster, topic)
    for commit in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.produce(topic, b"0", partition=0)
        producer.produce(topic, b"1", partition=1)
        producer.flush(30)
        commit(30)
    ends = any_cluster.admin().offsets([(topic, number) for number in range(3)], "latest")
    assert [ends[topic, number].offset for number in range(3)] == [4, 4, 0]
    with reading(any_cluster, topic, **{"isolation.level": "read_uncommitted"}) as consumer:
        assert [message.offset() for message in read(consumer, 2)] == [0, 2]


def test_a_transaction_without_records_writes_nothing(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic)
    producer.begin_transaction()
    producer.commit_transaction(30)
    producer.begin_transaction()
    producer.abort_transaction(30)
    assert any_cluster.admin().offsets([(topic, 0)], "latest")[topic, 0].offset == 0


def test_a_commit_sends_what_was_not_flushed(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic, **{"linger.ms": 5_000})
    producer.begin_transaction()
    producer.produce(topic, b"late")
    producer.commit_transaction(30)
    with reading(any_cluster, topic) as consumer:
        assert values(consumer, 1) == [b"late"]


def test_a_newer_producer_of_the_same_id_aborts_what_the_older_left_open(any_cluster: Cluster, topic: str) -> None:
    older = transactional(any_cluster, topic)
    older.begin_transaction()
    older.produce(topic, b"left open")
    older.flush(30)
    newer = transactional(any_cluster, topic)
    with reading(any_cluster, topic) as consumer:
        newer.begin_transaction()
        newer.produce(topic, b"new")
        newer.commit_transaction(30)
        assert values(consumer, 1) == [b"new"]


def fenced(any_cluster: Cluster, topic: str) -> Any:
    """A producer with a record in its transaction, that a newer one has fenced."""
    older = transactional(any_cluster, topic)
    older.begin_transaction()
    older.produce(topic, b"old")
    assert older.flush(30) == 0
    transactional(any_cluster, topic)
    return older


def test_a_fenced_producer_cannot_commit(any_cluster: Cluster, topic: str) -> None:
    older = fenced(any_cluster, topic)
    assert flags(raised(lambda: older.commit_transaction(30))) == ("_FENCED", {"fatal"})
    assert flags(raised(lambda: older.abort_transaction(30))) == ("_FENCED", {"fatal"})
    assert flags(raised(older.begin_transaction)) == ("_FENCED", {"fatal"})
    assert raised(lambda: older.produce(topic, b"more")).name() == "_FATAL"
    with reading(any_cluster, topic) as consumer:
        assert stays_silent(consumer)


def test_a_fenced_producer_cannot_send_offsets(any_cluster: Cluster, topic: str) -> None:
    older = fenced(any_cluster, topic)
    with any_cluster.consumer(**{"group.id": topic}) as nobody:
        metadata = nobody.consumer_group_metadata()
    offsets = [TopicPartition(topic, 0, 1)]
    assert flags(raised(lambda: older.send_offsets_to_transaction(offsets, metadata, 30))) == ("_FENCED", {"fatal"})


def test_a_fenced_producers_records_are_refused_and_poll_or_flush_raises_the_reason_once(
    any_cluster: Cluster, topic: str
) -> None:
    older = fenced(any_cluster, topic)
    older.produce(topic, b"more")
    errors = []

    def is_told() -> bool:
        try:
            older.flush(1)
        except KafkaException as failure:
            errors.append(flags(failure.args[0]))
        return bool(errors)

    wait_until(is_told, "the fatal error")
    assert errors == [("_FENCED", {"fatal"})]
    assert older.flush(30) == 0
    assert older.poll(0) == 0
    with reading(any_cluster, topic) as consumer:
        assert stays_silent(consumer)


def test_a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic, **{"transaction.timeout.ms": 1_000, "socket.timeout.ms": 1_000})
    producer.begin_transaction()
    producer.produce(topic, b"slow")
    assert producer.flush(30) == 0
    let_pass(any_cluster, 3)
    admin = any_cluster.admin()

    def is_stable() -> bool:
        time.sleep(0.01)
        return admin.offsets([(topic, 0)], "latest", read_committed=True)[topic, 0].offset == 2

    wait_until(is_stable, "the abort by the coordinator")
    assert flags(raised(lambda: producer.commit_transaction(30))) == ("_FENCED", {"fatal"})


def test_calls_in_the_wrong_state_are_refused(any_cluster: Cluster, topic: str) -> None:
    producer = any_cluster.producer(**{"transactional.id": topic})
    assert raised(lambda: producer.produce(topic, b"v")).name() == "_STATE"
    assert raised(producer.begin_transaction).name() == "_STATE"
    producer.init_transactions(30)
    assert raised(lambda: producer.produce(topic, b"v")).name() == "_STATE"
    assert raised(lambda: producer.commit_transaction(30)).name() == "_STATE"
    assert raised(lambda: producer.abort_transaction(30)).name() == "_STATE"
    producer.begin_transaction()
    assert raised(producer.begin_transaction).name() == "_STATE"
    assert raised(any_cluster.producer().begin_transaction).name() == "_NOT_CONFIGURED"


def test_an_abort_drops_what_was_not_sent(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic, **{"linger.ms": 5_000})
    reports: list[str] = []
    producer.begin_transaction()
    producer.produce(topic, b"unsent", on_delivery=lambda error, _: reports.append(error.name()))
    producer.abort_transaction(30)
    producer.poll(0)
    assert reports == ["_PURGE_QUEUE"]
    assert any_cluster.admin().offsets([(topic, 0)], "latest")[topic, 0].offset == 0


def test_a_record_that_is_refused_costs_the_transaction(any_cluster: Cluster, topic: str) -> None:
    producer, reports = transactional(any_cluster, topic), list[str]()
    producer.begin_transaction()
    producer.produce(topic, b"good")
    producer.produce(
        topic,
        b"from the far future",
        timestamp=int(time.time() * 1000) + 30 * 86_400_000,
        on_delivery=lambda error, _: reports.append(error.name()),
    )
    producer.flush(30)
    assert reports == ["INVALID_TIMESTAMP"]
    assert flags(raised(lambda: producer.commit_transaction(30))) == ("INVALID_TIMESTAMP", {"abort"})
    producer.abort_transaction(30)
    # Another producer: librdkafka 2.16 goes on with this one at a sequence number that the broker does not expect.
    successor = transactional(any_cluster, topic)
    successor.begin_transaction()
    successor.produce(topic, b"next")
    successor.commit_transaction(30)
    with reading(any_cluster, topic) as consumer:
        assert values(consumer, 1) == [b"next"]


def test_transactions_of_two_producers_end_on_their_own(any_cluster: Cluster, topic: str) -> None:
    producers = [transactional(any_cluster, f"{topic}.{number}") for number in range(2)]
    barrier = threading.Barrier(2)

    def write(number: int) -> None:
        producer = producers[number]
        for _ in range(10):
            barrier.wait(30)
            producer.begin_transaction()
            producer.produce(topic, str(number).encode())
            producer.flush(30)
            producer.commit_transaction(30) if number else producer.abort_transaction(30)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with reading(any_cluster, topic) as consumer:
        assert values(consumer, 10) == [b"1"] * 10
        assert stays_silent(consumer)
    assert any_cluster.admin().offsets([(topic, 0)], "latest")[topic, 0].offset == 40
