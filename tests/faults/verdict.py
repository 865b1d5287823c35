"""Judging a run: what must be there against what is there, and the group's books against both. Pure, but for files.

A violation is told by its kind and number, never by a record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.computing import BUCKETS, NO_LANE, Counted, Entry, entries
from tests.faults.ledger import Ledger
from tests.faults.reader import differing


@dataclass(slots=True)
class Verdict:
    """How many of each kind of violation.

    `unseen` are records that are there at the end and that the reader all along never got.
    """

    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    unexplained: int = 0
    aborted_visible: int = 0
    unseen: int = 0
    offset_regressions: int = 0
    accounting_errors: int = 0
    not_in_raw: int = 0
    undecodable_commits: int = 0

    @property
    def violations(self) -> int:
        """All of them."""
        return (
            self.lost
            + self.duplicated
            + self.reordered
            + self.unexplained
            + self.aborted_visible
            + self.unseen
            + self.offset_regressions
            + self.accounting_errors
            + self.not_in_raw
            + self.undecodable_commits
        )

    def outputs(self, expected: Iterable[Entry], got: Iterable[Entry]) -> None:
        """Compare one bucket, as multisets and in order; `got` keeps each lane's order."""
        wanted, origin = Counter[bytes](), dict[bytes, tuple[int, int]]()
        for entry in expected:
            wanted[entry.digest] += 1
            origin[entry.digest] = (entry.partition, entry.offset)
        left, last = Counter(wanted), dict[tuple[bytes, int], int]()
        for entry in got:
            place = origin.get(entry.digest)
            if place is None:
                self.unexplained += 1
                continue
            left[entry.digest] -= 1
            self.duplicated += left[entry.digest] < 0
            if entry.lane == NO_LANE:
                continue
            lane = (entry.lane, place[0])
            self.reordered += place[1] < last.get(lane, -1)
            last[lane] = max(place[1], last.get(lane, -1))
        self.lost += sum(count for count in left.values() if count > 0)

    def readers(self, along: Path, final: Path) -> None:
        """Compare what was read all along with what is there at the end."""
        only_along, only_final = differing(along, final)
        self.aborted_visible += only_along
        self.unseen += only_final

    def books(self, ledger: Ledger, counted: Counted, raw_topic: str, views: Iterable[str]) -> None:
        """Compare the commits with each other, and the last ones with what raw obliges to."""
        self.offset_regressions += ledger.regressions
        self.accounting_errors += ledger.errors
        self.undecodable_commits += ledger.undecodable
        topics = tuple(views)
        for partition in counted.events.keys() | {number for _, number in ledger.standing}:
            standing = ledger.standing.get((raw_topic, partition))
            if standing is None:
                self.accounting_errors += 1
                continue
            self.accounting_errors += standing.events_in != counted.events[partition]
            self.accounting_errors += standing.gap != 0
            self.accounting_errors += set(standing.views) != set(topics)
            for topic in topics:
                must = [0, counted.out[topic, partition], counted.quarantined[topic, partition], 0, 0]
                self.accounting_errors += standing.views.get(topic) != must


def judge(folder: Path, ledger: Ledger, counted: Counted, raw_topic: str, views: Iterable[str]) -> Verdict:
    """The verdict over a run's folder."""
    verdict = Verdict()
    for bucket in range(BUCKETS):
        verdict.outputs(entries(folder / "expected", bucket), entries(folder / "got", bucket))
    verdict.readers(folder / "along", folder / "final")
    verdict.books(ledger, counted, raw_topic, views)
    return verdict
