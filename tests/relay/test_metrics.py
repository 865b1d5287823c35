from pathlib import Path

from pipelines.broker import AdminClient, Cluster, TopicPartition
from pipelines.relay import metrics
from pipelines.relay.audit import read_books
from pipelines.relay.steps import Step
from tests.support.relay_fixture import build, running
from tests.support.waiting import CALL_S


def test_a_gap_is_counted_once_however_often_its_batch_is_read_again(tmp_path: Path, cluster: Cluster) -> None:
    house = build(tmp_path, cluster)
    house.publish([house.ping(number) for number in range(30)], partition=0)
    with running(house.worker()):
        house.wait_until_through()
    house.publish([house.ping(number) for number in range(20)], partition=0)
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    for future in admin.delete_records([TopicPartition(house.raw_topic, 0, 45)]).values():
        future.result(CALL_S)
    broken_off = 0

    def fence_twice(step: Step) -> None:
        nonlocal broken_off
        if step is Step.BEGUN and broken_off < 2:
            broken_off += 1
            cluster.producer(**{"transactional.id": f"minimizer.{house.source}.test.0"}).init_transactions(CALL_S)

    with running(house.worker(watch=fence_twice)) as raised:
        house.wait_until_through()
    assert raised == []
    assert broken_off == 2
    assert read_books(house.contract, cluster.admin(timeout_s=CALL_S))[house.raw_topic, 0].gap == 15
    assert metrics.GAP.labels(house.raw_topic)._value.get() == 15
