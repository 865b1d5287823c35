"""Interruptions: a signal ends the demo in order, once, and nothing disturbs the clearing up.

A broker that outlives its demo would hold memory and a port until somebody finds it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

from pipelines.trouble import Exit

# Ctrl-C, what `kill` and service managers send, and a terminal that closes.
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Inside, the first of these signals unwinds the stack, and later ones are ignored. In the main thread only."""
    before = {number: signal.signal(number, _unwind) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def undisturbed() -> None:
    """From here on ignore these signals: clearing up has begun."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    undisturbed()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(Exit.INTERRUPTED)
