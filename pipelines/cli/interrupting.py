"""Signals that ask a command to end: it unwinds, which closes files and clients, and ends with the documented code.

A command that ends in its own way on a signal (`run`, `demo`, `topics verify --watch`) sets its own handlers.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final, NoReturn

from pipelines.trouble import Exit

_DEFAULTS: Final = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}


@dataclass(slots=True)
class Interruption:
    """Whether a signal came. What it raised in a callback of native code may arrive as another exception."""

    came: bool = False

    def unwind(self, number: int, _frame: FrameType | None) -> NoReturn:
        """Handle a signal."""
        self.came = True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(Exit.INTERRUPTED)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Inside, SIGTERM and SIGHUP raise SystemExit in the main thread, with the exit code of an interruption.

    Ctrl-C raises KeyboardInterrupt, as ever. A signal that somebody ignores (nohup) or handles is left alone. Without a
    handler the first process of a container could not be asked to end at all: the kernel gives it no default for a
    signal (pid_namespaces(7)).
    """
    interruption = Interruption()
    is_main = threading.current_thread() is threading.main_thread()
    replaced = {
        number: default for number, default in _DEFAULTS.items() if is_main and signal.getsignal(number) is default
    }
    for number in replaced:
        signal.signal(number, interruption.unwind)
    try:
        yield interruption
    finally:
        for number, default in replaced.items():
            signal.signal(number, default)
