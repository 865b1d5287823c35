"""Compare a relay's output with the oracle and with the relay's own accounting."""

from __future__ import annotations

from pipelines.relay.audit import read_books
from pipelines.trouble import Exit, Trouble
from tests.support.oracle import committed, differences, expect, reordered
from tests.support.relay_fixture import RelayFixture
from tests.support.waiting import CALL_S, STALLED_S, until


def wait_until_decided(house: RelayFixture) -> None:
    """Wait until all that lies in the output topics is committed or aborted; blocks.

    A commit is acknowledged, and its offsets may be readable, before every partition has its marker: brokers that
    just came back get theirs late, and a reader of committed records ends before them until then.

    Raises:
        StalledError: a transaction hangs.
    """
    admin = house.cluster.admin(timeout_s=CALL_S)
    found = admin.topics([*house.contract.topics, house.contract.quarantine.name])
    partitions = [(name, number) for name, info in found.items() for number in range(info.partitions)]
    ends = admin.offsets(partitions, "latest")
    until(
        lambda: all(
            each.offset >= ends[place].offset
            for place, each in admin.offsets(partitions, "latest", read_committed=True).items()
        ),
        "the markers of every transaction",
        limit_s=STALLED_S,
    )


def outputs_are_exact(house: RelayFixture) -> None:
    expectation = expect(house.contract, house.cluster, house.keyring)
    wait_until_decided(house)
    records, notes = committed(house.contract, house.cluster)
    assert expectation.events.total() > 0
    assert differences(expectation, records, notes) == {}
    assert reordered(expectation, records) == 0
    books = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S))
    assert sum(book.events_in for book in books.values()) == expectation.events.total()
    assert [book.imbalances() for book in books.values()] == [[]] * len(books)


def everything_came_out_once(house: RelayFixture, sent: int) -> None:
    """Compare the raw topic with what was sent, and the output with what the raw topic obliges to."""
    expectation = expect(house.contract, house.cluster, house.keyring)
    wait_until_decided(house)
    records, notes = committed(house.contract, house.cluster)
    assert expectation.events.total() == sent > 0
    found = differences(expectation, records, notes)
    assert not found, found
    assert reordered(expectation, records) == 0


def kept_or_missed_aloud(house: RelayFixture, raised: list[BaseException], sent: int) -> None:
    """What brokers acknowledged and then lost the end of (KAFKA-20734) is there, or the worker says that it is not."""
    if raised:
        [trouble] = raised
        assert isinstance(trouble, Trouble)
        assert trouble.exit_code is Exit.REFUSED
    else:
        everything_came_out_once(house, sent)
