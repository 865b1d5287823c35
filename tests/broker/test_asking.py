"""Which errors of a cluster are waited for, how long, and which are said at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.broker import (
    AdminClient,
    At,
    Cluster,
    KafkaError,
    KafkaException,
    NewTopic,
    Partition,
    SilentClusterError,
)
from pipelines.broker.admin import Admin
from pipelines.broker.asking import Asking
from pipelines.broker.committed import CommittedOffsets
from pipelines.broker.passing import PASSING
from pipelines.broker.survey import Survey
from pipelines.trouble import Trouble
from tests.support.calm import Calm
from tests.support.kafka import delete_topics

TOPIC = "synthetic"
PLACE = (TOPIC, 0)
HERE = "127.0.0.1:1"

Script = Iterable[int | None]
"""Error codes as they come; None is an answer. The last one comes again and again."""


class Client:
    """Stands in for librdkafka's admin client: each request takes the next step of the script.

    Args:
        script: what requests are answered.
        lists: gives the names that `list_topics` answers; None where it does not answer.
        delay_s: how long a request takes to be answered, if it may take so long.
    """

    def __init__(
        self, script: Script, lists: Callable[[], set[str] | None] = lambda: {TOPIC}, delay_s: float = 0.0
    ) -> None:
        self.script, self.lists, self.delay_s = list(script), lists, delay_s
        self.asked, self.listed = 0, 0

    def list_topics(self, **_: object) -> SimpleNamespace:
        self.listed += 1
        names = self.lists()
        if names is None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics=dict.fromkeys(names))

    def answer(self, request_timeout: float, told: object) -> Future[Any]:
        code = self.script[min(self.asked, len(self.script) - 1)]
        self.asked += 1
        time.sleep(min(self.delay_s, request_timeout))
        future: Future[Any] = Future()
        if code is None:
            future.set_result(told)
        else:
            future.set_exception(KafkaException(KafkaError(code)))
        return future

    def list_offsets(self, asked: Mapping[Any, Any], *, request_timeout: float, **_: object) -> dict[Any, Future[Any]]:
        told = SimpleNamespace(offset=7, timestamp=-1)
        return {partition: self.answer(request_timeout, told) for partition in asked}

    def describe_configs(self, asked: list[Any], *, request_timeout: float) -> dict[Any, Future[Any]]:
        return {resource: self.answer(request_timeout, {}) for resource in asked}


def asking(client: Client, timeout_s: float = 1.0, rounds: int = 4) -> Asking:
    return Asking(client, HERE, timeout_s, rounds, pause_s=0.01)  # type: ignore[arg-type]


def offsets(client: Client, places: Iterable[Partition] = (PLACE,), at: At = "latest", **limits: Any) -> int:
    found = asking(client, **limits)
    return Admin(found, CommittedOffsets(found, Cluster(HERE).consumer)).offsets(places, at)[PLACE].offset


def test_every_local_code_that_means_no_leader_or_no_connection_at_this_moment_passes() -> None:
    local = {KafkaError(code).name() for code in PASSING if code < 0}
    assert local == {
        "_NOENT", "_UNKNOWN_PARTITION", "_WAIT_COORD", "_TRANSPORT", "_TIMED_OUT_QUEUE", "_DESTROY_BROKER", "_PARTIAL",
        "_RESOLVE",
    }  # fmt: skip


@pytest.mark.parametrize("code", PASSING, ids=lambda code: KafkaError(code).name())
def test_what_passes_is_waited_for_wherever_it_comes(code: int) -> None:
    client = Client([code, code, None])
    assert offsets(client) == 7
    assert (client.asked, client.listed) == (3, 2)  # the client learns of leaders anew before each repetition
    oldest = Survey(asking(Client([code, code, None]))).oldest([PLACE])[PLACE]
    assert oldest is not None
    assert oldest.offset == 7
    if code != KafkaError.UNKNOWN_TOPIC_OR_PART:  # which is an answer to this question
        assert Survey(asking(Client([code, code, None]))).exists(TOPIC)


@pytest.mark.parametrize(
    "code",
    [KafkaError._NOENT, KafkaError._RESOLVE, KafkaError.LEADER_NOT_AVAILABLE],
    ids=lambda code: KafkaError(code).name(),
)
def test_what_does_not_pass_in_time_is_said_as_silence(code: int, sampled: Calm) -> None:
    began = time.monotonic()
    with pytest.raises(SilentClusterError, match=rf"cannot list the offsets at .* \({KafkaError(code).name()}\)"):
        offsets(Client([code]), timeout_s=0.4)
    over = time.monotonic()
    assert over - began > 0.5
    assert sampled.seconds(began, over) < 2.0  # its time, and once more


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError._INVALID_ARG,
        KafkaError._DESTROY,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError.TOPIC_EXCEPTION,
    ],
    ids=lambda code: KafkaError(code).name(),
)
def test_a_refusal_is_said_at_once_and_is_no_silence(code: int, sampled: Calm) -> None:
    client, began = Client([code, None]), time.monotonic()
    with pytest.raises(Trouble) as caught:
        offsets(client)
    assert not isinstance(caught.value, SilentClusterError)
    assert sampled.seconds(began, time.monotonic()) < 0.5
    assert client.asked == 1


@pytest.mark.slow
def test_a_topic_that_does_not_exist_is_said_before_the_time_is_over(sampled: Calm) -> None:
    for code in (KafkaError._NOENT, KafkaError.UNKNOWN_TOPIC_OR_PART):
        client, began = Client([code], lists=lambda: {"another"}), time.monotonic()
        with pytest.raises(Trouble, match=f"there is no topic {TOPIC} at {HERE}") as caught:
            offsets(client, timeout_s=30)
        assert not isinstance(caught.value, SilentClusterError)
        over = time.monotonic()
        assert over - began > 2.0
        assert sampled.seconds(began, over) < 4.0


@pytest.mark.slow
def test_a_topic_that_appears_a_moment_later_is_found() -> None:
    client, appears_at = Client([KafkaError._NOENT]), time.monotonic() + 1.0

    def known() -> set[str]:
        if time.monotonic() > appears_at:
            client.script = [None]
            return {TOPIC}
        return set()

    client.lists = known
    assert offsets(client, timeout_s=30) == 7


@pytest.mark.slow
def test_a_topic_that_is_listed_may_be_without_a_leader_for_the_whole_time() -> None:
    found_at = time.monotonic() + 3.0
    client = Client([KafkaError._NOENT])

    def elected() -> set[str]:
        if time.monotonic() > found_at:
            client.script = [None]
        return {TOPIC}

    client.lists = elected
    assert offsets(client, timeout_s=5) == 7


@pytest.mark.slow
def test_a_slow_request_gets_its_time_again_while_the_cluster_answers_another() -> None:
    timed_out = KafkaError._TIMED_OUT
    slow = Client([timed_out, timed_out, timed_out, None], delay_s=1.0)
    assert offsets(slow) == 7
    assert slow.asked == 4
    stuck = Client([timed_out], delay_s=1.0)
    with pytest.raises(SilentClusterError, match="_TIMED_OUT"):
        offsets(stuck)
    assert stuck.asked == 4
    once = Client([timed_out], delay_s=1.0)
    with pytest.raises(SilentClusterError):
        offsets(once, rounds=1)
    assert (once.asked, once.listed) == (1, 0)


def test_a_request_that_times_out_early_with_another_ones_connection_is_made_again(sampled: Calm) -> None:
    client, began = Client([KafkaError._TIMED_OUT, None]), time.monotonic()
    assert offsets(client, rounds=1) == 7
    assert sampled.seconds(began, time.monotonic()) < 0.5


@pytest.mark.slow
def test_a_cluster_that_answers_nothing_is_given_up_after_one_request(sampled: Calm) -> None:
    client, began = Client([KafkaError._TIMED_OUT], lists=lambda: None, delay_s=1.0), time.monotonic()
    with pytest.raises(SilentClusterError):
        offsets(client)
    assert client.asked == 1
    assert sampled.seconds(began, time.monotonic()) < 2.5


@pytest.mark.slow
def test_an_answer_that_never_comes_is_not_waited_for_for_ever() -> None:
    class Mute(Client):
        def answer(self, *_: object) -> Future[Any]:
            self.asked += 1
            return Future()

    client = Mute([None])
    with pytest.raises(SilentClusterError, match="no answer in time"):
        offsets(client, rounds=2)
    assert client.asked == 2


def test_only_the_partition_that_nobody_answers_for_is_left_open() -> None:
    class Half(Client):
        def list_offsets(
            self, asked: Mapping[Any, Any], *, request_timeout: float, **_: object
        ) -> dict[Any, Future[Any]]:
            self.script = [None]
            found = super().list_offsets(asked, request_timeout=request_timeout)
            self.script = [KafkaError.LEADER_NOT_AVAILABLE]
            return {
                partition: future if partition.partition == 0 else self.answer(request_timeout, None)
                for partition, future in found.items()
            }

    found = Survey(asking(Half([None]))).oldest([PLACE, (TOPIC, 1)])
    assert found[PLACE] is not None
    assert found[TOPIC, 1] is None


def test_offsets_of_a_topic_that_is_made_meanwhile_are_found_on_a_real_broker(
    cluster: Cluster, request: pytest.FixtureRequest
) -> None:
    topic, admin = "made-while-it-is-asked-for", cluster.admin()
    request.addfinalizer(lambda: delete_topics(cluster, [topic]))
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})
    assert topic not in client.list_topics(timeout=10).topics
    # What a client answers that does not ask again.
    codes = {future.exception(30).args[0].code() for future in _offsets(client, topic).values()}
    assert codes <= {KafkaError._NOENT, KafkaError.UNKNOWN_TOPIC_OR_PART}
    maker = threading.Timer(0.5, lambda: cluster.admin().create([NewTopic(topic, 1, 1)]))
    maker.start()
    assert admin.offsets([(topic, 0)], "latest")[topic, 0].offset == 0
    maker.join()


def test_offsets_of_a_topic_that_does_not_exist_are_refused_by_name_on_a_real_broker(
    cluster: Cluster, sampled: Calm
) -> None:
    began = time.monotonic()
    with pytest.raises(Trouble, match="there is no topic never-made at"):
        cluster.admin(timeout_s=30).offsets([("never-made", 0)], "latest")
    assert sampled.seconds(began, time.monotonic()) < 20


def _offsets(client: AdminClient, topic: str) -> dict[Any, Any]:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import OffsetSpec

    found: dict[Any, Any] = client.list_offsets({TopicPartition(topic, 0): OffsetSpec.latest()}, request_timeout=10)
    return found
