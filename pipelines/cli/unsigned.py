"""UNSIGNED: how commands that show a contract say that nobody has agreed to it yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rich.console import Console
from rich.text import Text


def print_unsigned(
    console: Console, unsigned: Collection[str], purposes: Iterable[str] | None = None, *, topics: Iterable[str] = ()
) -> None:
    """Name the unsigned purposes and topics, nothing if there are none.

    Args:
        console: where to.
        unsigned: the unsigned purposes of the contract.
        purposes: those that are shown; all by default.
        topics: those of `raw`, `quarantine` and `changes` whose review is unsigned.
    """
    for name in sorted(unsigned if purposes is None else set(unsigned).intersection(purposes)):
        line = Text.assemble(("UNSIGNED  ", "bold red"), (name, "bold"), ": no review covers what it would receive. ")
        line.append(f"Nothing is relayed for it before `pipelines review {name}` is signed.")
        console.print(line)
    for subject in sorted(topics):
        line = Text.assemble(
            ("UNSIGNED  ", "bold red"), (subject, "bold"), ": no review covers these topics as they are. "
        )
        line.append(f"Nothing is relayed before `pipelines review {subject}` is signed.")
        console.print(line)
