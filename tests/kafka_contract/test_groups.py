"""Groups of the classic protocol: who gets which partitions, and which callbacks say so in which order."""

import gc
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipelines.broker import Cluster, TopicPartition
from tests.support.kafka_clients import let_pass, moment_s, next_error, stays_silent, values, wait_until

SETTINGS = {
    "partition.assignment.strategy": "roundrobin",
    "auto.offset.reset": "earliest",
    "heartbeat.interval.ms": 200,  # so that a member hears soon of a rebalance
}


class Participant:
    """A member that notes what its callbacks are called with. `held` are the partitions that it may read."""

    def __init__(self, cluster: Cluster, topic: str, **settings: Any) -> None:
        self.calls: list[tuple[str, tuple[int, ...]]] = []
        self.consumer = cluster.consumer(**{"group.id": topic, **SETTINGS, **settings})
        self.consumer.subscribe(
            [topic],
            on_assign=lambda _, partitions: self._note("assign", partitions),
            on_revoke=lambda _, partitions: self._note("revoke", partitions),
            on_lost=lambda _, partitions: self._note("lost", partitions),
        )

    @property
    def held(self) -> set[int]:
        return {each.partition for each in self.consumer.assignment()}

    def poll(self) -> None:
        assert self.consumer.poll(0.02) is None

    def _note(self, call: str, partitions: list[TopicPartition]) -> None:
        self.calls.append((call, tuple(sorted(each.partition for each in partitions))))


def settle(*participants: Participant, are: Callable[[], bool]) -> None:
    """Poll everybody until what is wanted is so."""

    def is_so() -> bool:
        for each in participants:
            each.poll()
        return are()

    wait_until(is_so, "the assignment")


@pytest.fixture
def wide(new_topic: Callable[..., str]) -> str:
    """A topic of four partitions."""
    return new_topic(partitions=4)


def pair(any_cluster: Cluster, wide: str, **settings: Any) -> tuple[Participant, Participant]:
    """Two members, each with two partitions."""
    first = Participant(any_cluster, wide, **{**settings, **named(settings, "a")})
    settle(first, are=lambda: len(first.held) == 4)
    second = Participant(any_cluster, wide, **{**settings, **named(settings, "b")})
    settle(first, second, are=lambda: len(first.held) == len(second.held) == 2)
    return first, second


def named(settings: dict[str, Any], name: str) -> dict[str, Any]:
    return {"group.instance.id": name} if "session.timeout.ms" in settings else {}


def test_the_only_member_gets_all_partitions(any_cluster: Cluster, wide: str) -> None:
    only = Participant(any_cluster, wide)
    settle(only, are=lambda: only.held == {0, 1, 2, 3})
    assert only.calls == [("assign", (0, 1, 2, 3))]
    assert only.consumer.memberid()
    only.consumer.close()
    assert only.calls == [("assign", (0, 1, 2, 3)), ("revoke", (0, 1, 2, 3))]


def test_when_a_second_member_joins_all_is_revoked_and_dealt_anew(any_cluster: Cluster, wide: str) -> None:
    first, second = pair(any_cluster, wide)
    assert first.held | second.held == {0, 1, 2, 3}
    assert first.calls == [
        ("assign", (0, 1, 2, 3)),
        ("revoke", (0, 1, 2, 3)),
        ("assign", tuple(sorted(first.held))),
    ]
    assert second.calls == [("assign", tuple(sorted(second.held)))]
    second.consumer.close()
    first.consumer.close()


def test_when_a_member_leaves_the_other_gets_its_partitions(any_cluster: Cluster, wide: str) -> None:
    first, second = pair(any_cluster, wide)
    kept = tuple(sorted(first.held))
    second.consumer.close()
    settle(first, are=lambda: len(first.held) == 4)
    assert first.calls[3:] == [("revoke", kept), ("assign", (0, 1, 2, 3))]
    first.consumer.close()


