"""The contract of the in-memory Kafka is what the real one does: each test here runs on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from pipelines.broker import AdminClient, Cluster, NewTopic
from tests.support.kafka import delete_topics
from tests.support.memory_kafka import MemoryCluster


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a test on the real Kafka ask for `cluster`, so that it has the marks and the broker of such tests."""
    for item in items:
        params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if params.get("any_cluster") == "embedded":
            item.fixturenames = [*item.fixturenames, "cluster"]


@pytest.fixture(params=["memory", "embedded"])
def any_cluster(request: pytest.FixtureRequest) -> Cluster:
    """The in-memory Kafka, then the real one."""
    if request.param == "memory":
        return MemoryCluster()
    found: Cluster = request.getfixturevalue("cluster")
    return found


@pytest.fixture
def admin_client(any_cluster: Cluster) -> Any:
    """A client for what the product's `Admin` cannot do."""
    return (
        any_cluster.admin_client()
        if isinstance(any_cluster, MemoryCluster)
        else AdminClient({"bootstrap.servers": any_cluster.bootstrap})
    )


@pytest.fixture
def new_topic(any_cluster: Cluster) -> Iterator[Callable[..., str]]:
    """Makes topics, by default of one partition. Settings are given with underscores: `retention_ms="1000"`."""
    made: list[str] = []

    def make(partitions: int = 1, **settings: str) -> str:
        name = f"contract.{uuid4().hex}"
        configs = {key.replace("_", "."): value for key, value in settings.items()}
        assert any_cluster.admin().create([NewTopic(name, partitions, 1, configs)]) == (name,)
        made.append(name)
        return name

    yield make
    if not isinstance(any_cluster, MemoryCluster):
        delete_topics(any_cluster, made)


@pytest.fixture
def topic(new_topic: Callable[..., str]) -> str:
    """A topic of one partition."""
    return new_topic()
