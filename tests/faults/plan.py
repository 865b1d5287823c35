"""What is to go wrong in a run, and in which order: drawn from a seed, and from nothing else. Pure.

Kills are spread evenly over the places where a worker can die, so that the rarest place is reached as often as the
most likely one. Slots take turns; each slot works its share off by itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal

from pipelines.relay.steps import Step

# A commit that its process does not live to hear of: the kill comes from another thread, a moment after `committing`.
IN_FLIGHT: Final = "in-flight"
# Killed from outside, wherever the worker happens to be.
ANYWHERE: Final = "anywhere"
PLACES: Final = (*(str(step) for step in Step), IN_FLIGHT, ANYWHERE)

# Where a worker falls asleep: before, within and at the end of a transaction.
_ASLEEP_AT: Final = (
    Step.POLLED,
    Step.PRODUCING,
    Step.PRODUCED,
    Step.SENDING_OFFSETS,
    Step.OFFSETS_SENT,
    Step.COMMITTING,
)
_LONGEST_FLIGHT_MS: Final = 2.0

What = Literal["kill", "zombie", "delayed-commit"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one worker.

    `place` is where a kill strikes (one of `PLACES`) or where a zombie falls asleep. It is reached for the
    `occurrence`-th time; `delay_ms` later the fault comes.
    """

    number: int
    what: What
    place: str
    occurrence: int
    delay_ms: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of each slot in their order; which broker is killed after which share of them; how many scalings."""

    slots: tuple[tuple[Fault, ...], ...]
    brokers: tuple[tuple[float, int], ...]
    scalings: int

    @property
    def faults(self) -> int:
        """All faults of workers."""
        return sum(map(len, self.slots))


@dataclass(frozen=True, slots=True)
class Wish:
    """How much of what was asked for; JSON shows it beside what was done."""

    events: int
    worker_kills: int
    broker_kills: int
    rebalances: int
    zombies: int
    delayed_commits: int


def draw(wish: Wish, *, workers: int, brokers: int, seed: int) -> Plan:
    """The plan of a seed: the same for the same arguments, in every process."""
    chance = random.Random(seed)
    faults = [_kill(number, chance) for number in range(wish.worker_kills)]
    faults += [
        Fault(len(faults) + number, "zombie", chance.choice(_ASLEEP_AT).value, chance.randint(1, 3), 0.0)
        for number in range(wish.zombies)
    ]
    faults += [
        Fault(len(faults) + number, "delayed-commit", Step.PRODUCED.value, 1, 0.0)
        for number in range(wish.delayed_commits)
    ]
    chance.shuffle(faults)
    kills = [((number + 0.5) / wish.broker_kills, chance.randint(1, brokers)) for number in range(wish.broker_kills)]
    return Plan(tuple(tuple(faults[slot::workers]) for slot in range(workers)), tuple(kills), wish.rebalances)


def _kill(number: int, chance: random.Random) -> Fault:
    place = PLACES[number % len(PLACES)]
    delay_ms = 0.0
    if place == IN_FLIGHT:
        delay_ms = chance.uniform(0.0, _LONGEST_FLIGHT_MS)
    elif place == ANYWHERE:
        delay_ms = chance.uniform(0.0, 1000.0)
    often = 1 if place in {Step.REBALANCING, Step.RECOVERING, Step.STOPPING} else chance.randint(1, 3)
    return Fault(number, "kill", place, often, delay_ms)
