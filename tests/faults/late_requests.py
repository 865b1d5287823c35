"""Requests of one transaction that the proxy delivers during a later one (KAFKA-17754)."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.broker import Cluster
from pipelines.relay.steps import Step, Watch
from tests.faults.link import Held
from tests.faults.proxy import Proxy
from tests.faults.wire import TXN_OFFSET_COMMIT
from tests.support.oracle import committed, differences, expect
from tests.support.relay_fixture import RelayFixture, running
from tests.support.relaying import CrashError, relay
from tests.support.waiting import until


def differ(house: RelayFixture) -> dict[str, int]:
    return differences(expect(house.contract, house.cluster, house.keyring), *committed(house.contract, house.cluster))


def late(held: Held, step: Step, then: Callable[[], None]) -> Watch:
    """Deliver what is held at a step of the transaction after the one it belongs to; once it is answered, do `then`."""
    begun_since: list[Step] = []

    def watch(now: Step) -> None:
        if now is Step.BEGUN and held.taken.is_set():
            begun_since.append(now)
        if now is step and begun_since and not held.answered.is_set():
            held.deliver()
            until(held.answered.is_set, "the broker's answer")
            then()

    return watch


def crash() -> None:
    raise CrashError


def a_commit_comes_late(house: RelayFixture, proxy: Proxy, through: Cluster, slow_commit_ms: int) -> Held:
    """The commit of a batch is held and sent anew; the first one arrives in the next batch, which then breaks off."""
    house.publish([house.ping(n) for n in range(600)])
    held = proxy.hold_end_txn(transactional_id=house.settings().slot_id)
    worker = house.worker(
        cluster=through, watch=late(held, Step.PRODUCED, crash), batch_events=200, slow_commit_ms=slow_commit_ms
    )
    with running(worker) as raised:
        until(lambda: raised, "the worker breaks off")
    assert [type(error) for error in raised] == [CrashError]
    relay(house)
    return held


def offsets_come_late(house: RelayFixture, proxy: Proxy, through: Cluster, slow_commit_ms: int) -> None:
    """The offsets of a batch are held and sent anew; the first ones arrive after those of the next batch."""
    house.publish([house.ping(n) for n in range(600)], partition=0)
    slot_id = house.settings().slot_id
    held = proxy.hold(lambda request: request.api_key == TXN_OFFSET_COMMIT and request.transactional_id == slot_id)
    deliver = late(held, Step.COMMITTING, lambda: None)

    def watch(now: Step) -> None:
        deliver(now)
        if now is Step.COMMITTED and held.answered.is_set():
            raise CrashError

    worker = house.worker(cluster=through, watch=watch, batch_events=200, slow_commit_ms=slow_commit_ms)
    with running(worker) as raised:
        until(lambda: raised, "the worker breaks off")
    assert [type(error) for error in raised] == [CrashError]
    relay(house)
