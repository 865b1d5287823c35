import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.broker import Cluster, KafkaException, TopicPartition
from pipelines.relay.accounting import METADATA_LIMIT_BYTES, committer, flows, from_metadata, to_metadata
from pipelines.relay.books import PartitionBook, ViewBook
from tests.support.kafka import MakeTopic
from tests.support.waiting import CALL_S

counts = st.integers(min_value=0, max_value=2**53 - 1)
topics = st.text("abcdefghijklmnopqrstuvwxyz-.", min_size=1, max_size=40)
views = st.builds(ViewBook, counts, counts, counts, counts, counts)
books = st.builds(PartitionBook, counts, counts, counts, st.dictionaries(topics, views, max_size=8))


@given(books)
def test_books_survive_the_way_through_offset_metadata(book: PartitionBook) -> None:
    assert from_metadata(book.next_offset, to_metadata(book)) == book


@given(books)
def test_books_say_by_whom_they_were_committed_where_there_is_room(book: PartitionBook) -> None:
    signed = to_metadata(book, "synthetic-host.7")
    assert from_metadata(book.next_offset, signed) == book
    assert committer(signed) == "synthetic-host.7"
    assert committer(to_metadata(book)) is None
    assert to_metadata(book, "x" * METADATA_LIMIT_BYTES + ".0") == to_metadata(book) == to_metadata(book, "höst.0")


@pytest.mark.parametrize(
    "by", ["7", "[]", '"synthetic-host"', '".0"', '"a b.0"', '"a.0\\n"', '"a.0.x"', '"h\u00f6st.0"', f'"{"a" * 201}.0"']
)
def test_nobody_is_fenced_for_a_name_that_is_not_a_slots(by: str) -> None:
    assert committer(f'{{"v":1,"by":{by}}}') is None


@given(st.one_of(st.none(), st.text(max_size=200), st.binary(max_size=50).map(lambda b: b.decode("latin-1"))))
def test_foreign_metadata_is_refused_without_being_quoted(metadata: str | None) -> None:
    with pytest.raises(ValueError, match=r"^the offset's metadata") as refused:
        from_metadata(0, metadata)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "metadata",
    [
        "[]",
        '{"v":2,"in":1,"gap":0,"views":{}}',
        '{"v":1,"in":-1,"gap":0,"views":{}}',
        '{"v":1,"in":true,"gap":0,"views":{}}',
        '{"v":1,"in":1,"gap":0}',
        '{"v":1,"in":1,"gap":0,"views":{"t":[1,2,3,4]}}',
        '{"v":1,"in":1,"gap":0,"views":{"t":[1,2,3,4,"5"]}}',
    ],
)
def test_metadata_that_is_almost_books_is_refused(metadata: str) -> None:
    with pytest.raises(ValueError, match=r"^the offset's metadata"):
        from_metadata(0, metadata)


def test_more_views_than_the_broker_takes_are_refused() -> None:
    book = PartitionBook(0, views={f"network-metadata.synthetic-purpose-{number}": ViewBook() for number in range(100)})
    with pytest.raises(ValueError, match=str(METADATA_LIMIT_BYTES)):
        to_metadata(book)


def test_books_at_their_limit_are_taken_by_a_broker_and_one_byte_more_is_not(
    cluster: Cluster, make_topic: MakeTopic
) -> None:
    topic = make_topic()
    consumer = cluster.consumer(**{"group.id": topic})
    try:
        longest = TopicPartition(topic, 0, 1, "x" * METADATA_LIMIT_BYTES)
        consumer.commit(offsets=[longest], asynchronous=False)
        with pytest.raises(KafkaException, match="OFFSET_METADATA_TOO_LARGE"):
            consumer.commit(offsets=[TopicPartition(topic, 0, 2, f"{longest.metadata}x")], asynchronous=False)
        assert cluster.admin(timeout_s=CALL_S).committed(topic, [(topic, 0)])[topic, 0].metadata == longest.metadata
    finally:
        consumer.close()


def test_a_view_that_begins_later_is_shown_only_what_came_after() -> None:
    book = PartitionBook(10, events_in=10)
    book.open_views(["audit.later"])
    assert book.imbalances() == []
    book.events_in += 1
    assert book.imbalances() == ["audit.later"]
    book.views["audit.later"].expired += 1
    assert book.imbalances() == []


def test_a_batch_writes_in_its_own_copy() -> None:
    book = PartitionBook(5, events_in=5, views={"audit.a": ViewBook(out=5)})
    copy = book.copy()
    copy.views["audit.a"].out += 1
    copy.events_in += 1
    assert book == PartitionBook(5, events_in=5, views={"audit.a": ViewBook(out=5)})


def test_a_view_that_the_contract_dropped_is_closed() -> None:
    book = PartitionBook(5, events_in=5, views={"audit.a": ViewBook(out=5), "audit.b": ViewBook(out=5)})
    book.close_views(["audit.b"])
    assert list(book.views) == ["audit.b"]


def test_flows_sum_over_partitions_what_each_view_was_shown() -> None:
    sums = flows(
        {
            ("raw.vpn.session", 0): PartitionBook(9, 9, views={"audit.a": ViewBook(2, 4, 1, 1, 1)}),
            ("raw.vpn.session", 1): PartitionBook(3, 3, views={"audit.a": ViewBook(0, 3)}),
        }
    )
    flow = sums["raw.vpn.session"]["audit.a"]
    assert (flow.shown, flow.out, flow.quarantined, flow.expired, flow.suspended) == (10, 7, 1, 1, 1)
