"""The console that every command prints tables and styled text to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from pipelines.cli.printing import say, visible
from pipelines.text_table import TextTable, wrapped
from pipelines.trouble import ClosedPipe

_UNLIMITED: Final = 10_000  # columns: whatever reads a pipe or a file gets whole lines


class _Console(Console):
    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does, but break lines at spaces only, and no line of `out`."""
        if options.get("no_wrap") or len(objects) != 1 or not isinstance(objects[0], str | Text | TextTable):
            super().print(*objects, **options)
            return
        options["soft_wrap"] = True  # rich neither folds nor crops what is laid out here
        only = objects[0]
        if not isinstance(only, TextTable) and self.is_terminal:
            text = Text(only) if isinstance(only, str) else only
            only = Text("\n").join(
                part for line in text.split("\n", allow_blank=True) for part in wrapped(line, self.width, _hang(line))
            )
        super().print(only, **options)

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


def say_lines(lines: Iterable[str], *, commands: Collection[str] = ()) -> None:
    """Print lines that others may have written a part of, broken at spaces on a terminal.

    Args:
        lines: text, each without its end.
        commands: those of the lines that are for a shell: they are never broken.
    """
    made = console()
    for line in lines:
        if made.is_terminal and line not in commands:
            made.print(visible(line))
        else:
            say(line)


def _hang(line: Text) -> int:
    """The indent of the further lines of a broken one: two more than its own."""
    return len(line.plain) - len(line.plain.lstrip()) + 2
