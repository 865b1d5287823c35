import logging
import os
import socket
import threading
from collections.abc import Callable
from uuid import uuid4

import pytest

from pipelines.broker import Cluster, KafkaException, NewTopic, TopicPartition
from pipelines.broker.log import QUIET_S, ClientLog
from pipelines.trouble import Exit, Trouble
from tests.support.kafka import delete_topics, flushed
from tests.support.waiting import CALL_S, joined, until

MakeTopic = Callable[..., str]
LOOKS = 300 if os.environ.get("PIPELINES_ALL_SEEDS") == "1" else 75


@pytest.fixture
def nowhere() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_cluster_that_answers_is_no_trouble(cluster: Cluster) -> None:
    cluster.require()


def test_a_group_is_told_from_others_while_it_has_members(cluster: Cluster) -> None:
    topic, group = f"grouped-{uuid4().hex}", f"minimizer.{uuid4().hex}"
    cluster.admin(timeout_s=CALL_S).create([NewTopic(topic, 1, 1)])
    consumer = cluster.consumer(**{"group.id": group})
    consumer.subscribe([topic])
    until(lambda: consumer.poll(0.1) is None and bool(consumer.assignment()), "the consumer's assignment")
    assert group in cluster.survey().groups_with_members()
    consumer.close()
    until(lambda: group not in cluster.survey().groups_with_members(), "the end of the group's last member")


@pytest.mark.slow
def test_a_cluster_that_cannot_be_had_is_named_with_the_way_out(nowhere: str) -> None:
    with pytest.raises(Trouble) as trouble:
        Cluster(nowhere).require(timeout_s=1)
    assert trouble.value.exit_code == Exit.UNAVAILABLE
    assert nowhere in str(trouble.value)
    assert "pipelines broker start" in trouble.value.hint
    assert "--bootstrap" in trouble.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("what", ["topics", "broker_ids", "broker_configs"])
def test_every_question_to_a_cluster_that_is_away_ends_in_trouble(nowhere: str, what: str) -> None:
    with pytest.raises(Trouble, match="cannot"):
        getattr(Cluster(nowhere).admin(timeout_s=1), what)()


@pytest.mark.scaled
def test_a_topic_that_goes_while_topics_are_described_is_no_trouble(cluster: Cluster) -> None:
    asking, over = cluster.admin(timeout_s=5), threading.Event()
    stays = NewTopic(f"stays-{uuid4().hex}", 1, 1)
    asking.create([stays])

    def come_and_go() -> None:
        while not over.is_set():
            delete_topics(
                cluster, list(cluster.admin(timeout_s=CALL_S).create([NewTopic(f"goes-{uuid4().hex}", 1, 1)]))
            )

    coming = threading.Thread(target=come_and_go)
    coming.start()
    try:
        for _ in range(LOOKS):
            assert stays.name in asking.topics()
    finally:
        over.set()
        joined(coming, "whoever makes and deletes topics")
        delete_topics(cluster, [stays.name])


def test_a_setting_that_librdkafka_does_not_know_is_trouble_and_its_value_is_not_said() -> None:
    with pytest.raises(Trouble) as trouble:
        Cluster("127.0.0.1:1", {"sasl.passwort": "hunter2"}).producer()
    assert "hunter2" not in f"{trouble.value}{trouble.value.hint}"


def test_properties_win_over_defaults_and_a_callers_overrides_win_over_both(
    cluster: Cluster, make_topic: MakeTopic
) -> None:
    topic = make_topic()
    loose = Cluster(cluster.bootstrap, {"isolation.level": "read_uncommitted", "auto.offset.reset": "earliest"})
    producer = cluster.producer(**{"transactional.id": topic})
    producer.init_transactions(CALL_S)
    producer.begin_transaction()
    producer.produce(topic, b"open")
    flushed(producer)
    with loose.consumer() as uncommitted, loose.consumer(**{"isolation.level": "read_committed"}) as committed:
        for consumer in (uncommitted, committed):
            consumer.assign([TopicPartition(topic, 0, 0)])
        assert uncommitted.poll(30) is not None
        assert committed.poll(1) is None
    producer.abort_transaction(CALL_S)


def test_a_password_in_the_properties_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(Cluster("127.0.0.1:1", {"sasl.password": "hunter2"}))


def test_the_debug_log_of_librdkafka_is_refused() -> None:
    with pytest.raises(Trouble) as refused:
        Cluster("127.0.0.1:1", {"debug": "all"})
    assert refused.value.exit_code == Exit.REFUSED


def test_a_gap_raises_instead_of_being_skipped(cluster: Cluster, make_topic: MakeTopic) -> None:
    topic = make_topic()
    with cluster.consumer() as consumer:
        consumer.assign([TopicPartition(topic, 0, 1000)])
        message = None
        while message is None:
            message = consumer.poll(30)
        error = message.error()
        assert error is not None
        assert error.name() == "_AUTO_OFFSET_RESET"


def test_a_topic_is_not_made_by_asking_for_it(cluster: Cluster) -> None:
    producer = cluster.producer(**{"message.timeout.ms": 3000, "topic.metadata.propagation.max.ms": 500})
    reports: list[str] = []
    try:
        producer.produce("nobody.made.this", b"v", on_delivery=lambda error, _: reports.append(error.name()))
        producer.flush(30)
    except KafkaException:
        reports.append("refused")
    assert len(reports) == 1
    assert "nobody.made.this" not in cluster.admin(timeout_s=CALL_S).topics()


def test_a_topic_whose_name_collides_with_one_that_is_there_is_refused_in_the_brokers_words(cluster: Cluster) -> None:
    admin = cluster.admin(timeout_s=CALL_S)
    name = f"collision-{uuid4().hex}"
    admin.create([NewTopic(f"{name}.x", 1, 1)])
    with pytest.raises(
        Trouble, match=rf"{name}_x.*TOPIC_EXCEPTION: .*collides with existing topic: {name}\.x"
    ) as refused:
        admin.create([NewTopic(f"{name}_x", 1, 1)])
    assert "Is a Kafka running" not in refused.value.hint


def test_an_unreachable_broker_says_nothing_on_stderr_and_is_logged_once(
    nowhere: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    producer = Cluster(nowhere).producer(**{"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 20})
    for _ in range(20):
        producer.poll(0.05)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""
    failures = [record for record in caplog.records if getattr(record, "facility", "") == "FAIL"]
    assert len(failures) == 1


def test_lines_of_one_kind_are_held_back_for_a_while_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    clock = [0.0]
    log = ClientLog("client", now=lambda: clock[0])
    for now in (0.0, 1.0, QUIET_S - 1, QUIET_S, QUIET_S + 1):
        clock[0] = now
        log.log(logging.WARNING, "%s [%s] %s", "FAIL", "rdkafka#1", "refused")
        log.log(logging.WARNING, "%s [%s] %s", "OTHER", "rdkafka#1", f"at {now}")
    held_back = [record.__dict__["held_back"] for record in caplog.records if record.__dict__["facility"] == "FAIL"]
    assert held_back == [0, 2]
