"""What a replay is to do, as one value, and the name that follows from it.

The name comes from what is asked and from the contract, so the same command, interrupted and repeated, is the same
replay and goes on where its last commit was; under a changed contract it is another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import orjson

from pipelines.contract.model import Contract, Event
from pipelines.relay.settings import WorkerSettings
from pipelines.replay.selection import Selection
from pipelines.trouble import Exit, Trouble


@dataclass(frozen=True, slots=True)
class Task:
    """Take a selection of an event type's raw events; `again`: also to topics that have their records already."""

    event: str
    selection: Selection
    again: bool = False

    def name(self, contract: Contract, topic_id: bytes) -> str:
        """16 hexadecimal digits, the same for the same task, contract and raw topic (which one, by its id)."""
        said = [self.event, self.again, self.selection.spelled(), contract.digest.hex(), topic_id.hex()]
        return sha256(orjson.dumps(said)).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings(WorkerSettings):
    """A replay's slot: it has a group of its own, and shares its transactional id with all replays of the event type.

    So a replay that is repeated finds its own offsets, and of two at once the later fences the earlier.
    """

    event: str
    name: str

    @property
    def group(self) -> str:
        """The group whose offsets say how far this replay is. Nobody ever joins it."""
        return f"minimizer.{self.source}.replay.{self.name}"

    @property
    def slot_id(self) -> str:
        """The transactional id."""
        return f"minimizer.{self.source}.replay.{self.event}"

    @property
    def fences_borne(self) -> int:
        """None: what a rival sent is not known here."""
        return 0

    @property
    def bears_silence_s(self) -> float:
        """A minute: whoever runs the command waits for its end, and can repeat it."""
        return 60.0

    @property
    def rival_hint(self) -> str:
        """What to do about a rival."""
        return "Wait until it is done, then repeat this command; nothing is sent twice."


def event_of(contract: Contract, name: str) -> Event:
    """An event type of the contract.

    Raises:
        Trouble: there is none of that name (exit 2).
    """
    event = contract.events.get(name)
    if event is None:
        raise Trouble(
            f"the contract has no event type {name}",
            hint=f"Its event types are: {', '.join(sorted(contract.events))}.",
            exit_code=Exit.USAGE,
        )
    return event


def views_of(event: Event, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The topics of an event type's views: those that were asked for, or all; in the policy's order.

    Raises:
        Trouble: it has no such view (exit 2).
    """
    known = [view.topic for view in event.views]
    for topic in asked:
        if topic not in known:
            raise Trouble(
                f"{event.name} has no view for the topic {topic}",
                hint=f"It has views for: {', '.join(known)}.",
                exit_code=Exit.USAGE,
            )
    return tuple(topic for topic in known if topic in asked or not asked)
