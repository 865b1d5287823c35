"""Where things stand in Kafka: raw partitions' edges, the relay's offsets, this replay's own. Reads no record."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.broker import Admin, Cluster, Committed, TopicPartition
from pipelines.contract.model import RawTopic
from pipelines.relay.accounting import keyring_mark
from pipelines.relay.one_keyring import refuse_another
from pipelines.replay.selection import Edges, Selection, Spans
from pipelines.replay.tally import Tally
from pipelines.replay.task import ReplaySettings
from pipelines.retention import SLACK_MS
from pipelines.trouble import Exit, Trouble


@dataclass(frozen=True, slots=True)
class Position:
    """How far a replay is: the next offset of each partition, and the counts up to there."""

    offsets: dict[int, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)


class Ledger:
    """Of one replay over one raw topic. Every method raises Trouble (exit 3) when the cluster does not answer."""

    def __init__(self, cluster: Cluster, raw: RawTopic, settings: ReplaySettings) -> None:
        self._admin: Admin = cluster.admin()
        self._raw = raw.name
        self._places = [(raw.name, number) for number in range(raw.partitions)]
        self._settings = settings
        # Never joins its group; it only names it when offsets are sent.
        self._member = cluster.consumer(**{"group.id": settings.group})

    @property
    def membership(self) -> object:
        """In whose name the replay's offsets are committed."""
        membership: object = self._member.consumer_group_metadata()
        return membership

    def close(self) -> None:
        """Let the client go."""
        self._member.close()

    def edges(self, selection: Selection) -> dict[int, Edges]:
        """The edges of every partition."""
        ask, places = self._admin.offsets, self._places
        starts, ends = ask(places, "earliest"), ask(places, "latest")
        since, after = ask(places, selection.since_ms), ask(places, selection.until_ms + SLACK_MS)
        edges = {}
        for place in places:
            end = ends[place].offset
            first, last = (found[place].offset for found in (since, after))
            edges[place[1]] = Edges(starts[place].offset, end, first if first >= 0 else end, last if last >= 0 else end)
        return edges

    def relayed(self, keyring: str) -> dict[int, int]:
        """Up to where the relay has committed; what comes later it will bring itself.

        Raises:
            Trouble: (exit 4) that was with another keyring than the one with this mark.
        """
        committed = self._admin.committed(f"minimizer.{self._settings.source}", self._places)
        refuse_another({place: keyring_mark(found.metadata) for place, found in committed.items()}, keyring)
        return {number: offset.offset for (_, number), offset in committed.items()}

    def position(self) -> Position:
        """Where this replay's last commit left off.

        Raises:
            Trouble: (exit 4) an offset is not a replay's.
        """
        committed = self._admin.committed(self._settings.group, self._places)
        # Every commit carries the counts of the whole replay, so the newest has them all.
        newest = max(map(self._tally, committed.values()), key=lambda tally: tally.batches, default=Tally())
        return Position({number: found.offset for (_, number), found in committed.items()}, newest)

    def oldest_ms(self) -> int | None:
        """The broker time before which a partition may have lost events: that of its oldest record, the latest such."""
        starts = self._admin.offsets(self._places, "earliest")
        trimmed = [place for place, start in starts.items() if start.offset > 0]
        found = self._admin.offsets(trimmed, 1).values()
        return max((each.timestamp_ms for each in found if each.timestamp_ms is not None), default=None)

    def commits(self, position: Position) -> list[TopicPartition]:
        """What a transaction commits of a position."""
        metadata = position.tally.to_metadata()
        return [TopicPartition(self._raw, number, offset, metadata) for number, offset in position.offsets.items()]

    def _tally(self, committed: Committed) -> Tally:
        tally = Tally.from_metadata(committed.metadata)
        if tally is None:
            raise Trouble(
                f"the group {self._settings.group} has a foreign offset",
                hint="Something else commits in this group; find it by its group id and stop it.",
                exit_code=Exit.REFUSED,
            )
        return tally


def before(spans: Spans, ends: dict[int, int]) -> Spans:
    """What of the spans lies before each partition's end; nothing of a partition without one."""
    return {
        number: [(first, min(end, ends.get(number, 0))) for first, end in mine if first < ends.get(number, 0)]
        for number, mine in spans.items()
    }


def after(spans: Spans, starts: dict[int, int]) -> Spans:
    """What of the spans lies at or after each partition's start; all of a partition without one."""
    return {
        number: [(max(first, starts.get(number, 0)), end) for first, end in mine if end > starts.get(number, 0)]
        for number, mine in spans.items()
    }


def length(spans: Spans) -> int:
    """How many offsets the spans hold."""
    return sum(end - first for mine in spans.values() for first, end in mine)