def test_a_member_without_a_partition_is_told_so(any_cluster: Cluster, topic: str) -> None:
    first = Participant(any_cluster, topic, **{"group.instance.id": "a"})
    settle(first, are=lambda: first.held == {0})
    second = Participant(any_cluster, topic, **{"group.instance.id": "b"})
    settle(first, second, are=lambda: len(first.calls) == 3 and len(second.calls) == 1)
    assert first.calls == [("assign", (0,)), ("revoke", (0,)), ("assign", (0,))]
    assert second.calls == [("assign", ())]
    second.consumer.close()
    first.consumer.close()


def test_partitions_are_dealt_in_the_order_of_the_static_members_names(any_cluster: Cluster, wide: str) -> None:
    first, second = pair(any_cluster, wide, **{"session.timeout.ms": 10_000})
    assert (first.held, second.held) == ({0, 2}, {1, 3})
    second.consumer.close()
    first.consumer.close()


def test_a_static_member_comes_back_to_its_partitions_and_nobody_else_hears_of_it(
    any_cluster: Cluster, wide: str
) -> None:
    first, second = pair(any_cluster, wide, **{"session.timeout.ms": 20_000})
    before, generation = second.held, len(first.calls)
    second.consumer.close()
    again = Participant(any_cluster, wide, **{"session.timeout.ms": 20_000, "group.instance.id": "b"})
    settle(first, again, are=lambda: again.held == before)
    assert len(first.calls) == generation
    assert again.calls == [("assign", tuple(sorted(before)))]
    again.consumer.close()
    first.consumer.close()


def test_a_static_member_that_stays_away_loses_its_partitions_with_its_session(any_cluster: Cluster, wide: str) -> None:
    first, second = pair(any_cluster, wide, **{"session.timeout.ms": 2_000})
    second.consumer.close()
    first.poll()
    assert len(first.held) == 2
    let_pass(any_cluster, 3)
    settle(first, are=lambda: len(first.held) == 4)
    first.consumer.close()


def test_a_member_that_is_gone_without_leaving_loses_its_partitions_with_its_session(
    any_cluster: Cluster, wide: str
) -> None:
    limits = {"session.timeout.ms": 2_000}
    members = [Participant(any_cluster, wide, **limits) for _ in range(2)]
    settle(*members, are=lambda: all(len(member.held) == 2 for member in members))
    members.pop()
    gc.collect()  # no heartbeats any more
    members[0].poll()
    assert len(members[0].held) == 2
    let_pass(any_cluster, 3)
    settle(*members, are=lambda: len(members[0].held) == 4)
    members[0].consumer.close()


def test_a_second_process_with_a_static_members_name_puts_the_first_one_out(any_cluster: Cluster, wide: str) -> None:
    static = {"group.instance.id": "a", "session.timeout.ms": 2_000}
    first = Participant(any_cluster, wide, **static)
    settle(first, are=lambda: len(first.held) == 4)
    second = Participant(any_cluster, wide, **static)
    settle(second, are=lambda: len(second.held) == 4)
    error = next_error(first.consumer).error()
    assert error.name() == "_FATAL"
    assert not error.fatal()
    first.consumer.close()
    second.consumer.close()


def test_a_member_that_does_not_poll_is_put_out_and_told(any_cluster: Cluster, wide: str) -> None:
    limits = {"session.timeout.ms": 2_000, "max.poll.interval.ms": 2_000}
    slow = Participant(any_cluster, wide, **limits)
    settle(slow, are=lambda: len(slow.held) == 4)
    let_pass(any_cluster, 4)
    assert next_error(slow.consumer).error().name() == "_MAX_POLL_EXCEEDED"
    settle(slow, are=lambda: len(slow.calls) == 3)
    assert slow.calls == [("assign", (0, 1, 2, 3)), ("lost", (0, 1, 2, 3)), ("assign", (0, 1, 2, 3))]
    slow.consumer.close()


