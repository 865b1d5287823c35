"""A small contract of a source of its own, with topics and keys, so that tests can share one broker."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import fastavro
import structlog

from pipelines.broker import Cluster
from pipelines.contract import derived_schemas, load, load_valid
from pipelines.contract.model import DAY_MS, Contract, Event
from pipelines.keys import Keyring, LocalKeyEncryption, extend
from pipelines.relay.preflight import topic_ids
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.station import Station
from pipelines.relay.steps import Watch
from pipelines.relay.worker import Worker
from pipelines.topics.applying import create_missing
from pipelines.trouble import Exit, Trouble
from tests.support.kafka import flushed
from tests.support.names import unique
from tests.support.signing import sign
from tests.support.through import wait_until_through
from tests.support.waiting import CALL_S, LIMIT_S, StalledError, joined, until

TODAY = date(2026, 11, 23)
OCCURRED_AT = datetime(2026, 11, 2, tzinfo=UTC)
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Ping",
    "fields": [
        {"name": "event_id", "type": "string", "class": "event_id"},
        {
            "name": "occurred_at",
            "type": {"type": "long", "logicalType": "timestamp-millis"},
            "class": "event_time",
        },
        {"name": "device_id", "type": ["null", "string"], "class": "device_identifier"},
        {"name": "number", "type": "int", "class": "metadata"},
        {"name": "note", "type": "string", "class": "content"},
    ],
}


@dataclass(frozen=True, slots=True)
class RelayFixture:
    """One source's contract, set up on a cluster. `pings` makes valid raw values."""

    folder: Path
    source: str
    contract: Contract
    cluster: Cluster
    keyring: Keyring

    @property
    def raw_topic(self) -> str:
        return f"raw.{self.source}.ping"

    @property
    def handled(self) -> str:
        return f"network-metadata.probe-{self.source}"

    @property
    def loose(self) -> str:
        return f"network-metadata.tally-{self.source}"

    def ping(self, number: int, device: str | None = None, occurred_at: datetime = OCCURRED_AT) -> bytes:
        """A raw value; the device is one of seven, the one named, or none at all when that is empty."""
        named = f"synthetic-device-{number % 7}" if device is None else device or None
        return encode_ping(self.contract.events[f"{self.source}.ping"], number, named, occurred_at)

    def publish(self, values: list[bytes], *, partition: int | None = None) -> None:
        producer = self.cluster.producer()
        for number, value in enumerate(values):
            place = number % 3 if partition is None else partition
            producer.produce(self.raw_topic, value, partition=place)
        flushed(producer)

    def settings(self, slot: int = 0, **changes: Any) -> WorkerSettings:
        return WorkerSettings(
            source=self.source,
            instance="test",
            slot=slot,
            contract_dir=self.folder,
            bootstrap=self.cluster.bootstrap,
            keyring=self.folder / "keyring.json",
            kek_file=self.folder / "kek",
            **{"session_timeout_ms": 2_000, **changes},
        )

    def worker(
        self,
        *,
        slot: int = 0,
        watch: Watch | None = None,
        clock: Callable[[], float] = time.time,
        cluster: Any = None,
        **changes: Any,
    ) -> Worker:
        """A worker in this process; `cluster` may stand between it and the real one."""
        station = Station(self.settings(slot, **changes), cluster or self.cluster, structlog.stdlib.get_logger(), watch)
        ids = topic_ids(self.contract, self.cluster, self.source)
        return Worker(station, self.contract, self.keyring, ids, clock)

    def wait_until_through(self, *, limit_s: float = LIMIT_S) -> None:
        """Wait until a commit covers every raw record; blocks and raises as `through.wait_until_through` does."""
        wait_until_through(self.contract, self.cluster.admin(timeout_s=CALL_S), limit_s=limit_s)


