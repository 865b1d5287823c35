"""Rounds: every contender on the same raw events, in turn, again and again; each one's output is checked."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench import checking
from bench.contest import Contender, Running, steady, wait_for
from bench.job import Job, make_topics, publish
from pipelines.broker import Cluster

WARM: Final = 0.2  # this share of the events is not measured: imports, first connections, a JIT
_LIMIT_S: Final = 300.0
_SHOWN_US: Final = 0.01


@dataclass(frozen=True, slots=True)
class Figure:
    """One contender in one round."""

    contender: str
    round: int
    events: int
    cpu_us_per_event: float
    events_per_s: float
    rss_mb: int
    bytes_out_per_in: float
    hit_rate: float | None
    thread_us_per_event: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run takes place in: the job, the cluster, the raw topic and how many events and partitions it has."""

    job: Job
    cluster: Cluster
    name: str
    events: int
    partitions: int
    batch_events: int = 2_000
    linger_ms: int = 100
    workers: int = 1

    @property
    def raw_topic(self) -> str:
        """The raw topic: the contract's, because a worker finds it by its name."""
        return self.job.event.raw_topic

    def raw_topic_id(self) -> bytes:
        """Kafka's id of it."""
        return self.cluster.admin().topics([self.raw_topic])[self.raw_topic].topic_id

    def description(self, run: str) -> dict[str, Any]:
        """What a contender is told."""
        job = self.job
        (first, *_) = job.event.views
        headers = {name: text.decode() for name, text in checking.headers_for(job, first, 0, b"0" * 32, b"")}
        return {
            "run": run, "bootstrap": self.cluster.bootstrap, "contract": str(job.folder), "event": job.event.name,
            "views": len(job.event.views), "raw_topic": self.raw_topic, "raw_topic_id": self.raw_topic_id().hex(),
            "topics": list(job.topics(run)), "headers": headers, "schemas": _schemas(job), **job.keys.for_rivals(),
            "partitions": self.partitions,
            "settings": {"batch_events": self.batch_events, "linger_ms": self.linger_ms},
        }  # fmt: skip


def _schemas(job: Job) -> dict[str, Any]:
    raw, view = job.event.versions[-1], job.event.views[0]
    topic = next(iter(job.contract.topics.values()))
    return {
        "raw": raw.text, "raw_fingerprint": raw.fingerprint.hex(),
        "view": view.schema, "view_fingerprint": view.fingerprint.hex(),
        "step_ms": view.step_ms, "ttl_ms": topic.ttl_ms, "rotate_ms": job.contract.purposes[view.purpose].rotate_ms,
    }  # fmt: skip


def run_rounds(
    setting: Setting, contenders: Sequence[Contender], rounds: int, folder: Path, say: Callable[[str], None]
) -> list[Figure]:
    """Publish the raw events, then measure; a contender whose output is wrong ends the run.

    Raises:
        SystemExit: with the contender and what is wrong.
    """
    say(f"publishing {setting.events:,} events")
    race = Race(setting, contenders, folder)
    figures = []
    for number in range(rounds):
        for one in contenders:
            say(f"round {number + 1} of {rounds}: {one.name}")
            figures.append(race.run(one, number))
    return figures


class Race:
    """Contenders on the raw events of one setting, which are published when it is made."""

    def __init__(self, setting: Setting, contenders: Sequence[Contender], folder: Path) -> None:
        publish(setting.job, setting.cluster, setting.raw_topic, setting.events, setting.partitions)
        self._setting = setting
        self._folder = folder
        kinds = {one.name == "passthrough" for one in contenders}
        self._expected = {copies: _expected(setting, copies=copies) for copies in kinds}

    def run(self, one: Contender, number: int) -> Figure:
        """Measure one contender once.

        Raises:
            SystemExit: its output is wrong.
        """
        count = min(self._setting.events, one.most_events or self._setting.events)
        expected = self._expected[one.name == "passthrough"]
        return _measured(self._setting, one, number, count, expected, self._folder)


def _expected(setting: Setting, *, copies: bool) -> checking.Seen:
    if copies:
        return checking.copies(setting.cluster, setting.raw_topic, len(setting.job.event.views))
    return checking.obligations(setting.job, setting.cluster, setting.raw_topic, setting.raw_topic_id())


def _measured(
    setting: Setting, one: Contender, number: int, count: int, expected: checking.Seen, folder: Path
) -> Figure:
    run = f"{setting.name}-{one.name}-{number}"
    topics = setting.job.topics(run)
    make_topics(setting.cluster, list(topics), setting.partitions)
    with ExitStack() as stack:
        log = stack.enter_context((folder / f"{run}.log").open("wb"))
        told = setting.description(run)
        crew = [stack.enter_context(Running(one, {**told, "slot": slot}, log)) for slot in range(setting.workers)]
        wait_for(crew, count, _LIMIT_S)
    begin, end = steady([running.ticks for running in crew], count, WARM)
    read = checking.copied if one.name == "passthrough" else checking.written
    found, bytes_out = read(setting.cluster, topics)
    missing = expected - found if count == setting.events else checking.Seen()
    wrong = (missing + (found - expected)).total()
    if wrong or found.total() < count * len(topics):
        raise SystemExit(f"{one.name} wrote {found.total()} records; {wrong} are missing or not as expected")
    events = end.events - begin.events
    bytes_in = sum(len(key) + len(value) for key, value in setting.job.pool) / len(setting.job.pool)
    return Figure(
        contender=one.name,
        round=number,
        events=events,
        cpu_us_per_event=(end.cpu - begin.cpu) / events * 1e6,
        events_per_s=events / (end.at - begin.at),
        rss_mb=end.peak_mb,
        bytes_out_per_in=bytes_out / found.total() * len(topics) / bytes_in,
        hit_rate=end.hits / (end.hits + end.misses) if end.hits + end.misses else None,
        thread_us_per_event={
            name: (cpu - begin.threads.get(name, 0)) / events * 1e6 for name, cpu in end.threads.items()
        },
    )


def row(name: str, figures: Sequence[Figure]) -> dict[str, Any]:
    """A contender's medians over the rounds, and the spread of its CPU."""
    mine = [figure for figure in figures if figure.contender == name]
    cpus = [figure.cpu_us_per_event for figure in mine]
    return {
        "contender": name,
        "cpu_us_per_event": round(statistics.median(cpus), 2),
        "cpu_us_least": round(min(cpus), 2),
        "cpu_us_most": round(max(cpus), 2),
        "events_per_s": round(statistics.median(figure.events_per_s for figure in mine)),
        "rss_mb": max(figure.rss_mb for figure in mine),
        "bytes_out_per_in": round(statistics.median(figure.bytes_out_per_in for figure in mine), 3),
        "thread_us_per_event": _by_thread(mine),
        "rounds": [asdict(figure) for figure in mine],
    }


def _by_thread(figures: Sequence[Figure]) -> dict[str, float]:
    """The medians of what counts, the most first."""
    names = {name for figure in figures for name in figure.thread_us_per_event}
    medians = {
        name: round(statistics.median(figure.thread_us_per_event.get(name, 0.0) for figure in figures), 2)
        for name in names
    }
    return {name: cpu for name, cpu in sorted(medians.items(), key=lambda it: (-it[1], it[0])) if cpu >= _SHOWN_US}
