"""One transaction of a replay: what the lanes gave, without what is there already, and marked as replayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

from pipelines.relay.batch import Batch, Outgoing
from pipelines.replay.presence import event_id, fingerprint
from pipelines.replay.tally import Tally

HEADER: Final = "ce_replay"


@dataclass(slots=True)
class ReplayBatch(Batch):
    """A batch whose records are chosen before it is delivered."""

    chosen: list[Outgoing] = field(default_factory=list)

    def records(self) -> Iterator[Outgoing]:
        """The chosen records."""
        return iter(self.chosen)

    def choose(
        self, name: str, present: Mapping[str, AbstractSet[bytes]], notes: AbstractSet[bytes], tally: Tally
    ) -> None:
        """Take the lanes' records, but those that their topics have, and the notes, but those that are known.

        Args:
            name: the replay's, for the header.
            present: topic → ids of the records that it has and that are not to be sent again.
            notes: the fingerprints of the notes that quarantine has.
            tally: told of each record that is held back.
        """
        for record in Batch.records(self):
            identity = record.headers[0][1]
            known = present.get(record.topic, frozenset())
            if isinstance(identity, bytes) and event_id(identity) in known:
                tally.hold_back(record.topic)
            else:
                self.chosen.append(replace(record, headers=[*record.headers, (HEADER, name.encode())]))
        self.ordered, self.loose = [], []
        self.quarantine = [note for note in self.quarantine if fingerprint(note) not in notes]
