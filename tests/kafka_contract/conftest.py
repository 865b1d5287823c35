"""The contract of the in-memory Kafka is what the real one does: each test here runs on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from pipelines.broker import AdminClient, Cluster, NewTopic
from tests.support.kafka import delete_topics
from tests.support.memory_kafka import MemoryCluster


@pytest.fixture(params=["memory", pytest.param("embedded", marks=pytest.mark.broker)])
def each(request: pytest.FixtureRequest) -> Cluster:
    """The in-memory Kafka, then the real one."""
    if request.param == "memory":
        return MemoryCluster()
    found: Cluster = request.getfixturevalue("cluster")
    return found


@pytest.fixture
def admin_client(each: Cluster) -> Any:
    """A client for what the product's `Admin` cannot do."""
    return (
        each.admin_client() if isinstance(each, MemoryCluster) else AdminClient({"bootstrap.servers": each.bootstrap})
    )


@pytest.fixture
def new_topic(each: Cluster) -> Iterator[Callable[..., str]]:
    """Makes topics, by default of one partition. Settings are given with underscores: `retention_ms="1000"`."""
    made: list[str] = []

    def make(partitions: int = 1, **settings: str) -> str:
        name = f"contract.{uuid4().hex}"
        configs = {key.replace("_", "."): value for key, value in settings.items()}
        assert each.admin().create([NewTopic(name, partitions, 1, configs)]) == (name,)
        made.append(name)
        return name

    yield make
    if not isinstance(each, MemoryCluster):
        delete_topics(each, made)


@pytest.fixture
def topic(new_topic: Callable[..., str]) -> str:
    """A topic of one partition."""
    return new_topic()
