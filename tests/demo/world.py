"""A whole run without a broker: simulated events, the relay's own lanes, and records as Kafka would hand them back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from pipelines.contract.model import Contract, Event
from pipelines.demo import gathering
from pipelines.demo.evidence import Evidence, Sent
from pipelines.demo.example import choose, most_telling
from pipelines.demo.play import Watcher
from pipelines.demo.search import search_line
from pipelines.keys import SubkeySource, throwaway_keyring, topic_hash
from pipelines.relay.batch import Batch
from pipelines.relay.books import Books, PartitionBook
from pipelines.relay.lane import Lane, Raw
from pipelines.sdk.encoding import encoders
from pipelines.simulate import Simulation, Tally

NOW_MS = 1_795_400_000_000
WORKERS = ("minimizer.vpn.demo.0", "minimizer.proxy.demo.0")


@dataclass(slots=True)
class Message:
    """What the demo asks of a Kafka message."""

    value_: bytes | None
    key_: bytes | None = None
    headers_: list[tuple[str, bytes]] = field(default_factory=list)
    timestamp_ms: int = NOW_MS
    partition_: int = 0
    offset_: int = 0

    def value(self) -> bytes | None:
        return self.value_

    def key(self) -> bytes | None:
        return self.key_

    def headers(self) -> list[tuple[str, bytes]]:
        return self.headers_

    def timestamp(self) -> tuple[int, int]:
        return 1, self.timestamp_ms

    def partition(self) -> int:
        return self.partition_

    def offset(self) -> int:
        return self.offset_


@dataclass(slots=True)
class World:
    """What the topics, logs and metrics of a run hold."""

    contract: Contract
    keys: SubkeySource
    sent: Sent
    books: Books
    topics: dict[str, list[Message]]
    logs: list[Path]
    counters: dict[str, Counter[tuple[str, str]]]
    metrics_text: bytes = b"pipelines_events_in_total 1.0"
    breaches: Sequence[str] = ()

    def copy(self, folder: Path) -> World:
        """One to break, with its log in another folder."""
        log = folder / "workers.log"
        log.write_bytes(self.logs[0].read_bytes())
        return replace(
            self,
            books={partition: book.copy() for partition, book in self.books.items()},
            topics={
                topic: [replace(message, headers_=list(message.headers_)) for message in messages]
                for topic, messages in self.topics.items()
            },
            logs=[log],
            counters={name: counter.copy() for name, counter in self.counters.items()},
        )

    def evidence(self) -> Evidence:
        """Gather it, by the demo's own code."""
        contract, topics = self.contract, self.topics
        evidence, tally = Evidence(contract, self.sent, self.books, workers=WORKERS), Tally(self.sent.canaries)
        for event in contract.events.values():
            gathering.gather_raw(event, topics[event.raw_topic], evidence.raw, tally)
        evidence.raw.missing_canaries = tally.missing
        shown = most_telling(contract)
        evidence.example = choose(contract, shown, topics[shown.raw_topic], topic_id(shown), self.keys)
        for topic in contract.topics:
            gathering.gather_minimized(topic, topics[topic], evidence)
        gathering.gather_quarantine(contract.quarantine.name, topics[contract.quarantine.name], evidence)
        gathering.gather_logs(self.logs, evidence)
        for line in self.metrics_text.splitlines():
            search_line(evidence.searched, gathering.METRICS, line)
        evidence.metrics = self.counters
        evidence.handles = gathering.device_handles(contract, self.keys, self.sent.device, evidence.raw)
        evidence.breaches = self.breaches
        evidence.judged = len(contract.topics) + len(contract.raw_topics) + 2  # quarantine, changes
        return evidence


def play(contract: Contract, folder: Path, events: int = 600, *, at_ms: int = NOW_MS, apart_ms: int = 1) -> World:
    """Simulate and minimize; broker times begin at `at_ms` and lie `apart_ms` apart."""
    keys, watcher = throwaway_keyring(), Watcher(contract)
    simulation = Simulation(contract, seed=7, devices=20, faults=0.05)
    encoding = {name: encoders(event) for name, event in contract.events.items()}
    lanes = {name: Lane(contract, event, keys, topic_hash(topic_id(event))) for name, event in contract.events.items()}
    topics: dict[str, list[Message]] = {name: [] for name in (*contract.topics, *contract.raw_topics)}
    committed: Books = {}
    for name, lane in lanes.items():
        book = committed[contract.events[name].raw_topic, 0] = PartitionBook(0)
        book.open_views(lane.topics)
    batch = Batch(at_ms + events * apart_ms)
    for event, timestamp_ms in zip(
        watcher.watch(simulation.events(events, start_ms=at_ms)), count(at_ms, apart_ms), strict=False
    ):
        raw_topic = contract.events[event.event].raw_topic
        value = event.value or encoding[event.event][event.version].encode(event.fields)
        offset = len(topics[raw_topic])
        topics[raw_topic].append(Message(value, event.device.encode(), [], timestamp_ms, 0, offset))
        lanes[event.event].take(batch, batch.book(committed, raw_topic, 0), Raw(0, offset, timestamp_ms, value))
    for record in batch.records():
        headers = [(name, value if isinstance(value, bytes) else b"") for name, value in record.headers]
        topics[record.topic].append(Message(record.value, record.key, headers, record.timestamp_ms))
    topics[contract.quarantine.name] = [Message(note) for note in batch.notes()]
    sent = Sent(events, 0, dict(watcher.faults), simulation.canaries_issued, watcher.device)
    return World(contract, keys, sent, batch.books, topics, [_log(folder)], _counters(batch))


def topic_id(event: Event) -> bytes:
    return event.name.encode().rjust(16)[-16:]


def _counters(batch: Batch) -> dict[str, Counter[tuple[str, str]]]:
    events_in, out, quarantined = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for (raw_topic, _), book in batch.books.items():
        events_in[raw_topic, ""] += book.events_in
        for topic, view in book.views.items():
            out[raw_topic, topic] += view.out
    for (raw_topic, _), noted in batch.reasons.items():
        quarantined[raw_topic, ""] += noted
    return {
        "pipelines_events_in": events_in,
        "pipelines_records_out": out,
        "pipelines_events_quarantined": quarantined,
    }


def _log(folder: Path) -> Path:
    file = folder / "workers.log"
    file.write_text("".join(f'{{"event": "worker.started", "worker": "{worker}"}}\n' for worker in WORKERS))
    return file
