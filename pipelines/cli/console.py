"""The console that every command prints tables and styled text to."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console

from pipelines.trouble import ClosedPipe

_UNLIMITED: Final = 10_000  # columns: whatever reads a pipe or a file gets whole lines


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise ClosedPipe from None


def console(*, stderr: bool = False, whole_lines: bool = True, **options: Any) -> Console:
    """Return a console that prints text as it is and leaves a closed pipe to `main`.

    Args:
        stderr: print to standard error.
        whole_lines: fold lines on a terminal only.
        options: as rich's Console takes them.
    """
    made = _Console(stderr=stderr, highlight=False, markup=False, emoji=False, **options)
    if whole_lines and not made.is_terminal:
        made.width = _UNLIMITED
    return made
