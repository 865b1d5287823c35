import io
import json
import traceback
from collections.abc import Callable

import fastavro
import pytest
from confluent_kafka import murmur2

from pipelines.broker import Cluster, records
from pipelines.contract.model import Contract, Event
from pipelines.sdk import Misfit, RawProducer, Report
from pipelines.sdk.report import IN_FLIGHT, QUEUE_FULL
from pipelines.trouble import Exit, Trouble
from tests.sdk.pings import SECRET, fields

MakeTopic = Callable[..., str]


@pytest.mark.parametrize("version", [1, 2, None])
def test_an_event_arrives_as_it_was_sent_under_its_version_and_keyed_by_device(
    cluster: Cluster, contract: Contract, event: Event, make_topic: MakeTopic, version: int | None
) -> None:
    make_topic(event.raw_topic, partitions=4)
    sent = fields(version or 2)
    with RawProducer(cluster, contract) as producer:
        producer.send(event.name, sent, version=version)
        assert producer.flush(30) == Report(1, ())
    (message,) = records(cluster, event.raw_topic)
    writer = event.versions[(version or 2) - 1]
    value = message.value()
    assert value is not None
    assert value[:10] == b"\xc3\x01" + writer.fingerprint
    assert message.headers() is None
    assert message.key() == b"synthetic-device-1"
    assert message.partition() == murmur2(b"synthetic-device-1", 4)
    plain = json.loads(writer.text)
    plain["fields"][1]["type"] = "long"
    assert fastavro.schemaless_reader(io.BytesIO(value[10:]), plain, None) == sent


def test_an_event_without_a_device_has_no_key(
    cluster: Cluster, contract: Contract, event: Event, make_topic: MakeTopic
) -> None:
    make_topic(event.raw_topic)
    with RawProducer(cluster, contract) as producer:
        producer.send(event.name, fields(device_id=None))
    assert [message.key() for message in records(cluster, event.raw_topic)] == [None]


def test_more_events_than_the_queue_holds_all_arrive_once_and_in_order(
    cluster: Cluster, contract: Contract, event: Event, make_topic: MakeTopic
) -> None:
    make_topic(event.raw_topic)
    with RawProducer(cluster, contract, overrides={"queue.buffering.max.messages": 10}) as producer:
        for number in range(500):
            producer.send_encoded(event.name, str(number).encode(), key=None)
        report = producer.flush(60)
    assert report == Report(500, ())
    values = [message.value() for message in records(cluster, event.raw_topic)]
    assert values == [str(number).encode() for number in range(500)]


def test_a_stopped_broker_leaves_every_event_unacknowledged_by_number_and_nothing_hangs(
    nowhere: Cluster, contract: Contract, event: Event
) -> None:
    with RawProducer(nowhere, contract) as producer:
        for _ in range(3):
            producer.send(event.name, fields())
        report = producer.flush(0.2)
        told = [(lost.event, lost.number, lost.error) for lost in report.unacknowledged]
        assert (report.acknowledged, told) == (0, [(event.name, number, IN_FLIGHT) for number in (1, 2, 3)])
        given_up = producer.close(0.2)
    assert [lost.number for lost in given_up.unacknowledged] == [1, 2, 3]
    assert {lost.error for lost in given_up.unacknowledged} == {"_PURGE_QUEUE"}


def test_a_full_queue_holds_the_sender_for_a_bounded_time_and_then_counts_the_event_as_lost(
    nowhere: Cluster, contract: Contract, event: Event
) -> None:
    queue = {"queue.buffering.max.messages": 2}
    with RawProducer(nowhere, contract, room_s=0.1, close_s=0.1, overrides=queue) as producer:
        for _ in range(4):
            producer.send(event.name, fields())
        report = producer.flush(0.1)
    assert [(lost.number, lost.error) for lost in report.unacknowledged] == [
        (1, IN_FLIGHT),
        (2, IN_FLIGHT),
        (3, QUEUE_FULL),
        (4, QUEUE_FULL),
    ]


