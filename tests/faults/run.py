"""One run from an empty folder to a report: a Kafka, a contract, workers, faults, and then the judgement."""

from __future__ import annotations

import dataclasses
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pipelines.broker import Door, EmbeddedKafka
from pipelines.relay.settings import WorkerSettings
from tests.faults.computing import compute
from tests.faults.controls import CONTROL, GUARD_OFF, GUARD_OFF_MS, READ_UNCOMMITTED
from tests.faults.crew import Crew
from tests.faults.ledger import Ledger, log_of
from tests.faults.ordeal import Ordeal, Progress, Tell, suffer
from tests.faults.plan import Wish, draw
from tests.faults.proxy import Proxy
from tests.faults.publishing import PARTITIONS, Publisher
from tests.faults.reader import Site, read_all_along
from tests.faults.report import Report, said
from tests.faults.verdict import judge
from tests.support.commands import free_port
from tests.support.kafka import SHORT_TIMINGS, guarded
from tests.support.processes import cpu_of
from tests.support.relay_fixture import RelayFixture, build
from tests.support.waiting import until

SESSION_MS: Final = 2_000
CONSUMER_SESSION_MS: Final = 3_000
_READER_S: Final = 3_600.0
# What the brokers do with the group and its transactions is in their logs, for whoever finds that something stood.
_TALKATIVE: Final = {
    "JAVA_TOOL_OPTIONS": " ".join(
        f"-Dorg.slf4j.simpleLogger.log.org.apache.kafka.coordinator.{room}=info" for room in ("group", "transaction")
    )
    + " -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"
}
_SETTINGS: Final = {
    **SHORT_TIMINGS,
    # The ledger reads every commit, so none may be compacted away.
    "offsets.topic.segment.bytes": str(1 << 30),
    "log.cleaner.enable": "false",
    "group.consumer.min.session.timeout.ms": str(CONSUMER_SESSION_MS),
    "group.consumer.session.timeout.ms": str(CONSUMER_SESSION_MS),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is told; the same options and seed give the same plan."""

    wish: Wish
    brokers: int
    protocol: Literal["classic", "consumer"]
    workers: int
    seed: int
    control: str | None
    limit_s: float
    folder: Path


def run(options: Options, tell: Tell) -> Report:
    """Do it.

    Args:
        tell: told a sentence and the share of what is to be done, now and then.
    """
    started = time.monotonic()
    plan = draw(options.wish, workers=options.workers, brokers=options.brokers, seed=options.seed)
    with ExitStack() as stack:
        proxy, doors = _proxy(options)
        environments = dict.fromkeys(range(1, options.brokers + 1), _TALKATIVE)
        kafka = EmbeddedKafka(
            options.folder / "kafka", options.brokers, _SETTINGS, doors=doors, environments=environments
        )
        stack.enter_context(guarded(kafka))
        tell("Kafka starts", 0.0)
        kafka.start()
        if proxy is not None:
            stack.enter_context(proxy)
        house = build(options.folder / "house", kafka.cluster, partitions=PARTITIONS)
        site = Site(house.folder, kafka.bootstrap)
        stop = stack.enter_context(_reading_along(site, options))
        progress = Progress(plan.faults, options.limit_s)
        publisher = Publisher(house, options.wish.events, progress.remaining_s, options.seed)
        crew = Crew(options.folder, _settings(options, house, doors), options.workers, _environment(options))
        session_s = (SESSION_MS if options.protocol == "classic" else CONSUMER_SESSION_MS) / 1000
        ordeal = Ordeal(plan, kafka, house, crew, publisher, progress, proxy, session_s, options.seed)
        done = suffer(ordeal, tell)
        tell("all faults are over; the reader ends", 1.0)
        stop()
        suffered_s = time.monotonic() - started
        tell("the expected output is computed", 1.0)
        counted = compute(site, options.folder, PARTITIONS)
        ledger = Ledger(house.settings().group)
        ledger.read(log_of(kafka.cluster))
        verdict = judge(options.folder, ledger, counted, house.raw_topic, house.contract.topics)
        verdict.not_in_raw += abs(counted.events.total() - publisher.acknowledged) + publisher.refused
        done.rebalances = len(ledger.generations)
        done.commits = ledger.commits
        done.events = counted.events.total()
    return Report(
        dataclasses.asdict(options.wish),
        done,
        verdict,
        said(options.folder / "workers.log"),
        {name: getattr(options, name) for name in ("brokers", "protocol", "workers", "seed", "control")},
        suffered_s,
        time.monotonic() - started,
    )


def _proxy(options: Options) -> tuple[Proxy | None, dict[int, Door]]:
    if not options.wish.delayed_commits:
        return None, {}
    doors = {node: Door(free_port(), free_port()) for node in range(1, options.brokers + 1)}
    return Proxy({door.advertised_port: door.port for door in doors.values()}), doors


def _settings(options: Options, house: RelayFixture, doors: dict[int, Door]) -> Callable[[int], WorkerSettings]:
    bootstrap = ",".join(f"127.0.0.1:{door.advertised_port}" for door in doors.values()) or house.cluster.bootstrap
    slow = {"slow_commit_ms": GUARD_OFF_MS} if options.control == GUARD_OFF else {}

    def settings(slot: int) -> WorkerSettings:
        plain = house.settings(slot, protocol=options.protocol, session_timeout_ms=SESSION_MS, **slow)
        return dataclasses.replace(plain, bootstrap=bootstrap)

    return settings


def _environment(options: Options) -> dict[str, str]:
    return {CONTROL: options.control} if options.control else {}


@contextmanager
def _reading_along(site: Site, options: Options) -> Iterator[Callable[[], None]]:
    """A second reader, from now on; call what is given to let it read to the end and to wait for it."""
    isolation = "read_uncommitted" if options.control == READ_UNCOMMITTED else "read_committed"
    stop = options.folder / "stop-reading"
    reader = multiprocessing.get_context("spawn").Process(
        target=read_all_along, args=(site, options.folder / "along", isolation, stop), daemon=True
    )
    reader.start()
    working = cpu_of(reader.pid or 0)

    def finish() -> None:
        stop.touch()
        until(lambda: not reader.is_alive(), "the reader that reads all along", progress=working, limit_s=_READER_S)
        if reader.exitcode != 0:
            raise RuntimeError(f"the reader that reads all along ended with {reader.exitcode}")

    try:
        yield finish
    finally:
        if reader.is_alive():
            reader.kill()
            reader.join()
