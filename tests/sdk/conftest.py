"""A contract with one event type, under a name of its own each time, so that tests share a broker."""

from itertools import count

import pytest

from pipelines.contract.model import Contract, Event, QuarantineTopic
from tests.sdk.pings import HERE, schema

_SOURCES = count(1)


@pytest.fixture
def event() -> Event:
    name = f"sdk{next(_SOURCES)}.ping"
    return Event(name, (schema(name, 1), schema(name, 2)), (), ())


@pytest.fixture
def contract(event: Event) -> Contract:
    return Contract({event.name: event}, {}, {}, {}, QuarantineTopic("quarantine", 1, 1, (), HERE), b"")