@contextmanager
def running(worker: Worker) -> Iterator[list[BaseException]]:
    """Run a worker in a thread; what it raised is in the list from when it ends.

    A wait in the block that fails says what the worker has raised.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield raised
    except StalledError as stalled:
        for error in raised:
            stalled.add_note(f"a worker had ended by then: {error!r}")
        raise
    finally:
        worker.stop("test")
        joined(thread, "the worker's thread")


def build(
    folder: Path, cluster: Cluster, *, review_expires: str = "2099-01-01", late: str = "24h", partitions: int = 3
) -> RelayFixture:
    """Write the contract, create its topics and make its keys."""
    source = unique("probe")
    write_contract(folder, source, review_expires, late, partitions)
    draft = load(sign(folder, as_of=TODAY), as_of=TODAY).contract
    assert draft is not None
    for name, text in derived_schemas(draft).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    contract = load_valid(folder, as_of=TODAY)
    _create_topics(contract, cluster)
    now_ms = int(time.time() * 1000)
    kek = LocalKeyEncryption.create(folder / "kek")
    extend(
        folder / "keyring.json", kek, contract.purposes.values(), first_ms=now_ms - 4 * DAY_MS, last_ms=now_ms + DAY_MS
    )
    return RelayFixture(folder, source, contract, cluster, Keyring.open(folder / "keyring.json", kek))


def _create_topics(contract: Contract, cluster: Cluster) -> None:
    """Again, where a broker stood still for longer than an administrator waits: a machine with others on it may."""

    def created() -> bool:
        try:
            create_missing(contract, cluster, "tests")
        except Trouble as trouble:
            if trouble.exit_code is not Exit.UNAVAILABLE:
                raise
            return False
        return True

    until(created, "the topics of a contract")


def write_contract(folder: Path, source: str, review_expires: str, late: str, partitions: int = 3) -> None:
    schemas, policies = folder / "schemas/raw" / source, folder / "policies" / source
    schemas.mkdir(parents=True)
    policies.mkdir(parents=True)
    (schemas / "ping.v1.avsc").write_text(json.dumps({**SCHEMA, "namespace": source}))
    (folder / "policies/lists.yaml").write_text("{}\n")
    (folder / "policies/purposes.yaml").write_text(
        "".join(
            f"""{name}-{source}:
  description: Prove that the relay keeps its promises
  objective: operational
  iri: dpv:ServiceProvision
  legal_basis: dpv:LegitimateInterest
  question: Does the relay keep its promises
  need: A promise is proven by records that went through
  alternatives: None that runs
  how_long: Three days, as tests are over by then
  who: The readers of the probes
  user_control: Nobody is behind a synthetic event
  handle: {handle}
  rotate: 1d
  max_bits: 64
  review: {{id: PR-0001, approved: 2026-11-02, expires: {expires}, owner: tests, covers: {"ab" * 32}}}
"""
            for name, handle, expires in (("probe", "device", review_expires), ("tally", "none", "2099-01-01"))
        )
    )
    (policies / "ping.yaml").write_text(
        f"""event: {source}.ping
views:
  network-metadata.probe-{source}:
    device_id: handle
    occurred_at: {{truncate: 1h}}
    number: {{within: [0, 4000]}}
  network-metadata.tally-{source}:
    number: {{bucket: [0, 1000, 10000]}}
never:
  event_id: nobody needs it
  note: content
"""
    )
    basis = "{product: none, security: none, legal: none, reviewed: 2026-11-02, expires: 2099-01-01}"
    (folder / "topics.yaml").write_text(
        f"""raw:
  raw.{source}.ping: {{ttl: 24h, partitions: {partitions}, producers: [probes]}}
minimized:
  network-metadata.probe-{source}: {{ttl: 72h, late: {late}, partitions: 2, consumers: [probe-readers], basis: {basis}}}
  network-metadata.tally-{source}: {{ttl: 72h, late: 24h, partitions: 2, consumers: [tally-readers], basis: {basis}}}
quarantine: {{topic: quarantine-{source}, ttl: 7d, partitions: 1, consumers: [operators]}}
changes: {{topic: audit.changes-{source}, ttl: 400d, consumers: [audit-office]}}
"""
    )


def encode_ping(event: Event, number: int, device: str | None, occurred_at: datetime = OCCURRED_AT) -> bytes:
    raw, out = event.versions[0], io.BytesIO()
    fields = {
        "event_id": f"synthetic-event-{number}",
        "occurred_at": occurred_at,
        "device_id": device,
        "number": number,
        "note": f"SYNTHETIC-SECRET-{number}",
    }
    fastavro.schemaless_writer(out, json.loads(raw.text), fields)
    return b"\xc3\x01" + raw.fingerprint + out.getvalue()