def test_an_event_that_is_too_large_is_reported_and_the_others_arrive(
    cluster: Cluster, contract: Contract, event: Event, make_topic: MakeTopic
) -> None:
    make_topic(event.raw_topic)
    with RawProducer(cluster, contract, overrides={"message.max.bytes": 2000}) as producer:
        producer.send(event.name, fields())
        producer.send(event.name, fields(event_id="x" * 5000))
        producer.send(event.name, fields())
        report = producer.flush(30)
    assert report.acknowledged == 2
    assert [(lost.number, lost.error) for lost in report.unacknowledged] == [(2, "MSG_SIZE_TOO_LARGE")]


def test_a_topic_that_is_missing_is_reported_by_its_name_of_error(
    cluster: Cluster, contract: Contract, event: Event
) -> None:
    with RawProducer(cluster, contract, overrides={"topic.metadata.propagation.max.ms": 100}) as producer:
        producer.send(event.name, fields())
        report = producer.flush(30)
    assert [lost.error for lost in report.unacknowledged] == ["UNKNOWN_TOPIC_OR_PART"]


def test_leaving_with_events_that_nobody_was_told_of_is_trouble(
    nowhere: Cluster, contract: Contract, event: Event
) -> None:
    producer = RawProducer(nowhere, contract, close_s=0.1)
    producer.send(event.name, fields())
    with pytest.raises(Trouble, match="1 events were not acknowledged") as trouble, producer:
        pass
    assert trouble.value.exit_code == Exit.UNAVAILABLE


def test_each_event_is_counted_in_one_report(
    cluster: Cluster, contract: Contract, event: Event, make_topic: MakeTopic
) -> None:
    make_topic(event.raw_topic)
    with RawProducer(cluster, contract) as producer:
        for expected in (1, 2):
            for _ in range(expected):
                producer.send(event.name, fields())
            assert producer.flush(30) == Report(expected, ())
        assert producer.flush(0) == Report(0, ())


MISFITS = {
    "event_id": {"event_id": 5},
    "occurred_at": {"occurred_at": SECRET},
    "device_id": {"device_id": 17},
    "level": {"level": SECRET},
    "before": {"before": SECRET},
    "peers": {"peers": [{"port": SECRET}]},
    "notes": {"notes": {SECRET: 5}},
    "digest": {"digest": SECRET.encode()},
}


@pytest.mark.parametrize("field", MISFITS)
def test_a_field_that_does_not_fit_is_named_and_its_value_is_nowhere(
    nowhere: Cluster, contract: Contract, event: Event, field: str
) -> None:
    producer = RawProducer(nowhere, contract)
    with pytest.raises(Misfit, match=rf"the field {field}.* must be .*, given ") as misfit:
        producer.send(event.name, fields(**MISFITS[field]))
    _holds_nothing(misfit.value)
    assert producer.close(0) == Report(0, ())


def test_a_missing_field_is_named_and_an_unknown_one_is_counted(
    nowhere: Cluster, contract: Contract, event: Event
) -> None:
    producer = RawProducer(nowhere, contract)
    incomplete = fields()
    del incomplete["notes"]
    with pytest.raises(Misfit, match="the field notes is missing; it must be"):
        producer.send(event.name, incomplete)
    with pytest.raises(Misfit, match="1 of the fields are not in the schema") as misfit:
        producer.send(event.name, fields(**{SECRET: 1}))
    _holds_nothing(misfit.value)


def test_an_unknown_event_type_or_version_is_refused_without_being_repeated(
    nowhere: Cluster, contract: Contract, event: Event
) -> None:
    producer = RawProducer(nowhere, contract)
    for send in (
        lambda: producer.send(SECRET, fields()),
        lambda: producer.send_encoded(SECRET, b"", key=None),
        lambda: producer.send(event.name, fields(), version=9),
    ):
        with pytest.raises(Misfit) as misfit:
            send()
        _holds_nothing(misfit.value)


def _holds_nothing(error: Misfit) -> None:
    assert error.__cause__ is None
    assert error.__context__ is None
    assert SECRET not in "".join(traceback.format_exception(error))
