"""The main job at size: traffic of all event types through two workers a source, one of them killed on the way."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.broker import Admin, EmbeddedKafka
from pipelines.contract.model import Contract
from pipelines.relay.audit import read_books
from pipelines.relay.books import Books
from pipelines.simulate import Tally, find
from tests.end_to_end.computing import Place, computing, joined
from tests.end_to_end.searching import Search
from tests.support.commands import COMMAND, Running, done, free_port, running, surroundings
from tests.support.kafka import SHORT_TIMINGS
from tests.support.oracle import Expectation, Record, committed, differences, reordered
from tests.support.processes import finished
from tests.support.through import committed_offsets, wait_until_through
from tests.support.waiting import CALL_S, until

# `make test-long` asks for 200,000.
EVENTS = int(os.environ.get("PIPELINES_JOB_EVENTS", "50000"))
ROOT = Path(__file__).parents[2]
# Two workers share the busiest source; this one is killed.
SOURCE = "proxy"
SLOT = f"minimizer.{SOURCE}.test.0"
LEAST_BACKLOG = EVENTS // 200
LIMIT_S = 600 + EVENTS / 50

pytestmark = [pytest.mark.brokers(1), pytest.mark.timeout(2 * LIMIT_S), pytest.mark.scaled]


@dataclass(frozen=True, slots=True)
class Killed:
    """How one worker stood when it was killed: what it had committed of its partitions, and what was still to do."""

    pid: int
    committed: Mapping[tuple[str, int], int]
    backlog: int


@dataclass(frozen=True, slots=True, repr=False)
class Job:
    """All that the job left behind."""

    contract: Contract
    simulated: dict[str, Any]
    killed: Killed
    books: Books
    expectation: Expectation
    tally: Tally
    records: list[Record]
    notes: list[bytes]
    search: Search
    log: list[dict[str, Any]]
    log_bytes: bytes
    metrics: bytes
    exit_code: int


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    folder = tmp_path_factory.mktemp("main-job")
    for name in ("schemas", "policies"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "topics.yaml", folder)
    kafka = EmbeddedKafka(folder / ".pipelines/broker", settings=SHORT_TIMINGS)
    try:
        kafka.start()
        yield work(Place(folder, kafka.bootstrap))
    finally:
        kafka.stop()
        shutil.rmtree(kafka.folder, ignore_errors=True)  # large, and pytest keeps what is here


def work(place: Place) -> Job:
    lap = Laps()
    folder, contract, admin = place.folder, place.contract(), place.cluster.admin(timeout_s=CALL_S)
    done("topics", "apply", cwd=folder)
    done("keys", "init", cwd=folder)
    lap("topics and keys")
    port = free_port()
    with ExitStack() as stack:
        producing = stack.enter_context(simulating(folder))
        raw = [(topic.name, number) for topic in contract.raw_topics.values() for number in range(topic.partitions)]

        def published() -> int:
            return sum(end.offset for end in admin.offsets(raw, "latest").values())

        until(lambda: published() > EVENTS / 4, "a first backlog", progress=published)
        lap("backlog")
        crew = stack.enter_context(
            running("--workers", "2", "--instance", "test", "--metrics-port", str(port), cwd=folder)
        )
        killed = kill_one_at_work(place, contract, crew)
        lap("killed")
        printed, _ = finished(producing, "`pipelines simulate`", limit_s=LIMIT_S)
        assert producing.returncode == 0
        lap("simulated")
        simulated = orjson.loads(printed)
        busiest = [event for event, _ in Counter(simulated["sent"]).most_common()]
        parts = stack.enter_context(computing(place, busiest, simulated["canaries"]))
        wait_or_say_why(contract, admin, crew)
        lap("relayed")
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=CALL_S).read()
        exit_code = crew.end()
        lap("ended")
        books, search = read_books(contract, admin), Search()
        minimized, notes = all_committed(place, contract, search)
        lap("output read")
        expectation, tally = joined(parts, simulated["canaries"])
        lap("expectation")
    return Job(
        contract=contract,
        simulated=simulated,
        killed=killed,
        books=books,
        expectation=expectation,
        tally=tally,
        records=minimized,
        notes=notes,
        search=search,
        log=crew.lines(),
        log_bytes=crew.log.read_bytes(),
        metrics=metrics,
        exit_code=exit_code,
    )


def wait_or_say_why(contract: Contract, admin: Admin, crew: Running) -> None:
    """Wait until a commit covers every raw event; on failure say which partitions stand, and what was last logged."""
    try:
        wait_until_through(contract, admin, limit_s=LIMIT_S)
    except AssertionError as in_vain:
        books = read_books(contract, admin)
        raw = [(topic.name, number) for topic in contract.raw_topics.values() for number in range(topic.partitions)]
        ends = admin.offsets(raw, "latest")
        left = {place: end.offset - (books[place].next_offset if place in books else 0) for place, end in ends.items()}
        standing = {place: count for place, count in left.items() if count}
        raise AssertionError(f"{in_vain}\n{standing}\n{crew.lines()[-40:]}") from None


class Laps:
    """Says how long what took, for whoever runs pytest with -s."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, what: str) -> None:
        sys.stdout.write(f"{time.monotonic() - self._began:6.1f} s  {what}\n")


