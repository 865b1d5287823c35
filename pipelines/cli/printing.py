"""Printing: how every command writes text and JSON, so that nothing that others wrote can steer a terminal."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import Any, Final, TextIO

import click
import orjson

from pipelines.trouble import Exit, Trouble

_PLAIN: Final = {
    "→": "->",
    "✗": "x",
    "✓": "v",
    "…": "...",
    "·": ".",
    "\u2013": "-",
    "“": '"',
    "”": '"',
    "←": "<-",
    "≥": ">=",
}
_NO_ROOM: Final = "Free some space on that file system."
_NO_LEAVE: Final = "Change its permissions, or name another place."
_HINTS: Final = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EFBIG: _NO_ROOM,
    errno.EACCES: _NO_LEAVE,
    errno.EPERM: _NO_LEAVE,
    errno.EROFS: _NO_LEAVE,
    errno.EEXIST: "Name another place: a file is where a folder belongs.",
    errno.ENOTDIR: "Name another place: a file is where a folder belongs.",
    errno.EISDIR: "Name another place: a folder is where a file belongs.",
    errno.ELOOP: "Name a place without a loop of symbolic links.",
    errno.ENAMETOOLONG: "Name a shorter path.",
    errno.EMFILE: "Raise the limit on open files (`ulimit -n`).",
    errno.ENFILE: "End other programs: this machine has as many open files as it can have.",
    errno.EIO: "Look into the kernel's log: the disk does not answer as it should.",
}
"""What an operating system refuses although the program is right, and the way out."""


def visible(text: str) -> str:
    r"""Return the text with each character that is not printed as an escape such as `\x1b`.

    Line breaks stay. Escapes are Python's: `\xNN`, `\uNNNN`, `\UNNNNNNNN`.
    """
    return _escaped(text, lambda char: ascii(char)[1:-1])


def json_text(document: Any, *, indent: bool = False) -> str:
    r"""Return the document as JSON, in which each character that is not printed is an escape such as `\u001b`.

    Raises:
        TypeError: orjson knows no JSON for a part of the document.
    """
    layout = orjson.OPT_INDENT_2 if indent else 0
    text = orjson.dumps(document, option=layout | orjson.OPT_NON_STR_KEYS).decode()
    return _escaped(text, _json_escape)


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text that others may have written: one paragraph or more, with a line break after it."""
    click.echo(visible(text), err=err, nl=nl)


def say_json(document: Any, *, indent: bool = True) -> None:
    """Print a document for a program: JSON in UTF-8, whatever encoding the terminal has (RFC 8259)."""
    click.echo(json_text(document, indent=indent).encode())


def encodable_streams() -> None:
    """Make standard output and error take any text: what their encoding lacks is written in ASCII or as an escape."""
    codecs.register_error("pipelines", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="pipelines")


def flush(stream: TextIO | None) -> None:
    """Write out what a standard stream holds back, so that its failure is seen now and not by the interpreter's end."""
    if stream is not None and not stream.closed:
        stream.flush()


def discard(stream: TextIO | None) -> None:
    """Let nothing more be written to a standard stream that has failed: Python would fail again as it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # type: ignore[union-attr]  # None is suppressed
        os.close(null)


def refused_by_the_system(error: OSError) -> Trouble | None:
    """Return what the operating system refused, as an operator's trouble; None for what may be a fault of the program.

    An OSError's own message is not shown: only its file name and the system's words for its number.
    """
    if error.errno == errno.ENOENT and (error.strerror or "").startswith("No usable temporary directory"):
        hint = "Free some space in /tmp, or name a folder that can be written to: TMPDIR."
        return Trouble("there is no usable folder for temporary files", hint=hint, exit_code=Exit.USAGE)
    if error.errno not in _HINTS:
        return None
    what = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "a file or standard output"
    said = f"{what} cannot be used: {os.strerror(error.errno)}"
    return Trouble(said, hint=_HINTS[error.errno], exit_code=Exit.USAGE)


def _in_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(char, ascii(char)[1:-1]) for char in text), error.end


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    lines = text.split("\n")
    return "\n".join(
        line if line.isprintable() else "".join(char if char.isprintable() else escape(char) for char in line)
        for line in lines
    )


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
