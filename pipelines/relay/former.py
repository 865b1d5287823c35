"""Who held a partition before, and is gone with a transaction open: its successor ends that, rather than wait for it.

Offsets that were sent and not committed can be read only when their transaction is over: for a process that nobody
restarts, at its timeout and up to a sweep of the coordinator, 30 to 40 s. Every commit says whose it is (`accounting`),
so the successor knows the transactional id, and fences it as a restarted process would (KIP-98). One that is not dead
but slow was put out of the group; it loses the batch that it could no longer call its own, and makes a new producer.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Final

from pipelines.broker import KafkaException, TopicPartition
from pipelines.relay.accounting import committer
from pipelines.relay.station import Station
from pipelines.retention import TRANSACTION_TIMEOUT_MS

_ASK_S: Final = 5.0


def others(station: Station, partitions: list[TopicPartition]) -> frozenset[str] | None:
    """The slots that committed these partitions' offsets last, but for this worker's own; None when nobody answers."""
    settings = station.settings
    # The last offsets that are committed, whatever is open on top of them.
    looking = {"group.id": settings.group, "isolation.level": "read_uncommitted"}
    with closing(station.cluster.consumer(**looking)) as reader:
        try:
            found = reader.committed(partitions, timeout=_ASK_S)
        except KafkaException:
            return None
    return frozenset(place for each in found if (place := committer(each.metadata)) and place != settings.place)


def fence(station: Station, places: Iterable[str]) -> None:
    """End the transactions of these slots.

    Best effort: what is not known, not allowed or not answered in time ends by its timeout, as it would have anyway.
    """
    for place in sorted(places):
        station.beat()
        producer = station.cluster.producer(
            **{
                "transactional.id": f"{station.settings.group}.{place}",
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            }
        )
        try:
            producer.init_transactions(_ASK_S)
        except KafkaException as failure:
            station.log.warning("owner.not_fenced", slot=place, reason=failure.args[0].name())
        else:
            station.log.warning("owner.fenced", slot=place)
