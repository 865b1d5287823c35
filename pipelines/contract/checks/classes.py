"""Checks of classes: what a field's class lets a view say of it, whichever way a path comes to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.actions import Count, CountWhere, Handle, Present, Truncate
from pipelines.contract.avro import FieldClass
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft, EventDraft
from pipelines.contract.path import Path, Step
from pipelines.contract.reach import Reach, reach, to_array
from pipelines.contract.report import Mistake
from pipelines.contract.view import STRICTEST_FIRST, Resolved, strictest

PROTECTED: Final = frozenset({FieldClass.CONTENT, FieldClass.CREDENTIAL, FieldClass.NETWORK_IDENTIFIER})
IDENTIFIERS: Final = {FieldClass.DEVICE_IDENTIFIER: "device", FieldClass.ACCOUNT_IDENTIFIER: "account"}
_KEYS_OF_WORDS: Final = (FieldClass.CONTENT, FieldClass.CREDENTIAL)
_KEYS_OF_IDS: Final = (FieldClass.NETWORK_IDENTIFIER, FieldClass.EVENT_ID, *IDENTIFIERS)


def map_keys(draft: Draft) -> Iterator[Mistake]:
    """A path that names a map's entry tells whether that key is there: a key is data of the map's class."""
    for _, _, line in draft.lines():
        if _tells_of_a_key(line):
            allowed = "whether the entry is `present`, or nothing" if line.key_class in _KEYS_OF_WORDS else "nothing"
            what = f"'{line.rule.path}' names an entry of a map of class {line.key_class}: only {allowed}."
            yield Mistake(line.rule.position, what, "Count the map, or put it under `never`.")


def item_by_item(draft: Draft) -> Iterator[Mistake]:
    """One word for each item is the exact length of the array, where only a coarse count is allowed."""
    for line, classes in _told(draft):
        class_ = strictest(classes & PROTECTED)
        counted = isinstance(line.rule.action, (Count, Present))
        if class_ is not None and counted and to_array(line.rule.path) is not None:
            what = f"'{line.rule.path}' is of class {class_}: a word for each item says exactly how many there are."
            yield Mistake(line.rule.position, what, "Count the array (`count` is coarse), or `never`.")


def protected(draft: Draft) -> Iterator[Mistake]:
    """Content, credentials and network identifiers: how many there are and whether there is one, no more."""
    for line, classes in _told(draft):
        class_ = strictest(classes & PROTECTED)
        if class_ is not None and not isinstance(line.rule.action, (Count, Present)):
            what = f"'{_spelled(line)}' is of class {class_}: only `count` of arrays and maps, `present`, or nothing."
            yield Mistake(line.rule.position, what, "Use one of these, or `never`.")


def identifiers(draft: Draft) -> Iterator[Mistake]:
    """Identifiers, and what consists of nothing else: under a handle or not at all."""
    for line, classes in _told(draft):
        class_ = strictest(classes & IDENTIFIERS.keys())
        if class_ is not None and not isinstance(line.rule.action, Handle):
            what = f"'{_spelled(line)}' is of class {class_}: only `handle`, or nothing."
            yield Mistake(line.rule.position, what, "Use `handle` where the purpose names it, or `never`.")


def event_ids(draft: Draft) -> Iterator[Mistake]:
    """The producer's event id would tie the views of one event together."""
    for line, classes in _told(draft):
        if FieldClass.EVENT_ID in classes:
            what = f"'{_spelled(line)}' is of class event_id, which no view may use."
            yield Mistake(line.rule.position, what, "Remove the line; every record gets an id of its own (ce_id).")


def event_times(draft: Draft) -> Iterator[Mistake]:
    """When something happened: to the view's step, since any other action could tell it exactly."""
    for line, classes in _told(draft):
        told = (Truncate, Present, Count, Handle)  # a handle of a time is another check's matter
        if FieldClass.EVENT_TIME in classes and not isinstance(line.rule.action, told):
            what = f"'{_spelled(line)}' is of class event_time: only `truncate`, `present`, `count`, or nothing."
            yield Mistake(line.rule.position, what, "Make it a timestamp and truncate it, or `never`.")


def _told(draft: Draft) -> Iterator[tuple[Resolved, frozenset[FieldClass]]]:
    """Every line with the classes of what it tells of; without those that a map's keys refuse already."""
    for event, _, line in draft.lines():
        if not _tells_of_a_key(line):
            yield line, line.told | _compared(event, line)


def _tells_of_a_key(line: Resolved) -> bool:
    if line.key_class in _KEYS_OF_IDS:
        return True
    return line.key_class in _KEYS_OF_WORDS and not isinstance(line.rule.action, Present)


def _compared(event: EventDraft, line: Resolved) -> frozenset[FieldClass]:
    """The class of the field that `count_where` compares; nothing for every other action."""
    action = line.rule.action
    if not isinstance(action, CountWhere):
        return frozenset()
    *before, last = line.rule.path.steps
    found = reach(event.versions, Path((*before, Step(last.field, items=True), Step(action.field))))
    class_ = strictest(one.field.class_ for one in found.found) if isinstance(found, Reach) else None
    # It was found once, and is a leaf; should it not be now, nothing may be told.
    return frozenset({class_ or STRICTEST_FIRST[0]})


def _spelled(line: Resolved) -> str:
    """The path whose value an action tells of: `count_where` tells of the field that it compares."""
    action = line.rule.action
    return f"{line.rule.path}[].{action.field}" if isinstance(action, CountWhere) else str(line.rule.path)


CHECKS: Final = (
    Check(
        "class-map-key",
        "Of a map's entry nothing is told where keys are identifiers, and only presence where they are protected.",
        map_keys,
    ),
    Check(
        "class-in-array", "Of content, credentials and network identifiers nothing is told item by item.", item_by_item
    ),
    Check(
        "class-protected",
        "Of content, credentials and network identifiers only counts and presence are told.",
        protected,
    ),
    Check("class-identifier", "An identifier, or what consists of them, is under a handle or not there.", identifiers),
    Check("class-event-id", "No view uses an event_id.", event_ids),
    Check("class-event-time", "A time of the event is truncated, or only said to be there.", event_times),
)
