"""A contract with one event type, under a name of its own each time, so that tests share a broker."""

import socket

import pytest

from pipelines.broker import Cluster
from pipelines.contract.model import Contract, Event
from tests.sdk.pings import contract_of
from tests.support.names import unique


@pytest.fixture
def contract() -> Contract:
    return contract_of(f"{unique('sdk')}.ping")


@pytest.fixture
def event(contract: Contract) -> Event:
    (event,) = contract.events.values()
    return event


@pytest.fixture
def nowhere() -> Cluster:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return Cluster(f"127.0.0.1:{server.getsockname()[1]}")
