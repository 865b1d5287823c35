"""One transaction of a replay: what the lanes gave, without what is there already, and marked as replayed."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from pipelines.envelope import quarantine_record
from pipelines.relay.batch import Batch
from pipelines.replay.presence import Present, fingerprint
from pipelines.replay.tally import Tally

HEADER: Final = "ce_replay"


@dataclass(slots=True)
class ReplayBatch(Batch):
    """A batch whose records are chosen before it is delivered."""

    def choose(self, name: str, present: Mapping[str, Present], notes: AbstractSet[bytes], tally: Tally) -> None:
        """Take the lanes' records, but those that their topics have, and the notes, but those that are known.

        Args:
            name: the replay's, for the header.
            present: topic → the records that it has and that are not to be sent again.
            notes: the fingerprints of the notes that quarantine has.
            tally: told of each record that is held back.
        """
        parcels = self.parcels()
        for parcel in parcels:
            there = present[parcel.topic].places(parcel) if parcel.topic in present else frozenset()
            for _ in there:
                tally.hold_back(parcel.topic)
            parcel.arrange([place for place in range(parcel.size()) if place not in there])
            parcel.headers = [*parcel.headers, (HEADER, name.encode())]
        self.ordered, self.loose = parcels, {}
        for kind, offsets in self.quarantine.items():
            unknown = [offset for offset in offsets if fingerprint(quarantine_record(kind, offset)) not in notes]
            self.quarantine[kind] = unknown
