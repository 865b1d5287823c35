"""The books as the cluster has them, for anyone who may read the groups' offsets. Reads no record."""

from __future__ import annotations

from pipelines.broker import Admin
from pipelines.contract.model import Contract
from pipelines.relay.accounting import from_metadata
from pipelines.relay.books import Books
from pipelines.trouble import Exit, Trouble


def read_books(contract: Contract, admin: Admin) -> Books:
    """The books of every raw partition that has any.

    Raises:
        Trouble: the cluster does not answer (exit 3), or an offset has no books with it (exit 4).
    """
    books: Books = {}
    for source in contract.sources:
        group = f"minimizer.{source}"
        for (topic, number), committed in admin.committed(group, _partitions(contract, source)).items():
            try:
                books[topic, number] = from_metadata(committed.offset, committed.metadata)
            except ValueError as why:
                raise Trouble(
                    f"the group {group} has a foreign offset at {topic}/{number}: {why}",
                    hint="Something else commits in this group; find it by its group id and stop it.",
                    exit_code=Exit.REFUSED,
                ) from None
    return books


def behind(contract: Contract, admin: Admin, books: Books) -> int:
    """How many raw offsets no commit covers yet."""
    partitions = [partition for source in contract.sources for partition in _partitions(contract, source)]
    return sum(
        max(0, end.offset - (books[partition].next_offset if partition in books else 0))
        for partition, end in admin.offsets(partitions, "latest").items()
    )


def _partitions(contract: Contract, source: str) -> list[tuple[str, int]]:
    return [
        (event.raw_topic, number)
        for event in contract.events_of(source)
        for number in range(contract.raw_topics[event.raw_topic].partitions)
    ]
