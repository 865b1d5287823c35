"""Answers that come late are no sign that anybody is gone."""

from __future__ import annotations

from contextlib import closing

import structlog
from structlog.testing import capture_logs

from pipelines.broker import Cluster, TopicPartition
from pipelines.relay import positions
from pipelines.relay.positions import read_books
from pipelines.relay.station import Station
from tests.faults.proxy import Proxy
from tests.support.relay_fixture import RelayFixture, running

_DELAY_S = 0.3  # in each direction: an answer takes longer than stable offsets are waited for at first


def test_on_a_slow_network_nobody_fences_who_held_a_partition_and_lives(
    house: RelayFixture, through: Cluster, proxy: Proxy
) -> None:
    house.publish([house.ping(n) for n in range(60)])
    places = [TopicPartition(house.raw_topic, number) for number in range(3)]
    with running(house.worker(slot=1)) as raised:
        house.wait_until_through()
        station = Station(house.settings(slot=0), through, structlog.stdlib.get_logger())
        with closing(through.consumer(**{"group.id": house.settings().group})) as consumer:
            read_books(station, consumer, places)  # it has its connections
            proxy.delay(_DELAY_S)
            assert positions._FENCED_AFTER_S < 2 * _DELAY_S
            with capture_logs() as lines:
                books = read_books(station, consumer, places)
            proxy.delay(0)
    assert raised == []
    assert sum(book.events_in for book in books.values()) == 60
    assert [line["event"] for line in lines if line["event"].startswith("owner.")] == []
