"""What the topics hold already: ids of records, and notes of quarantine. Reads headers, keeps no value."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from pipelines.broker import Admin, Cluster, headers_of, records
from pipelines.envelope import quarantine_record, read_notes
from pipelines.keys import Subkeys
from pipelines.relay.parcel import Parcel
from pipelines.retention import SLACK_MS, SWEEP_MS, TRANSACTION_TIMEOUT_MS
from pipelines.trouble import Exit, Trouble

MOST_RECORDS: Final = 5_000_000
"""So many ids take some 500 MB."""
_LOOK_S: Final = 0.1
_OPEN_S: Final = (TRANSACTION_TIMEOUT_MS + SWEEP_MS + SLACK_MS) / 1000


@dataclass(frozen=True, slots=True)
class Present:
    """What a topic has: the event ids (16 bytes each) of its records.

    A record is known by the id that it would get now (unless it is sent again on purpose), and by those that it would
    have got from `formers`, the keys that its purpose had then: they change when its rotation does. Sent under another
    id, nobody could tell that it is the same.
    """

    ids: AbstractSet[bytes]
    formers: Sequence[Subkeys]
    again: bool = False

    def places(self, parcel: Parcel) -> frozenset[int]:
        """Which records of a parcel the topic has, by their places in it."""
        found = set[int]()
        if not self.again:
            now = parcel.event_ids(0, parcel.size())
            found |= {place for place, text in enumerate(now) if event_id(text) in self.ids}
        for subkeys in self.formers:
            found |= {place for place, then in enumerate(parcel.ids_under(subkeys)) if then in self.ids}
        return frozenset(found)


def fingerprint(note: bytes) -> bytes:
    """What is remembered of a note."""
    return blake2b(note, digest_size=16).digest()


def ids_in(cluster: Cluster, since_ms: Mapping[str, int]) -> dict[str, set[bytes]]:
    """The event ids (`ce_id`, 16 bytes each) of all committed records from a time on, by topic.

    Args:
        since_ms: topic → the earliest record time that matters.

    Raises:
        Trouble: (exit 4) too many records to remember; (exit 3) a topic cannot be read, or a transaction stays open.
    """
    admin = cluster.admin()
    _wait_for_open_transactions(admin, since_ms)
    _refuse_too_many(admin, since_ms)
    found: dict[str, set[bytes]] = {}
    for topic, begin_ms in since_ms.items():
        mine = found.setdefault(topic, set())
        for record in records(cluster, topic, begin=begin_ms):
            mine.add(event_id(dict(headers_of(record)).get("ce_id", b"")))
    return found


def event_id(text: bytes) -> bytes:
    """The 16 bytes that a `ce_id` spells; nothing for what no minimizer wrote."""
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return b""


def notes_in(cluster: Cluster, topic: str, raw_topic: str, since_ms: int) -> set[bytes]:
    """The fingerprints of all committed notes on a raw topic from a time on; of notes that are counted, of each.

    Raises:
        Trouble: as `ids_in`.
    """
    _wait_for_open_transactions(cluster.admin(), [topic])
    found = set[bytes]()
    for record in records(cluster, topic, begin=since_ms):
        notes = read_notes(record.value() or b"")
        for note in notes.each() if notes and notes.kind.topic == raw_topic else ():
            found.add(fingerprint(quarantine_record(note.kind, note.offset)))
        if len(found) > MOST_RECORDS:
            raise Trouble(
                f"{topic} holds more notes on {raw_topic} since then than the {MOST_RECORDS} that are compared at once",
                hint="Take fewer events: a later --from of a replay, or --view or --code of a retry.",
                exit_code=Exit.REFUSED,
            )
    return found


def _wait_for_open_transactions(admin: Admin, topics: Iterable[str]) -> None:
    """Wait until all that is written now can be read: what lies behind somebody's open transaction cannot."""
    partitions = [(name, number) for name, info in admin.topics(topics).items() for number in range(info.partitions)]
    ends = admin.offsets(partitions, "latest")
    deadline = time.monotonic() + _OPEN_S
    while True:
        stable = admin.offsets(partitions, "latest", read_committed=True)
        behind = sorted({topic for (topic, number), end in ends.items() if stable[topic, number].offset < end.offset})
        if not behind:
            return
        if time.monotonic() > deadline:
            raise Trouble(
                f"a transaction stays open in {', '.join(behind)}",
                hint="Find its producer (kafka-transactions.sh find-hanging) and end it, then repeat this command.",
            )
        time.sleep(_LOOK_S)


def _refuse_too_many(admin: Admin, since_ms: Mapping[str, int]) -> None:
    total = 0
    for topic, info in admin.topics(since_ms).items():
        partitions = [(topic, number) for number in range(info.partitions)]
        begins, ends = admin.offsets(partitions, since_ms[topic]), admin.offsets(partitions, "latest")
        total += sum(ends[place].offset - begin.offset for place, begin in begins.items() if begin.offset >= 0)
    if total > MOST_RECORDS:
        raise Trouble(
            f"the topics hold {total} records since then, more than the {MOST_RECORDS} that are compared at once",
            hint="Take a later --from, or fewer topics with --view.",
            exit_code=Exit.REFUSED,
        )
