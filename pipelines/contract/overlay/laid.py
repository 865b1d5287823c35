"""What an overlay did: its edits, each with its own place and the place in the contract that it changes."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.contract.findings import Position
from pipelines.contract.model import Contract, View
from pipelines.contract.node import Node, Scalar


@dataclass(frozen=True, slots=True)
class Edit:
    """One value that the overlay says anew.

    `thing` is its kind and the names that lead to it: ("ttl", topic), ("rule", event, topic, path). `here` is the
    overlay's node, `there` the contract's, or None where the contract leaves a default; `at` is its place.
    """

    thing: tuple[str, ...]
    here: Node
    there: Node | None
    at: Position


@dataclass(frozen=True, slots=True)
class Removed:
    """What is gone under the overlay: named by it, or without anything to do when what it named is gone."""

    purposes: frozenset[str]
    topics: frozenset[str]
    views: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Laid:
    """An overlay that was laid over a contract. `base` is that contract, as it stands without it.

    `moot` are the keys of lines about what is gone by other lines. `ending` are the keys of lines by which an audit
    topic of the contract goes, each with that topic.
    """

    name: str
    base: Contract
    edits: tuple[Edit, ...]
    removed: Removed
    moot: tuple[Scalar, ...]
    ending: tuple[tuple[Scalar, str], ...] = ()

    def view(self, event: str, topic: str) -> View | None:
        """The view as it is without the overlay."""
        found = self.base.events.get(event)
        return None if found is None else next((view for view in found.views if view.topic == topic), None)
