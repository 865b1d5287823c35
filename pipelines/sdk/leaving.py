"""The end of a producer: how its losses are told when nobody asked for a report."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from pipelines.broker import Producer
from pipelines.sdk.account import Account
from pipelines.sdk.report import Unacknowledged
from pipelines.trouble import Trouble


class UnacknowledgedError(Trouble):
    """Events were not acknowledged, and no report had told of them (exit 3)."""

    def __init__(self, unacknowledged: tuple[Unacknowledged, ...], bootstrap: str) -> None:
        super().__init__(
            sentence(unacknowledged, bootstrap),
            hint="Send them again when the broker answers; events that did arrive will then be there twice.",
        )
        self.unacknowledged = unacknowledged


def sentence(unacknowledged: Sequence[Unacknowledged], bootstrap: str) -> str:
    """How many events, and the names of their errors."""
    names = ", ".join(sorted({lost.error for lost in unacknowledged}))
    return f"{len(unacknowledged)} events were not acknowledged by {bootstrap} ({names})"


def leave(producer: Producer, account: Account, bootstrap: str, timeout: float, process: int) -> None:
    """Flush a producer that nobody closed, and say on standard error what was lost. Nothing in a forked child."""
    if os.getpid() != process:
        return
    producer.flush(timeout)
    producer.purge()
    producer.flush(timeout)
    untold = account.untold()
    if untold:
        sys.stderr.write(f"RawProducer was not closed: {sentence(untold, bootstrap)}\n")
