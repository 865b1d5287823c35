r"""Languages: every string that a `matches` pattern accepts, counted out when the contract is loaded.

The parse is greenery's; the expansion is ours, so that a small pattern with a huge automaton (`a{1000}`) costs nothing:
each part is given only the characters that the others leave. Every string is then shown to RE2, which is what readers
of the pattern have in mind; where the two disagree the pattern is refused. Never raises on a pattern but `Unusable`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import greenery
import re2
from greenery.parse import NoMatch

MAX_STRINGS: Final = 65_536
MAX_LENGTH: Final = 256
MAX_PATTERN: Final = 512
MAX_GROUPS: Final = 32
_MAX_WORK: Final = 1_000_000
# Where greenery and RE2 read one spelling in two ways, neither is taken: anchors, escapes of letters other than \d and
# \w, groups with flags, POSIX classes, and whatever is not printable ASCII.
_REFUSED: Final = re.compile(r"[^ -~]|\\[^dw\W]|\(\?(?!:)|\[\[:|(?<!\[)\^|\$|\{,")

_CLASS: Final = re.compile(r"\[\^?((?:\\.|[^\]\\])+)\]")
# A dash at either end of a class, after a range, or beside \d or \w: most engines take it for itself.
_DASH: Final = re.compile(r"^-|(?<!\\)-$|[^\\]-[^\\]-|\\[dw]-|-\\[dw]")


class Unusable(Exception):  # noqa: N818 - the pattern's verdict, turned into a finding by its caller
    """A pattern that cannot be counted out; the message says why, without quoting it."""


@lru_cache(maxsize=64)
def strings(pattern: str, max_length: int) -> tuple[str, ...]:
    """All strings of at most `max_length` characters that the pattern accepts, sorted.

    Raises:
        Unusable: there are none or too many, or the pattern means different things to different engines.
    """
    if len(pattern) > MAX_PATTERN or pattern.count("(") > MAX_GROUPS:
        raise Unusable(f"it is longer than {MAX_PATTERN} characters or has more than {MAX_GROUPS} groups")
    if found := _REFUSED.search(pattern):
        raise Unusable(f"{_why_refused(found[0])} (character {found.start() + 1})")
    try:
        tree = greenery.parse(pattern)
    except (NoMatch, ValueError, ArithmeticError, LookupError, RecursionError, AssertionError):
        raise Unusable(_why_unparsed(pattern)) from None
    accepted = _Expansion().pattern(tree, max_length)
    if not accepted:
        raise Unusable(f"it accepts nothing of at most {max_length} characters")
    _ask_re2(pattern, accepted)
    return tuple(sorted(accepted))


def _why_refused(found: str) -> str:
    """Why a part of a pattern is not taken, and what to write; quotes syntax alone, no letter of the author's."""
    match found:
        case "^" | "$" | r"\A" | r"\z" | r"\Z":
            return f"remove the anchor {found}: a pattern always matches the whole text"
        case r"\b" | r"\B":
            return f"{found} is not taken: a pattern always matches the whole text"
        case r"\s" | r"\S" | r"\D" | r"\W":
            return f"{found} is not taken: list the characters, as in [ab]"
        case "(?":
            return "a group with a flag or a name is not taken: write (…) or (?:…)"
        case "[[:":
            return "a POSIX class is not taken: write a range, as in [a-z]"
        case "{,":
            return "a count without its least is not taken: write {0,n}"
        case _ if not found.isascii():
            return "only ASCII is taken; a long dash or a typographic quote looks like one and is none"
        case _:
            return "what stands there is not taken"


def _why_unparsed(pattern: str) -> str:
    for inside in _CLASS.findall(pattern):
        if _DASH.search(inside):
            return r"in a class, write a dash that stands for itself as \-, as in [a-z\-]"
    if r"\-" in _CLASS.sub("", pattern):
        return "outside a class, write a dash as -, without a backslash"
    return "it cannot be parsed"


def _ask_re2(pattern: str, accepted: set[str]) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error:
        raise Unusable("RE2 does not take it") from None
    if not all(compiled.fullmatch(text) for text in accepted):
        raise Unusable("RE2 reads it otherwise")


class _Expansion:
    """Expands greenery's tree: a pattern is alternatives, an alternative a row of multiplied classes or patterns."""

    def __init__(self) -> None:
        self._work = 0

    def pattern(self, pattern: Any, room: int) -> set[str]:
        """What it accepts in at most `room` characters."""
        accepted: set[str] = set()
        for row in pattern.concs:
            accepted |= self._row(row.mults, room)
            self._spend(0, accepted)
        return accepted

    def _row(self, mults: Any, room: int) -> set[str]:
        # Heads leave the rest its least length, so each can be completed: there are never more heads than results.
        rest = sum(_least_mult(mult) for mult in mults)
        if rest > room:
            return set()
        heads = {""}
        for mult in mults:
            rest -= _least_mult(mult)
            shortest = min(map(len, heads))
            heads = self._join(heads, self._mult(mult, room - rest - shortest), room - rest)
            if not heads:
                return heads
        return heads

    def _mult(self, mult: Any, room: int) -> set[str]:
        low, high = mult.multiplier.min.v, mult.multiplier.max.v
        if low * _least(mult.multiplicand) > room:
            return set()
        unit = self._unit(mult.multiplicand, room)
        done, accepted = 0, {""}
        while done < low:
            grown = self._join(accepted, unit, room)
            done += 1
            if grown == accepted:  # nothing but the empty string is added any more
                break
            accepted = grown
        fresh = accepted
        while fresh and (high is None or low < high):
            fresh = self._join(fresh, unit, room) - accepted
            accepted = accepted | fresh
            low += 1
        return accepted

    def _unit(self, multiplicand: Any, room: int) -> set[str]:
        if not hasattr(multiplicand, "ord_ranges"):
            return self.pattern(multiplicand, room)
        if multiplicand.negated:
            raise Unusable("a class that is defined by what it leaves out accepts too much")
        chars = {chr(code) for low, high in multiplicand.ord_ranges for code in range(low, high + 1)}
        return chars if room > 0 else set()

    def _join(self, heads: set[str], tails: set[str], room: int) -> set[str]:
        accepted: set[str] = set()
        by_length: dict[int, list[str]] = {}
        for head in heads:
            by_length.setdefault(len(head), []).append(head)
        for tail in tails:
            for length, alike in by_length.items():
                if length <= room - len(tail):  # what does not fit costs nothing
                    accepted.update(head + tail for head in alike)
                    self._spend(len(alike), accepted)
            self._spend(1, accepted)
        return accepted

    def _spend(self, work: int, accepted: set[str]) -> None:
        self._work += work
        if len(accepted) > MAX_STRINGS:
            raise Unusable(f"it accepts more than {MAX_STRINGS:,} strings")
        if self._work > _MAX_WORK:
            raise Unusable("it is too ambiguous to be counted out")


def _least(multiplicand: Any) -> int:
    """The fewest characters that a class or a pattern takes."""
    if hasattr(multiplicand, "ord_ranges"):
        return 1
    return min((sum(map(_least_mult, row.mults)) for row in multiplicand.concs), default=MAX_LENGTH + 1)


def _least_mult(mult: Any) -> int:
    least: int = mult.multiplier.min.v * _least(mult.multiplicand)
    return least
