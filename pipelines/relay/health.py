"""Health: does every slot have a worker, and does it move?

A worker gives a sign of life at each step of a batch, in each idle turn and while it waits for a broker: a busy one is
not stuck, and nor is one whose brokers are away. One that stands in a call or a loop gives none. A worker that takes
steps and commits nothing although input waits is stalled: something that a new process would meet, too, stops it. Reads
the workers' metrics, where the signs are, so it needs nothing of a worker that may be past answering.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.multiprocess import mark_process_dead

from pipelines.relay.worker_metrics import UNREADABLE

_BEAT: Final = "pipelines_worker_beat_timestamp_seconds"
_STALLED: Final = "pipelines_worker_stalled_seconds"
_CONTRACT: Final = "pipelines_contract_info"
_BEATS_LIE_IN: Final = "gauge_livemax"

WITHIN_S: Final = 90.0
"""How long a worker may be silent. Longer than any call of its takes: the longest asks for committed offsets (60 s)."""

STALLED_AFTER_S: Final = 300.0
"""For how long a worker may commit nothing while input waits. Longer than all waits of one batch together: for the
transactions of others (45 s), for committed offsets (45 s), for a refusal that may pass (60 s)."""


class State(StrEnum):
    """How a slot stands."""

    WORKING = "working"
    STUCK = "stuck"
    STALLED = "stalled"  # takes steps, and commits nothing although input waits
    ABSENT = "absent"  # it has not begun yet, or has ended and is to be restarted


@dataclass(frozen=True, slots=True)
class Health:
    """One slot's.

    `silent_s` is how long ago its worker last took a step; None for one that is absent. `stalled_s` is for how long the
    worker has run without a commit while input waited. `version` is the release that it runs, and `policy_version` that
    of its contract; None until it has read it.
    """

    source: str
    slot: int
    state: State
    silent_s: float | None
    stalled_s: float = 0.0
    version: str | None = None
    policy_version: str | None = None


def stuck(
    ages_s: Mapping[tuple[str, int], float], registry: CollectorRegistry, now_s: float, within_s: float = WITHIN_S
) -> frozenset[tuple[str, int]]:
    """The slots whose worker is stuck; none while signs of life cannot be read.

    A worker that starts, or dies while it does, has a file of signs that is still empty: no reason to end a run.

    Args:
        ages_s: slot with a process → how long ago that was started; one that never gave a sign is stuck, too.
        registry, now_s, within_s: as for `look`.
    """
    shown = list(registry.collect())
    if any(s.value and s.labels["kind"] == _BEATS_LIE_IN for m in shown if m.name == UNREADABLE for s in m.samples):
        return frozenset()
    found = _look(ages_s, shown, now_s, within_s)
    return frozenset(
        (one.source, one.slot)
        for one in found
        if one.state is State.STUCK or (one.state is State.ABSENT and ages_s[one.source, one.slot] > within_s)
    )


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
    return _look(slots, registry.collect(), now_s, within_s)


def policy_versions(shown: Iterable[Metric]) -> frozenset[str]:
    """Return the policy versions of the contracts that workers run."""
    return frozenset(policy for _, policy in _contracts(shown).values())


def _contracts(shown: Iterable[Metric]) -> dict[tuple[str, int], tuple[str, str]]:
    """Return each slot's release and policy version."""
    return {
        (labels["source"], int(labels["slot"])): (labels["version"], labels["policy_version"])
        for metric in shown
        if metric.name == _CONTRACT
        for labels in (sample.labels for sample in metric.samples if sample.value)
    }


def _look(slots: Iterable[tuple[str, int]], shown: Iterable[Metric], now_s: float, within_s: float) -> list[Health]:
    shown = list(shown)
    contracts = _contracts(shown)
    signs = {
        (metric.name, sample.labels["source"], int(sample.labels["slot"])): sample.value
        for metric in shown
        if metric.name in {_BEAT, _STALLED}
        for sample in metric.samples
    }
    return [
        replace(
            _health(slot, signs.get((_BEAT, *slot)), signs.get((_STALLED, *slot), 0.0), now_s, within_s),
            version=contracts.get(slot, (None, None))[0],
            policy_version=contracts.get(slot, (None, None))[1],
        )
        for slot in slots
    ]


def _health(slot: tuple[str, int], beat_s: float | None, stalled_s: float, now_s: float, within_s: float) -> Health:
    if beat_s is None:
        return Health(*slot, State.ABSENT, None)
    silent_s = max(0.0, now_s - beat_s)
    moves = State.WORKING if stalled_s <= STALLED_AFTER_S else State.STALLED
    state = moves if silent_s <= within_s else State.STUCK
    return Health(*slot, state, round(silent_s, 1), round(stalled_s, 1))


def forget(pid: int, folder: Path) -> None:
    """Put away what a process that ended showed of the present; what it counted stays (Prometheus' multiprocess mode).

    A file that it made and did not fill any more would be taken for one that cannot be read.
    """
    with suppress(FileNotFoundError):  # somebody else put one away meanwhile
        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    for file in folder.glob(f"*_{pid}.db"):
        with suppress(FileNotFoundError):
            if file.stat().st_size == 0:
                file.unlink()
