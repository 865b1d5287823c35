"""One keyring for all hosts of a deployment: every commit says with which one its handles were made.

Under another keyring, one device would have two handles in one epoch, and a replay would send events again, under ids
of which nobody can tell that they are the same. Nothing else of a keyring lies where all hosts look.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.broker import Admin, Partition
from pipelines.contract.model import Contract
from pipelines.relay.accounting import keyring_mark
from pipelines.relay.settings import GROUP_PREFIX
from pipelines.trouble import Exit, Trouble


def refuse_another(marks: Mapping[Partition, str | None], own: str, replaces: str = "") -> None:
    """Refuse partitions whose last commit was made with another keyring.

    Args:
        marks: partition → the mark in the metadata of its commit; None for one of a release that wrote none.
        own: the mark of this host's keyring; empty for one of version 1, of which nothing can be told.
        replaces: the mark of a lost keyring, which this host's takes the place of.

    Raises:
        Trouble: (exit 4) there is one.
    """
    others = {place: mark for place, mark in marks.items() if own and mark and mark not in {own, replaces}}
    if others:
        (topic, number), mark = min(others.items())
        raise Trouble(
            f"{len(others)} partition(s) were relayed with another keyring, {topic}/{number} with {mark}; this host's "
            f"is {own}. Each device would have two handles",
            hint="All hosts of a deployment share a keyring: copy it here with its key-encryption key (docs/keys.md)."
            f" Only if it is lost for good: `pipelines run --replaces-keyring {mark}`.",
            exit_code=Exit.REFUSED,
        )


def refuse_another_of(contract: Contract, admin: Admin, source: str, own: str, replaces: str = "") -> None:
    """Look at what was committed last of a source, and refuse as above. Waits for no open transaction.

    So a run starts as soon after a crash as it would without this: its workers look again at what they take over.

    Raises:
        Trouble: (exit 4) as above; (exit 3) the cluster does not answer.
    """
    partitions = [
        (event.raw_topic, number)
        for event in contract.events_of(source)
        for number in range(contract.raw_topics[event.raw_topic].partitions)
    ]
    committed = admin.last_committed(f"{GROUP_PREFIX}{source}", partitions)
    refuse_another({place: keyring_mark(found.metadata) for place, found in committed.items()}, own, replaces)
