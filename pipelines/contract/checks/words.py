"""Checks of the words that a contract holds: what looks like an identifier does not belong in a policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.actions import Action, CountWhere, Keep, MapTo, Matches, OneOf
from pipelines.contract.avro import AvroType, Enum, not_null
from pipelines.contract.checks.check import Check, warning
from pipelines.contract.draft import Draft
from pipelines.contract.formats import looks_like
from pipelines.contract.report import Mistake
from pipelines.contract.view import Resolved

_MOST_STRINGS: Final = 64  # of the strings that a pattern accepts, spread evenly: they are alike


def identifiers(draft: Draft) -> Iterator[Mistake]:
    """A word that a view writes or compares with, or a map key in its path, in the format of an identifier."""
    for _, _, line in draft.lines():
        found = sorted({one.says for word in _words(line) for one in looks_like(word)})
        if found:
            field = line.rule.path.steps[-1].field
            what = f"The rule of '{field}' compares with or writes a word that looks like {found[0]}."
            remedy = (
                "Take it out of the rule, the list or the enum: everybody who runs or reviews the contract reads it. "
                "Leave it if it is a version or a product's name."
            )
            yield Mistake(line.rule.position, what, remedy)


def _words(line: Resolved) -> Iterator[str]:
    yield from (step.key for step in line.rule.path.steps if step.key is not None)
    yield from (word for word in _of_action(line.rule.action, line.type) if isinstance(word, str))


def _of_action(action: Action, avro_type: AvroType) -> Iterator[object]:
    match action:
        case Keep():
            kept = not_null(avro_type)
            yield from kept.symbols if isinstance(kept, Enum) else ()
        case OneOf(values, otherwise):
            yield from (*values, otherwise)
        case Matches(strings=strings):
            yield from strings[:: max(1, len(strings) // _MOST_STRINGS)]
        case MapTo(pairs, otherwise):
            yield from (word for pair in pairs for word in pair)
            yield otherwise
        case CountWhere(values=values):
            yield from values


CHECKS: Final[tuple[Check, ...]] = (
    warning("word-format", "No word of a rule, list or enum and no map key looks like an identifier.", identifiers),
)
