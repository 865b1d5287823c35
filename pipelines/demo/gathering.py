"""Gathering: reads every topic, log and metric once, from its beginning to its end, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.broker import Message, headers_of
from pipelines.contract.model import Contract, Event
from pipelines.demo.evidence import After, Evidence, Example, OutSide, RawSide
from pipelines.demo.search import search_line, search_record
from pipelines.envelope import read_notes
from pipelines.keys import SubkeySource, epoch_start
from pipelines.relay.worker_metrics import registry_of
from pipelines.simulate import Tally, find

LOGS = "logs"
METRICS = "metrics"


def gather_raw(event: Event, messages: Iterable[Message], raw: RawSide, tally: Tally) -> None:
    """Count an event type's raw records, their canaries, and what span of broker time they cover."""
    for message in messages:
        value = message.value() or b""
        raw.records[event.raw_topic] += 1
        raw.marked[event.raw_topic] += find(value) == "canary"
        tally.note(value)
        timestamp_ms = message.timestamp()[1]
        raw.oldest_ms, raw.newest_ms = min(raw.oldest_ms, timestamp_ms), max(raw.newest_ms, timestamp_ms)


def gather_minimized(topic: str, messages: Iterable[Message], evidence: Evidence) -> None:
    """Count and search the records of a minimized topic; the example's are kept."""
    out = evidence.out
    keys = out.keys.setdefault(topic, set())
    views = (view for event in evidence.contract.events.values() for view in event.views)
    steps = {view.event: view.step_ms for view in views if view.topic == topic}
    for message in messages:
        out.records[topic] += 1
        headers = headers_of(message)
        search_record(evidence.searched, topic, message, headers)
        key, timestamp_ms = message.key(), message.timestamp()[1]
        if isinstance(key, bytes):
            keys.add(key)
        told = dict(headers)
        step_ms = steps.get(told.get("ce_type", b"").decode("ascii", "replace"))
        # A record of no view of this topic has no step that it could keep.
        out.finer_times[topic] += step_ms is None or timestamp_ms % step_ms != 0
        if evidence.example is not None and told.get("ce_id") == evidence.example.ids.get(topic, "").encode():
            _keep(evidence.example, topic, message, told)


def gather_quarantine(topic: str, messages: Iterable[Message], evidence: Evidence) -> None:
    """Count and search the notes of quarantine."""
    for message in messages:
        search_record(evidence.searched, topic, message, headers_of(message))
        _read_notes(evidence.out, message.value() or b"")


def gather_logs(files: Iterable[Path], evidence: Evidence) -> None:
    """Search every line that was logged, by whomever, and count the workers' lines by slot."""
    for file in files:
        with file.open("rb") as lines:
            for line in lines:
                search_line(evidence.searched, LOGS, line)
                worker = _document(line).get("worker")
                if isinstance(worker, str):
                    evidence.log_lines[worker] += 1


def exposed(folder: Path) -> bytes:
    """The metrics in a folder of Prometheus' multiprocess files, as Prometheus would scrape them."""
    return generate_latest(registry_of(folder))


def gather_metrics(scraped: bytes, evidence: Evidence) -> None:
    """Search what was scraped, and keep the counters; those of several runs add up."""
    for line in scraped.splitlines():
        search_line(evidence.searched, METRICS, line)
    for metric in text_string_to_metric_families(scraped.decode()):
        counts = evidence.metrics.setdefault(metric.name, Counter())
        for sample in metric.samples:
            if sample.name == f"{metric.name}_total":
                labels = sample.labels
                counts[labels.get("raw_topic", ""), labels.get("topic", "")] += int(sample.value)


def device_handles(contract: Contract, keys: SubkeySource, device: bytes, raw: RawSide) -> dict[str, set[bytes]]:
    """The handles of one device by purpose, in every epoch that the raw records' broker times touch."""
    return {
        purpose.name: {
            keys.subkeys_at(purpose, at_ms).handle_maker("device")(device)
            for at_ms in range(epoch_start(raw.oldest_ms, purpose.rotate_ms), raw.newest_ms + 1, purpose.rotate_ms)
        }
        for purpose in contract.purposes.values()
        if purpose.handle == "device"
    }


def _read_notes(out: OutSide, value: bytes) -> None:
    notes = read_notes(value)
    if notes is None:
        out.unreadable_notes += 1
        return
    topic, partition, *_ = notes.kind
    out.notes[topic, notes.kind.view] += notes.count
    out.noted.setdefault(topic, set()).update((partition, note.offset) for note in notes.each())


def _document(text: bytes) -> dict[str, Any]:
    """A JSON object; an empty one where the text is none."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _keep(example: Example, topic: str, message: Message, headers: dict[str, bytes]) -> None:
    key = message.key()
    example.after.append(
        After(
            topic,
            key if isinstance(key, bytes) else None,
            message.value() or b"",
            {name: value.decode("ascii", "replace") for name, value in headers.items()},
            message.timestamp()[1],
        )
    )
