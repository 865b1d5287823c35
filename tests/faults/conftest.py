"""A broker behind a proxy, and a proxy for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.broker import Cluster, Door, EmbeddedKafka
from tests.faults.proxy import Proxy
from tests.support.relay_fixture import RelayFixture, build


@pytest.fixture
def proxy(kafka_with_a_door: tuple[EmbeddedKafka, Door]) -> Iterator[Proxy]:
    _, door = kafka_with_a_door
    with Proxy({door.advertised_port: door.port}) as proxy:
        yield proxy


@pytest.fixture
def direct(kafka_with_a_door: tuple[EmbeddedKafka, Door]) -> Cluster:
    """The broker itself, for what a fault is not to reach."""
    return kafka_with_a_door[0].cluster


@pytest.fixture
def through(kafka_with_a_door: tuple[EmbeddedKafka, Door], proxy: Proxy) -> Cluster:
    """The same broker through the test's proxy."""
    assert proxy.running
    return Cluster(f"127.0.0.1:{kafka_with_a_door[1].advertised_port}")


@pytest.fixture
def house(tmp_path: Path, direct: Cluster) -> RelayFixture:
    """A relay on that broker; who uses it chooses whether its workers go through the proxy."""
    return build(tmp_path, direct)
