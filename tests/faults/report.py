"""What a run tells: what was really done, what was found, how long recoveries took. Numbers and codes only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from tests.faults.deeds import Deeds
from tests.faults.orders import Line
from tests.faults.plan import IN_FLIGHT, PLACES, Fault
from tests.faults.scaling import Scaler
from tests.faults.verdict import Verdict

# After a broker is back, its clients still need a moment to find it.
_AFTERMATH_S = 5.0


@dataclass(frozen=True, slots=True)
class Outage:
    """From the kill of a broker to when the whole cluster answered again."""

    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Recoveries:
    """Seconds from a kill to the slot's first new commit."""

    alone: tuple[float, ...]
    with_outage: tuple[float, ...]
    unfinished: int = 0
    by_place: dict[str, list[float]] = field(default_factory=dict)


@dataclass(slots=True)
class Done:
    """The faults that really happened."""

    worker_kills: dict[str, int]
    in_flight_hit: int
    broker_kills: int
    scalings: int
    zombies: int
    delayed_commits: int
    delayed_answers: dict[str, int]
    undone: list[str]
    recoveries: Recoveries
    rebalances: int = 0
    events: int = 0
    commits: int = 0
    behind: int = 0

    @classmethod
    def of(
        cls,
        deeds: Sequence[Deeds],
        outages: Sequence[Outage],
        scaler: Scaler,
        undone: Iterable[Fault],
        recoveries: Recoveries,
    ) -> Self:
        """Gather what the actors did."""
        deaths = [death for each in deeds for death in each.deaths]
        places = Counter(death.place for death in deaths)
        return cls(
            {place: places[place] for place in PLACES},
            sum(death.place == IN_FLIGHT and death.hit == "committing" for death in deaths),
            len(outages),
            scaler.done,
            sum(each.zombies for each in deeds),
            sum(each.delayed for each in deeds),
            {str(code): count for code, count in Counter(c for each in deeds for c in each.delayed_answers).items()},
            [f"{fault.what} {fault.number} at {fault.place}" for fault in undone],
            recoveries,
        )


@dataclass(slots=True)
class Report:
    """The whole of it. `suffered_s` is the time up to the last relayed event, without the judgement."""

    asked: dict[str, int]
    done: Done
    verdict: Verdict
    log: dict[str, int]
    options: dict[str, Any]
    suffered_s: float
    seconds: float
    shortfalls: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        done = self.done
        really = {
            "events": done.events,
            "worker_kills": sum(done.worker_kills.values()),
            "broker_kills": done.broker_kills,
            "rebalances": done.rebalances,
            "zombies": done.zombies,
            "delayed_commits": done.delayed_commits,
        }
        self.shortfalls = {
            name: f"{really[name]} of {asked}" for name, asked in self.asked.items() if really[name] < asked
        }

    @property
    def command(self) -> str:
        """How to do the same again."""
        chosen = {**self.asked, **self.options}
        flags = (f"--{name.replace('_', '-')} {value}" for name, value in chosen.items() if value is not None)
        return " ".join(["python -m tests.faults", *flags])

    @property
    def crashes(self) -> int:
        """Workers that ended by a fault of their own."""
        return self.log.get("worker.crashed", 0) + self.log.get("log.unknown", 0)

    @property
    def passed(self) -> bool:
        """All that was asked for was done, and nothing was found."""
        stood = self.done.behind or self.done.recoveries.unfinished
        return not (self.verdict.violations or self.shortfalls or self.crashes or stood)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        done, recovered = self.done, self.done.recoveries
        return {
            "passed": self.passed,
            "events": done.events,
            "worker_kills": sum(done.worker_kills.values()),
            "worker_kills_by_step": done.worker_kills,
            "in_flight_hit": done.in_flight_hit,
            "broker_kills": done.broker_kills,
            "rebalances": done.rebalances,
            "scalings": done.scalings,
            "zombies": done.zombies,
            "delayed_commits": done.delayed_commits,
            "delayed_answers": done.delayed_answers,
            "commits": done.commits,
            **asdict(self.verdict),
            "crashes": self.crashes,
            "behind": done.behind,
            "recovery_s": quantiles(recovered.alone),
            "recovery_with_outage_s": quantiles(recovered.with_outage),
            "recovery_by_step_s": {place: quantiles(times) for place, times in sorted(recovered.by_place.items())},
            "never_recovered": recovered.unfinished,
            "not_done": done.undone,
            "shortfalls": self.shortfalls,
            "asked": self.asked,
            "command": self.command,
            **self.options,
            "log": self.log,
            "suffered_s": round(self.suffered_s, 1),
            "seconds": round(self.seconds, 1),
        }


def recoveries(deeds: Sequence[Deeds], outages: Sequence[Outage], lines: Iterable[Line]) -> Recoveries:
    """How long each slot took to commit again after each death of its worker."""
    commits: dict[int, list[float]] = {}
    for line in lines:
        if line.said == "committed":
            commits.setdefault(line.slot, []).append(line.at)
    alone, with_outage, unfinished = list[float](), list[float](), 0
    by_place: dict[str, list[float]] = {}
    for death in (death for each in deeds for death in each.deaths):
        back = next((at for at in commits.get(death.slot, ()) if at > death.at), None)
        if back is None:
            unfinished += 1
            continue
        overlaps = any(death.at < each.ended + _AFTERMATH_S and back > each.began for each in outages)
        (with_outage if overlaps else alone).append(back - death.at)
        if not overlaps:
            by_place.setdefault(death.place, []).append(back - death.at)
    return Recoveries(tuple(alone), tuple(with_outage), unfinished, by_place)


def quantiles(seconds: Sequence[float]) -> dict[str, float | int]:
    """p50, p95 (nearest rank) and the longest."""
    ordered = sorted(seconds)
    if not ordered:
        return {"n": 0}
    at = {name: ordered[max(0, -(-len(ordered) * share // 100) - 1)] for name, share in (("p50", 50), ("p95", 95))}
    return {**{name: round(value, 3) for name, value in at.items()}, "max": round(ordered[-1], 3), "n": len(ordered)}


def said(log: Path) -> dict[str, int]:
    """Count what the workers logged: lines by event, and by those details that say what to look at."""
    counts = Counter[str]()
    for line in log.read_bytes().splitlines():
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            counts["not JSON"] += 1
            continue
        name = str(document["event"])
        counts[name] += 1
        for detail in ("reason", "exit_code", "walk", "kind", "place"):
            if detail in document:
                counts[f"{name} {document[detail]}"] += 1
    return dict(sorted(counts.items()))
