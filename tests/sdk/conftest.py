"""A contract with one event type, under a name of its own each time, so that tests share a broker."""

import socket
from itertools import count

import pytest

from pipelines.broker import Cluster
from pipelines.contract.model import Contract, Event
from tests.sdk.pings import contract_of

_SOURCES = count(1)


@pytest.fixture
def contract() -> Contract:
    return contract_of(f"sdk{next(_SOURCES)}.ping")


@pytest.fixture
def event(contract: Contract) -> Event:
    (event,) = contract.events.values()
    return event


@pytest.fixture
def nowhere() -> Cluster:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return Cluster(f"127.0.0.1:{server.getsockname()[1]}")
