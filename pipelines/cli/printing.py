"""Printing: how every command writes text and JSON, so that nothing that others wrote can steer a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import orjson


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
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 if indent else None).decode()
    return _escaped(text, _json_escape)


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text that others may have written: one paragraph or more, with a line break after it."""
    click.echo(visible(text), err=err, nl=nl)


def say_json(document: Any, *, indent: bool = True) -> None:
    """Print a document for a program: JSON in UTF-8, whatever encoding the terminal has (RFC 8259)."""
    click.echo(json_text(document, indent=indent).encode())


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    lines = text.split("\n")
    return "\n".join(
        line if line.isprintable() else "".join(char if char.isprintable() else escape(char) for char in line)
        for line in lines
    )


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