def all_committed(place: Place, contract: Contract, search: Search) -> tuple[list[Record], list[bytes]]:
    gc.disable()  # half a million records are kept, none of them garbage
    try:
        return committed(contract, place.cluster, search.look)
    finally:
        gc.enable()


@contextmanager
def simulating(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`pipelines simulate` under way."""
    arguments = ["simulate", "--count", str(EVENTS), "--faults", "0.01", "--seed", "23", "--json"]
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=surroundings(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def kill_one_at_work(place: Place, contract: Contract, crew: Running) -> Killed:
    """Kill a worker that has committed some of its partitions' events and has more to do; wait for its successor."""
    [started] = crew.wait_until_said("worker.started", worker=SLOT)
    admin = place.cluster.admin(timeout_s=CALL_S)

    def at_work() -> Killed | None:
        mine = held(crew.lines())
        books = read_books(contract, admin)
        done_ = {partition: books[partition].events_in for partition in mine if partition in books}
        ends = admin.offsets(mine, "latest")
        backlog = sum(end.offset for end in ends.values()) - sum(done_.values())
        return Killed(started["pid"], done_, backlog) if sum(done_.values()) and backlog > LEAST_BACKLOG else None

    killed = until(
        at_work,
        f"{SLOT} in the middle of its work",
        progress=lambda: committed_offsets(contract, admin),
    )
    os.kill(killed.pid, signal.SIGKILL)
    crew.wait_until_said("supervisor.worker_ended", source=SOURCE, slot=0, exit_code=-signal.SIGKILL)
    crew.wait_until_said("worker.ready", worker=SLOT, times=2)
    return killed


def held(lines: list[dict[str, Any]]) -> set[tuple[str, int]]:
    """The raw partitions that the slot holds, by what it logged."""
    mine: set[tuple[str, int]] = set()
    for line in lines:
        if line["worker"] == SLOT and line["event"].startswith("partitions."):
            named = {(line["topic"], number) for number in line["partitions"]}
            mine = mine | named if line["event"] == "partitions.assigned" else mine - named
    return mine


def test_a_worker_was_killed_at_work_and_another_took_its_slot(job: Job) -> None:
    in_the_end = sum(job.books[partition].events_in for partition in job.killed.committed)
    assert 0 < sum(job.killed.committed.values()) < in_the_end
    assert job.killed.backlog > LEAST_BACKLOG
    pids = [line["pid"] for line in job.log if line["event"] == "worker.started" and line["worker"] == SLOT]
    assert len(pids) == len(set(pids)) == 2
    assert pids[0] == job.killed.pid
    ended = [line for line in job.log if line["event"] == "supervisor.worker_ended"]
    assert [(line["source"], line["slot"], line["exit_code"]) for line in ended] == [(SOURCE, 0, -signal.SIGKILL)]
    assert job.exit_code == 0


def test_every_event_is_in_raw_and_accounted_for_in_each_view(job: Job) -> None:
    assert set(job.simulated["sent"]) == set(job.contract.events)
    assert job.simulated["acknowledged"] == sum(job.simulated["sent"].values()) == EVENTS
    assert job.expectation.events == {f"raw.{event}": count for event, count in job.simulated["sent"].items()}
    assert {partition: book.imbalances() for partition, book in job.books.items() if book.imbalances()} == {}
    assert sum(book.events_in for book in job.books.values()) == EVENTS
    assert sum(book.gap for book in job.books.values()) == 0
    events_in, out = Counter[str](), Counter[str]()
    for (raw_topic, _), book in job.books.items():
        events_in[raw_topic] += book.events_in
        assert set(book.views) == {view.topic for view in job.contract.events[raw_topic[len("raw.") :]].views}
        assert {view.since for view in book.views.values()} == {0}
        for topic, view in book.views.items():
            out[topic] += view.out
    assert events_in == job.expectation.events
    assert out == Counter(record.topic for record in job.records)


def test_the_output_is_what_the_reference_computes_from_raw(job: Job) -> None:
    assert len(job.records) > EVENTS
    assert len(job.notes) > EVENTS // 200
    assert differences(job.expectation, job.records, job.notes) == {}


def test_order_is_kept_per_raw_partition_topic_handle_and_epoch(job: Job) -> None:
    assert len({record.key for record in job.records}) > 200
    assert reordered(job.expectation, job.records) == 0


def test_every_canary_is_in_raw_and_none_is_in_any_byte_that_left(job: Job) -> None:
    assert job.simulated["canaries"] > EVENTS
    assert job.tally.missing == 0
    assert job.search.searched.total() == len(job.records) + len(job.notes)
    assert set(job.search.searched) == {*job.contract.topics, job.contract.quarantine.name}
    assert job.search.leaks == {}


def test_no_canary_and_no_identifier_is_in_a_log_line_or_a_metric(job: Job) -> None:
    assert {line["worker"] for line in job.log} > {SLOT, "supervisor"}
    assert "log.unknown" not in {line["event"] for line in job.log}
    assert b"pipelines_records_out_total{" in job.metrics
    assert find(job.log_bytes) is None
    assert find(job.metrics) is None
