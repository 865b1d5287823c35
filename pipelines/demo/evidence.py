"""Evidence: what the run left behind, as counts. Only the one example keeps values, and those are synthetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.contract.model import Contract, Event
from pipelines.relay.books import Books


@dataclass(frozen=True, slots=True)
class Sent:
    """What went in: what the producer was told, the faults on purpose by raw topic, canaries, and one busy device."""

    acknowledged: int = 0
    unacknowledged: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)
    canaries: int = 0
    device: bytes = b""


@dataclass(slots=True)
class Searched:
    """What was searched, and found. `looked` counts records or lines by place, `leaks` by (kind, place, part)."""

    looked: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0
    leaks: Counter[tuple[str, str, str]] = field(default_factory=Counter)


@dataclass(slots=True)
class RawSide:
    """What the raw topics hold.

    `marked` counts the records in which the search that is used on the output found a canary. Times are the oldest
    and the newest broker time (ms); `newest_ms` is below `oldest_ms` while there is none.
    """

    records: Counter[str] = field(default_factory=Counter)
    marked: Counter[str] = field(default_factory=Counter)
    missing_canaries: int = 0
    oldest_ms: int = 1 << 62
    newest_ms: int = -1


@dataclass(slots=True)
class OutSide:
    """What the minimized topics and quarantine hold.

    `finer_times` counts records whose timestamp is finer than their view allows. `keys` are the record keys by topic.
    `notes` counts quarantine notes by (raw topic, view; None for a whole event), `noted` the raw coordinates they name,
    `unreadable_notes` those that are no notes.
    """

    records: Counter[str] = field(default_factory=Counter)
    finer_times: Counter[str] = field(default_factory=Counter)
    keys: dict[str, set[bytes]] = field(default_factory=dict)
    notes: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    noted: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    unreadable_notes: int = 0

    @property
    def quarantined(self) -> int:
        """How many records the quarantine topic holds."""
        return self.notes.total() + self.unreadable_notes


@dataclass(frozen=True, slots=True)
class After:
    """A minimized record of the example event."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Mapping[str, str]
    timestamp_ms: int


@dataclass(slots=True)
class Example:
    """One event, before and after. `ids` are the event ids (`ce_id`) that its records must carry, by topic."""

    event: Event
    before: bytes
    ids: Mapping[str, str]
    after: list[After] = field(default_factory=list)


@dataclass(slots=True)
class Evidence:
    """All that the checks look at.

    `handles` are the device's handles by purpose, one for each epoch that the run touched. `log_lines` counts by
    worker slot, `metrics` are the counters by name, raw topic and minimized topic (each "" where it has none).
    `breaches` are the promises that the live topics do not keep, `judged` how many topics were looked at.
    """

    contract: Contract
    sent: Sent
    books: Books
    raw: RawSide = field(default_factory=RawSide)
    out: OutSide = field(default_factory=OutSide)
    searched: Searched = field(default_factory=Searched)
    handles: Mapping[str, set[bytes]] = field(default_factory=dict)
    workers: Sequence[str] = ()
    log_lines: Counter[str] = field(default_factory=Counter)
    metrics: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    breaches: Sequence[str] = ()
    judged: int = 0
    example: Example | None = None
