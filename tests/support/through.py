"""Wait for a relay: until a commit covers every raw record, as long as the committed offsets move."""

from __future__ import annotations

from pipelines.broker import Admin, Partition
from pipelines.contract.model import Contract
from pipelines.relay.audit import behind, read_books
from tests.support.waiting import LIMIT_S, until


def committed_offsets(contract: Contract, admin: Admin) -> dict[Partition, int]:
    """Return the next offset of each raw partition that has a commit: what moves when a relay works."""
    return {partition: book.next_offset for partition, book in read_books(contract, admin).items()}


def wait_until_through(contract: Contract, admin: Admin, *, limit_s: float = LIMIT_S) -> None:
    """Wait until a commit covers every raw record of a contract; blocks.

    Raises:
        StalledError: no offset was committed for a long time, or `limit_s` seconds are over.
        Trouble: the cluster does not answer, or an open transaction holds the offsets.

    """
    offsets: dict[Partition, int] = {}

    def through() -> bool:
        books = read_books(contract, admin)
        offsets.update({partition: book.next_offset for partition, book in books.items()})
        return behind(contract, admin, books) == 0

    until(through, "a commit over every raw record", progress=offsets.copy, limit_s=limit_s)
