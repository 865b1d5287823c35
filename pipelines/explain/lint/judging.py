"""Judging: from a leaf's tally to what contradicts its class. A finding is a path, a pattern's name and counts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from pipelines.contract.avro import FieldClass
from pipelines.contract.formats import FORMATS
from pipelines.contract.view import STRICTEST_FIRST
from pipelines.explain.lint.tally import Tally

HOME_TO_ALL: Final = (FieldClass.CREDENTIAL, FieldClass.CONTENT)
_VERSION_WORDS: Final = re.compile(
    r"version|build|release|firmware|patch|revision|update|kernel|baseband|bootloader", re.ASCII | re.IGNORECASE
)
_FEW_VALUES: Final = 10
_MANY_VALUES: Final = 50
_EACH: Final = 1.5  # values a device, so that staying with it can be seen
_MANY_DEVICES: Final = 200  # of fewer, hardly two need share a version or a cohort of a hundred
_MOST_LEADING: Final = 2  # a product has few major versions at a time
_SMALL: Final = 100
_DIFFERENT: Final = 0.9
_MOSTLY: Final = 0.5
_PRIVATE: Final = (("192", "168"), ("169", "254"), *(("172", str(second)) for second in range(16, 32)))

DRAWN: Final = "random-values"
UNIQUE: Final = "unique-values"
FOLLOWS: Final = "follows-the-device"
SHAPES: Final = {
    DRAWN: "long values that look drawn at random and hardly repeat",
    UNIQUE: "texts that hardly repeat",
    FOLLOWS: "a value that each device keeps and hardly two share",
}


@dataclass(frozen=True, slots=True)
class LintFinding:
    """A leaf whose values contradict its class.

    `matching` of `values` look like `pattern`, which `says` in words what it is and belongs to `belongs` or stricter.
    """

    path: str
    class_: FieldClass
    pattern: str
    says: str
    belongs: FieldClass
    matching: int
    values: int


def judge(path: str, class_: FieldClass, tally: Tally) -> Iterator[LintFinding]:
    """Everything that contradicts a leaf's class."""
    found = list(_formats(path, class_, tally))
    # What looks like an identifier is told once, by the name of its format.
    yield from found or _shapes(path, class_, tally)


def _formats(path: str, class_: FieldClass, tally: Tally) -> Iterator[LintFinding]:
    told: set[str] = set()
    for one in FORMATS:
        matching = tally.looking[one.name]
        enough = matching > one.least * tally.among[one.name] if one.least else matching > 0
        if not enough or _at_home(class_, one.class_) or (one.name == "imsi" and "imei" in told):
            continue
        if one.name == "ipv4" and _versions(path, tally.addresses):
            continue
        told.add(one.name)
        yield LintFinding(path, class_, one.name, one.says, one.class_, matching, tally.values)


def _shapes(path: str, class_: FieldClass, tally: Tally) -> Iterator[LintFinding]:
    if class_ is not FieldClass.METADATA:
        return
    values, different = tally.values, len(tally.different)
    shape, matching = None, different
    if values >= _FEW_VALUES and tally.long >= _MOSTLY * values and different >= _MOSTLY * values:
        shape, matching = DRAWN, tally.long
    elif tally.texts >= max(_MANY_VALUES, _MOSTLY * values) and different >= _DIFFERENT * values:
        shape = UNIQUE
    elif _follows(tally):
        shape, matching = FOLLOWS, sum(len(kept) for kept in tally.by_device.values())
    if shape is not None:
        yield LintFinding(path, class_, shape, SHAPES[shape], FieldClass.DEVICE_IDENTIFIER, matching, values)


def _follows(tally: Tally) -> bool:
    devices = len(tally.by_device)
    if devices < _MANY_DEVICES or tally.values < _EACH * devices:
        return False
    kept = sum(len(marks) == 1 for marks in tally.by_device.values())
    return kept >= _DIFFERENT * devices and len(tally.different) >= _DIFFERENT * devices


def _at_home(class_: FieldClass, loosest: FieldClass) -> bool:
    return class_ in HOME_TO_ALL or STRICTEST_FIRST.index(class_) <= STRICTEST_FIRST.index(loosest)


def _versions(path: str, texts: Collection[str]) -> bool:
    """Whether texts of four numbers are versions: called so, or alike as versions are; and none of a private network.

    Numbers of addresses go up to 255 and begin in many ways; those of versions are small, and begin in few.
    """
    numbers = [text.split(".") for text in texts]
    if any(tuple(parts[: len(net)]) == net for parts in numbers for net in _PRIVATE):
        return False
    leading = {parts[0] for parts in numbers}
    begin_small = all(first.isdigit() and int(first) < _SMALL for first in leading)
    if begin_small and _VERSION_WORDS.search(path):
        return True
    small = all(part.isdigit() and int(part) < _SMALL for parts in numbers for part in parts)
    return small and "10" not in leading and len(leading) <= _MOST_LEADING
