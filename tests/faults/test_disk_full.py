"""A broker whose disk is full: Kafka gives up its data folder and halts. The relay waits, and goes on when it may."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.broker import EmbeddedKafka
from tests.faults.flow import flowing
from tests.support.relay_fixture import RelayFixture, build
from tests.support.waiting import until

OUTAGE_S = 8.0


@pytest.fixture
def broker(private_kafka: EmbeddedKafka) -> EmbeddedKafka:
    """The private broker, up again afterwards."""
    return private_kafka


@pytest.fixture
def house(tmp_path: Path, broker: EmbeddedKafka) -> RelayFixture:
    return build(tmp_path, broker.cluster)


def fill_the_disk(broker: EmbeddedKafka) -> None:
    """No file of the broker's may grow any more: to a process, a full disk but for the error's number (EFBIG).

    Needs no root and no mount, and leaves this machine's disk alone. The process ignores SIGXFSZ, as every JVM does.
    """
    pid = broker.pids()[1]
    assert pid is not None
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))


def test_a_full_disk_stops_the_broker_and_the_relay_goes_on_exactly_when_there_is_space(
    house: RelayFixture, broker: EmbeddedKafka, record_property: Callable[[str, object], None]
) -> None:
    with flowing(house, workers=1) as flow:
        fill_the_disk(broker)
        until(lambda: not broker.is_running(), "the broker halts")
        halted_at = time.monotonic()
        time.sleep(OUTAGE_S)
        # The worker may report the commit that was on its way, however late on a busy machine, and no other.
        assert max(flow.commits_since(halted_at)) <= 1
        broker.restart(1)  # a process of its own again, without the limit
        up_at = time.monotonic()
        flow.wait_for_commits()
        record_property("disk has space again: stood on for s", round(flow.stood_s(up_at), 1))
    said = [line["text"] for line in flow.lines() if line["event"] == "kafka.client"]
    assert any("Connection refused" in text for text in said)
