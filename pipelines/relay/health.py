"""Health: does every slot have a worker, and does it move?

A worker gives a sign of life at each step of a batch, in each idle turn and while it waits for a broker: a busy one is
not stuck, and nor is one whose brokers are away. One that stands in a call or a loop gives none. Reads the workers'
metrics, where the signs are, so it needs nothing of a worker that may be past answering.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry

_BEAT: Final = "pipelines_worker_beat_timestamp_seconds"

WITHIN_S: Final = 90.0
"""How long a worker may be silent. Longer than any call of its takes: the longest asks for committed offsets (60 s)."""


class State(StrEnum):
    """How a slot stands."""

    WORKING = "working"
    STUCK = "stuck"
    ABSENT = "absent"  # it has not begun yet, or has ended and is to be restarted


@dataclass(frozen=True, slots=True)
class Health:
    """One slot's. `silent_s` is how long ago its worker last took a step; None for one that is absent."""

    source: str
    slot: int
    state: State
    silent_s: float | None


def stuck(
    slots: Iterable[tuple[str, int]], registry: CollectorRegistry, now_s: float, within_s: float = WITHIN_S
) -> frozenset[tuple[str, int]]:
    """The slots whose worker is stuck; none while the signs cannot be read. Arguments as for `look`.

    A worker that starts, or dies while it does, has a file of signs that is still empty: no reason to end a run.
    """
    try:
        found = look(slots, registry, now_s, within_s)
    except (struct.error, OSError, ValueError):
        return frozenset()
    return frozenset((one.source, one.slot) for one in found if one.state is State.STUCK)


def look(
    slots: Iterable[tuple[str, int]], registry: CollectorRegistry, now_s: float, within_s: float = WITHIN_S
) -> list[Health]:
    """How each slot (source, number) stands, in their order.

    Args:
        slots: those that ought to have a worker.
        registry: collects what living workers show; one that is dead shows no sign there.
        now_s: seconds since 1970.
        within_s: who was silent for longer is stuck.
    """
    beats = {
        (sample.labels["source"], int(sample.labels["slot"])): sample.value
        for metric in registry.collect()
        if metric.name == _BEAT
        for sample in metric.samples
    }
    return [_health(source, slot, beats.get((source, slot)), now_s, within_s) for source, slot in slots]


def _health(source: str, slot: int, beat_s: float | None, now_s: float, within_s: float) -> Health:
    if beat_s is None:
        return Health(source, slot, State.ABSENT, None)
    silent_s = max(0.0, now_s - beat_s)
    return Health(source, slot, State.WORKING if silent_s <= within_s else State.STUCK, round(silent_s, 1))
