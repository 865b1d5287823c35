"""Raw events that get too old for a view while workers come and go: exactly those are left out, and counted.

When an event was judged is told by the broker: between the commit before its own and its own, which carry their times
(before the first one: when workers began). An event whose `late` passed between the two may be out or expired.
Everything else is exact.
"""

from __future__ import annotations

import signal
import time
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.broker import Cluster
from pipelines.relay.audit import read_books
from pipelines.relay.books import Books
from pipelines.relay.supervisor import Launch
from tests.faults.ledger import Commit, decode, log_of
from tests.support.oracle import Coordinates, Expectation, committed, differences, expect, reordered
from tests.support.processes import ended
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.waiting import CALL_S, until

LATE_S = 5
EVENTS = 600


@pytest.fixture
def house(tmp_path: Path, cluster: Cluster) -> RelayFixture:
    return build(tmp_path, cluster, late=f"{LATE_S}s")


@dataclass
class Commits:
    """The group's commits of each raw partition, in their order: where they end, and when they were."""

    began_ms: int
    ends: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    times_ms: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, house: RelayFixture, began_ms: int) -> Commits:
        commits, group = cls(began_ms), house.settings().group
        for key, value in log_of(house.cluster):
            entry = decode(key, value)
            if isinstance(entry, Commit) and entry.group == group and entry.offset is not None:
                commits.ends[entry.topic, entry.partition].append(entry.offset)
                commits.times_ms[entry.topic, entry.partition].append(entry.at_ms)
        return commits

    def before(self, place: Coordinates) -> int:
        """An event was not judged earlier."""
        topic, partition, _ = place
        return [self.began_ms, *self.times_ms[topic, partition]][self._number(place)]

    def own(self, place: Coordinates) -> int:
        """An event was not judged later."""
        topic, partition, _ = place
        return self.times_ms[topic, partition][self._number(place)]

    def reach(self, books: Books) -> bool:
        """Whether the last commit of each partition is among them."""
        return all(self.ends[place][-1:] == [book.next_offset] for place, book in books.items())

    def _number(self, place: Coordinates) -> int:
        topic, partition, offset = place
        return bisect_right(self.ends[topic, partition], offset)


def judged(house: RelayFixture, began_ms: int) -> tuple[dict[str, int], Expectation, Expectation]:
    """Violations; what must be out at least; what may be out at most."""
    books = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S))
    # Others' open transactions hold the log's stable end back, until they time out.
    until(lambda: Commits.of(house, began_ms).reach(books), "the last commits in the log")
    commits = Commits.of(house, began_ms)
    least = expect(house.contract, house.cluster, house.keyring, now_ms=commits.own)
    most = expect(house.contract, house.cluster, house.keyring, now_ms=commits.before)
    records, notes = committed(house.contract, house.cluster)
    missing, surplus = differences(least, records, notes), differences(most, records, notes)
    found = {
        "lost": missing.get("lost", 0),
        "duplicated": surplus.get("duplicated", 0),
        "unexplained": surplus.get("unexplained", 0),
        "reordered": reordered(most, records),
    }
    return {kind: count for kind, count in found.items() if count}, least, most


def records_of(expectation: Expectation, topic: str) -> int:
    """How many records a topic gets."""
    return sum(where == topic for where, _ in expectation.origin)


def publish(house: RelayFixture) -> None:
    house.publish([*(house.ping(n) for n in range(EVENTS - 2)), b"not avro", house.ping(4001)])


def killed_at_work(house: RelayFixture) -> None:
    """A worker's process that is killed as soon as anything is committed."""
    before = {
        place: book.next_offset
        for place, book in read_books(house.contract, house.cluster.admin(timeout_s=CALL_S)).items()
    }
    with Launch().process() as process:
        assert process.stdin is not None
        process.stdin.write(house.settings(batch_events=50).to_json() + b"\n")
        process.stdin.flush()

        def further() -> bool:
            books = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S))
            return any(book.next_offset > before.get(place, 0) for place, book in books.items())

        until(further, "a commit")
        process.kill()
        assert ended(process, "the killed worker") == -signal.SIGKILL


def test_what_is_too_late_when_it_is_judged_is_left_out_and_counted_over_kills(house: RelayFixture) -> None:
    publish(house)
    time.sleep(LATE_S + 0.5)
    began_ms = int(time.time() * 1000)
    publish(house)
    killed_at_work(house)
    time.sleep(LATE_S / 2)
    publish(house)
    killed_at_work(house)
    published = 3

    def in_time() -> bool:
        nonlocal published
        since = time.monotonic()
        publish(house)
        published += 1
        house.wait_until_through()
        return time.monotonic() - since < LATE_S

    with running(house.worker(batch_events=50)) as raised:
        until(in_time, "events that are judged before they are too late", progress=lambda: published)
    assert raised == []
    found, least, most = judged(house, began_ms)
    assert found == {}
    books = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S)).values()
    assert [book.imbalances() for book in books] == [[]] * len(books)
    records, _ = committed(house.contract, house.cluster)
    out = sum(record.topic == house.handled for record in records)
    fates = [book.views[house.handled] for book in books]
    assert sum(fate.out for fate in fates) == out
    # The malformed events and those out of bounds: quarantined, or expired.
    odd = sum(fate.quarantined for fate in fates)
    assert sum(fate.expired for fate in fates) == published * EVENTS - out - odd
    # The first ones were too late before anybody could judge them.
    assert 0 < records_of(least, house.handled) <= out <= records_of(most, house.handled) <= (published - 1) * EVENTS


@pytest.mark.parametrize(("ahead_s", "found"), [(-3600, set[str]()), (3600, {"lost"})])
def test_a_worker_that_is_behind_judges_by_the_brokers_time_and_one_that_is_ahead_is_found_out(
    house: RelayFixture, ahead_s: int, found: set[str]
) -> None:
    publish(house)
    time.sleep(LATE_S + 0.5)
    began_ms = int(time.time() * 1000)
    with running(house.worker(clock=lambda: time.time() + ahead_s)) as raised:
        house.wait_until_through()
        publish(house)
        house.wait_until_through()
    assert raised == []
    violations, _, _ = judged(house, began_ms)
    assert set(violations) == found
