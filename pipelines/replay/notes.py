"""Quarantine, read for people who fix things: what failed, where, and for how long it can still be tried again.

The topic takes records of whoever may write to it, so what is not a note of the relay's on an event type, view and
partition of the contract is counted as foreign and neither shown nor followed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from pipelines.broker import Cluster, Message, records
from pipelines.contract.model import Contract
from pipelines.envelope import Kind, Note, read_notes
from pipelines.relay.lane import AHEAD_OF_CLOCK
from pipelines.replay.selection import ByPlace, Place
from pipelines.trouble import Exit, Trouble

MOST_NOTES: Final = 5_000_000
"""So many take some 1.5 GB."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A note, and the broker time at which it was written (of several that say the same: the first)."""

    note: Note
    noted_ms: int


@dataclass(frozen=True, slots=True)
class Wish:
    """Which notes are wanted: those with one of the named values, or any where none is named."""

    events: Collection[str] = ()
    views: Collection[str] = ()
    codes: Collection[str] = ()

    def wants(self, kind: Kind) -> bool:
        """Whether such notes are wanted. One on a whole event has no view, and none is named for it."""
        return (
            (not self.events or kind.event in self.events)
            and (not self.views or kind.view in self.views)
            and (not self.codes or kind.code in self.codes)
        )


@dataclass(frozen=True, slots=True)
class Gathered:
    """The wanted notes by coordinates, each once, and how many records were none of ours."""

    notes: tuple[Noted, ...]
    foreign: int


def gather(contract: Contract, cluster: Cluster, wish: Wish) -> Gathered:
    """Read all of quarantine.

    Raises:
        Trouble: (exit 3) it cannot be read; (exit 4) more than `MOST_NOTES` are wanted.
    """
    return sorted_out(contract, records(cluster, contract.quarantine.name), wish)


def sorted_out(contract: Contract, messages: Iterable[Message], wish: Wish) -> Gathered:
    """What `gather` makes of quarantine's records."""
    first: dict[Note, int] = {}
    read = foreign = 0
    for message in messages:
        notes = read_notes(message.value() or b"")
        if notes is None or not _is_ours(contract, notes.kind):
            foreign += 1
        elif wish.wants(notes.kind):
            read += notes.count
            _refuse_too_many(contract, read)
            noted_ms = message.timestamp()[1]
            for note in notes.each():
                first[note] = min(noted_ms, first.get(note, noted_ms))
    ordered = sorted(first, key=lambda note: (note.topic, note.partition, note.offset, note.view or "", note.code))
    return Gathered(tuple(Noted(note, first[note]) for note in ordered), foreign)


NEVER_WHOLE: Final = {
    "no_value": "the record has no value",
    "not_single_object": "its bytes are not in Avro single-object encoding",
    "too_large": "the raw event is larger than a worker takes",
    "item_limit": "its arrays and maps hold more items than a worker walks",
    "no_broker_time": "no retention can be counted for it",
    "unreadable": "nobody can unpack its batch",
}
"""Faults of a whole event that no change of a schema or a policy takes away -> why."""


def never(note: Note) -> str | None:
    """Why no retry of a note can ever succeed; None if a changed contract may help.

    Other structural faults may depend on what a view reads, since a dropped array is skipped as a block.
    """
    return NEVER_WHOLE.get(note.code) if note.view is None else None


def retries(contract: Contract, gathered: Gathered, now_ms: int) -> dict[str, ByPlace]:
    """What to try again, by event type: each noted event for the views that failed (all, if it failed as a whole)."""
    places: dict[str, dict[tuple[int, int], Place]] = {}
    for each in gathered.notes:
        note = each.note
        known = [view.topic for view in contract.events[note.event].views]
        mine = places.setdefault(note.event, {})
        before = mine.get((note.partition, note.offset), Place((), 0))
        failed = {*before.views, *(known if note.view is None else [note.view])}
        views = tuple(topic for topic in known if topic in failed)
        ahead = note.code == AHEAD_OF_CLOCK.code
        noted_ms = max(before.noted_ms, each.noted_ms, now_ms if ahead else 0)
        mine[note.partition, note.offset] = Place(views, noted_ms, before.ahead or ahead)
    return {
        event: ByPlace(mine, now_ms - contract.raw_topics[contract.events[event].raw_topic].ttl_ms)
        for event, mine in sorted(places.items())
    }


def _is_ours(contract: Contract, kind: Kind) -> bool:
    event = contract.events.get(kind.event)
    return (
        event is not None
        and kind.topic == event.raw_topic
        and kind.partition < contract.raw_topics[kind.topic].partitions
        and (kind.view is None or kind.view in {view.topic for view in event.views})
    )


def _refuse_too_many(contract: Contract, read: int) -> None:
    if read > MOST_NOTES:
        raise Trouble(
            f"{contract.quarantine.name} holds more than {MOST_NOTES} of these notes",
            hint="Take fewer with --event, --view or --code. `pipelines_events_quarantined` counts them all.",
            exit_code=Exit.REFUSED,
        )
