"""Removing: which views, topics and purposes an overlay takes away, and which of its lines speak of them in vain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from pipelines.contract.model import Contract
from pipelines.contract.node import Scalar
from pipelines.contract.overlay.laid import Removed
from pipelines.contract.overlay.reading import Entry, Words, is_remove
from pipelines.contract.unread import Unread

K = TypeVar("K")
AUDIT: Final = "audit."
"""How the names of topics begin that are audit evidence: the category `audit`."""


def removed(base: Contract, words: Words, unread: Unread) -> Removed:
    """What the overlay removes, and what then has nothing to do: topics without views, purposes without topics.

    Views that could not be read are removed and feed topics as the others do.
    """
    purposes = {name for name, (_, entry) in words.purposes.items() if is_remove(entry)}
    there = {(event.name, view.topic) for event in base.events.values() for view in event.views} | unread.views
    views = {(event, topic) for event, topic in there if _why(words, event, topic)}
    left = {topic for _, topic in there - views}
    fed = {topic for _, topic in there}
    topics = frozenset(
        name
        for name, topic in base.topics.items()
        if topic.purpose in purposes or _goes(words.topics, name) or name in fed - left
    )
    had = {topic.purpose for topic in base.topics.values()}
    has = {topic.purpose for name, topic in base.topics.items() if name not in topics}
    return Removed(frozenset(purposes | (had - has)), topics, frozenset(views))


def _goes(words: Mapping[K, Entry], name: K) -> bool:
    return name in words and is_remove(words[name][1])


def _why(words: Words, event: str, topic: str) -> int:
    """How many lines of the overlay remove a view."""
    purpose = topic.partition(".")[2]
    lines = (_goes(words.purposes, purpose), _goes(words.topics, topic), event in words.events)
    return sum((*lines, _goes(words.views, (event, topic))))


def moot(base: Contract, words: Words, gone: Removed) -> tuple[Scalar, ...]:
    """The keys of lines about what is gone by other lines of the overlay."""
    views = {event.name: [view.topic for view in event.views] for event in base.events.values()}
    found = [key for name, (key, entry) in words.purposes.items() if name in gone.purposes and not is_remove(entry)]
    for name, (key, entry) in words.topics.items():
        by_purpose = _goes(words.purposes, name.partition(".")[2])
        if name in gone.topics and (by_purpose or not is_remove(entry)):
            found.append(key)
    for event, (key, _) in words.events.items():
        if views[event] and all(_why(words, event, topic) > 1 for topic in views[event]):
            found.append(key)
    for (event, topic), (key, entry) in words.views.items():
        if _why(words, event, topic) > is_remove(entry):
            found.append(key)
    return tuple(found)


def ending(base: Contract, words: Words, gone: Removed) -> tuple[tuple[Scalar, str], ...]:
    """The keys of lines that take an audit topic away, by whatever they name, each with that topic."""
    found: list[tuple[Scalar, str]] = []
    for topic in sorted(name for name in gone.topics if name.startswith(AUDIT)):
        feeding = [event.name for event in base.events.values() if any(view.topic == topic for view in event.views)]
        lines = [words.purposes.get(base.topics[topic].purpose), words.topics.get(topic)]
        lines += [words.events.get(event) for event in feeding]
        lines += [words.views.get((event, topic)) for event in feeding]
        found += [(line[0], topic) for line in lines if line is not None and is_remove(line[1])]
    return tuple(found)
