from pathlib import Path

from pipelines.broker import AdminClient, Cluster, TopicPartition
from pipelines.relay import metrics
from pipelines.relay.audit import read_books
from pipelines.relay.steps import Step
from tests.support.relay_fixture import build, running
from tests.support.waiting import CALL_S, until


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


def test_markers_and_aborted_records_are_no_gap_and_events_deleted_unread_are(tmp_path: Path, cluster: Cluster) -> None:
    house, admin = build(tmp_path, cluster), cluster.admin(timeout_s=CALL_S)
    producer = cluster.producer(**{"transactional.id": f"raw-{house.source}"})
    producer.init_transactions(CALL_S)
    for commits in (True, False):
        producer.begin_transaction()
        for number in range(30):
            producer.produce(house.raw_topic, house.ping(number), partition=0)
        assert producer.flush(CALL_S) == 0
        end = producer.commit_transaction if commits else producer.abort_transaction
        end(CALL_S)

    def next_offset() -> int:
        book = read_books(house.contract, admin).get((house.raw_topic, 0))
        return 0 if book is None else book.next_offset

    with running(house.worker()) as raised:
        until(lambda: raised or next_offset() == 62, "a commit that covers the markers, too")
    assert raised == []
    house.publish([house.ping(number) for number in range(10)], partition=0)
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})
    for future in client.delete_records([TopicPartition(house.raw_topic, 0, 69)]).values():
        future.result(CALL_S)
    with running(house.worker()) as raised:
        house.wait_until_through()
    assert raised == []
    book = read_books(house.contract, admin)[house.raw_topic, 0]
    assert (book.events_in, book.gap, book.next_offset) == (33, 7, 72)
