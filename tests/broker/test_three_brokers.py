"""An embedded cluster of three nodes."""

from pipelines.broker import EmbeddedKafka, NewTopic
from tests.support.kafka import flushed


def test_three_brokers_lose_one_and_go_on(kafka3: EmbeddedKafka) -> None:
    admin = kafka3.cluster.admin(timeout_s=30)
    assert admin.broker_ids() == (1, 2, 3)
    name = "survives"
    admin.create([NewTopic(name, 3, 3)])
    assert admin.topics([name])[name].replication == 3
    assert admin.topic_configs([name])[name]["min.insync.replicas"] == "2"
    kafka3.kill(2)
    try:
        assert kafka3.pids()[2] is None
        producer = kafka3.cluster.producer()
        for partition in range(3):
            producer.produce(name, b"value", partition=partition)
        flushed(producer)
    finally:
        kafka3.restart(2)
    assert admin.broker_ids() == (1, 2, 3)
    ends = admin.offsets([(name, partition) for partition in range(3)], "latest")
    assert [end.offset for end in ends.values()] == [1, 1, 1]