def test_the_generation_is_in_the_metadata(any_cluster: Cluster, wide: str) -> None:
    first = Participant(any_cluster, wide)
    settle(first, are=lambda: len(first.held) == 4)
    before = first.consumer.consumer_group_metadata()
    assert before == first.consumer.consumer_group_metadata()
    second = Participant(any_cluster, wide)
    settle(first, second, are=lambda: len(first.held) == len(second.held) == 2)
    assert first.consumer.consumer_group_metadata() != before
    second.consumer.close()
    first.consumer.close()


def test_a_callback_may_say_where_to_read_from(any_cluster: Cluster, topic: str) -> None:
    producer = any_cluster.producer()
    for number in range(5):
        producer.produce(topic, str(number).encode())
    producer.flush(30)
    with any_cluster.consumer(**{"group.id": topic, **SETTINGS}) as consumer:
        consumer.subscribe([topic], on_assign=lambda who, _: who.assign([TopicPartition(topic, 0, 3)]))
        assert values(consumer, 2) == [b"3", b"4"]


def test_an_exception_of_a_callback_comes_out_of_the_poll(any_cluster: Cluster, topic: str) -> None:
    def complain(_consumer: object, _partitions: object) -> None:
        raise LookupError("complaint")

    with any_cluster.consumer(**{"group.id": topic, **SETTINGS}) as consumer:
        consumer.subscribe([topic], on_assign=complain)
        with pytest.raises(LookupError, match="complaint"):
            wait_until(lambda: consumer.consume(1, 0.1), "the complaint")


def test_records_fetched_before_a_rebalance_do_not_come_after_it(any_cluster: Cluster, wide: str) -> None:
    producer = any_cluster.producer()
    for number in range(40):
        producer.produce(wide, str(number).encode(), partition=number % 4)
    producer.flush(30)
    first = Participant(any_cluster, wide)
    seen = set()

    def take(who: Participant) -> None:
        message = who.consumer.poll(0.02)
        if message is not None:
            assert message.partition() in who.held
            seen.add((who is first, message.partition(), message.offset()))

    wait_until(lambda: take(first) or len(seen) >= 5, "the first records")
    second = Participant(any_cluster, wide)
    wait_until(lambda: take(first) or take(second) or (len(second.held) == 2 and len(first.held) == 2), "the rebalance")
    rest = {(number % 4, number // 4) for number in range(40)}
    wait_until(
        lambda: take(first) or take(second) or rest <= {(partition, offset) for _, partition, offset in seen},
        "all records",
    )
    second.consumer.close()
    first.consumer.close()


def test_records_gathered_before_a_rebalance_in_the_same_call_are_thrown_away(any_cluster: Cluster, wide: str) -> None:
    producer = any_cluster.producer()

    def fill(count: int) -> None:
        for number in range(4 * count):
            producer.produce(wide, b"v", partition=number % 4)
        producer.flush(30)

    first = Participant(any_cluster, wide)
    settle(first, are=lambda: len(first.held) == 4)
    fill(10)
    with ThreadPoolExecutor() as pool:
        gathered = pool.submit(first.consumer.consume, 41, 60)
        time.sleep(moment_s(first.consumer))
        second = Participant(any_cluster, wide)
        wait_until(lambda: second.consumer.consume(1, 0.02) and second.held, "the second member's partitions")
        fill(11)
        messages = gathered.result(60)
    places = [(message.partition(), message.offset()) for message in messages]
    assert {partition for partition, _ in places} == first.held
    assert len(set(places)) == len(places) == 41
    second.consumer.close()
    first.consumer.close()


def test_a_subscribed_topic_that_is_not_there_is_an_error(any_cluster: Cluster, topic: str) -> None:
    with any_cluster.consumer(**{"group.id": topic, **SETTINGS}) as consumer:
        consumer.subscribe([f"{topic}.missing"])
        message = next_error(consumer)
        assert message.error().name() == "UNKNOWN_TOPIC_OR_PART"
        assert message.topic() == f"{topic}.missing"
        assert stays_silent(consumer)
