"""A contract of topics alone, under names of its own, whose topics go away again."""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import count

import pytest

from pipelines.broker import AdminClient, Cluster
from pipelines.contract.findings import Position
from pipelines.contract.model import DAY_MS, HOUR_MS, Basis, Contract, QuarantineTopic, RawTopic, Topic

HERE = Position("topics.yaml")
BASIS = Basis("tests", "tests", "tests", date(2026, 11, 2), date(2027, 11, 2))
MakeContract = Callable[..., Contract]
_SOURCES = count(1)


@pytest.fixture
def make_contract() -> MakeContract:
    def make(*, raw_ttl_ms: int = DAY_MS, ttl_ms: int = 2 * DAY_MS, late_ms: int = DAY_MS) -> Contract:
        source = f"topics{next(_SOURCES)}"
        raw = RawTopic(f"raw.{source}.session", f"{source}.session", raw_ttl_ms, 2, (), HERE)
        minimized = Topic(f"audit.{source}", ttl_ms, late_ms, 3, (), BASIS, HERE)
        quarantine = QuarantineTopic(f"quarantine-{source}", 7 * DAY_MS, 1, (), HERE)
        return Contract({}, {}, {minimized.name: minimized}, {raw.name: raw}, quarantine, b"")

    return make


@pytest.fixture
def contract(make_contract: MakeContract, cluster: Cluster) -> Iterator[Contract]:
    contract = make_contract(late_ms=6 * HOUR_MS)
    yield contract
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})
    there = cluster.admin().topics([*contract.raw_topics, *contract.topics, contract.quarantine.name])
    for future in client.delete_topics(list(there)).values() if there else ():
        future.result(30)
