"""Lint: whether a sample's values contradict the classes of their fields. Says paths, patterns and counts, no value.

Reads a local sample, never a topic. What it finds is a question to a producer: a class is theirs to fix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.contract.avro import AvroType, FieldClass
from pipelines.contract.formats import FORMATS
from pipelines.contract.model import Event
from pipelines.explain.leaves import leaves_of
from pipelines.explain.lint.judging import HOME_TO_ALL, SHAPES, LintFinding, judge
from pipelines.explain.lint.leaves import KEY, scalars
from pipelines.explain.lint.tally import Tally, tells
from pipelines.explain.sampling import at_path, who_path
from pipelines.minimize.reference import decode

PATTERNS = {**{one.name: one.says for one in FORMATS}, **SHAPES}
"""Every pattern by name, in words."""
_HEADER_BYTES = 10


@dataclass(frozen=True, slots=True)
class Linted:
    """What a sample says of an event type's classes.

    `fields` is how many leaves had a value to look at: content and credentials may look like anything.
    """

    events: int
    fields: int
    findings: tuple[LintFinding, ...]


def lint(event: Event, values: Iterable[bytes]) -> Linted:
    """Look at a sample.

    Args:
        event: whose classes are asked: of each leaf the strictest over its versions.
        values: raw events, well-formed, in Avro single-object encoding.
    """
    classes = {leaf.path: leaf.class_ or FieldClass.METADATA for leaf in leaves_of(event)}
    versions = {version.fingerprint: (version.record, who_path(version)) for version in event.versions}
    tallies: dict[tuple[str, bool], Tally | None] = {}
    events = 0
    for value in values:
        record, who = versions[value[2:_HEADER_BYTES]]
        fields = decode(event, value)
        device = at_path(fields, who)
        events += 1
        for path, avro_type, found in scalars(record, fields):
            leaf = (path, avro_type is KEY)
            if leaf not in tallies:
                tallies[leaf] = _tally(_class(classes, path), avro_type)
            if (tally := tallies[leaf]) is not None:
                tally.add(avro_type, found, device)
    looked = [(path, is_key, tally) for (path, is_key), tally in sorted(tallies.items()) if tally is not None]
    findings = [
        one
        for path, is_key, tally in looked
        for one in judge(f"{path} (keys)" if is_key else path, _class(classes, path), tally)
    ]
    return Linted(events, len(looked), tuple(findings))


def _tally(class_: FieldClass, avro_type: AvroType) -> Tally | None:
    return None if class_ in HOME_TO_ALL or not tells(avro_type) else Tally(shapes=class_ is FieldClass.METADATA)


def _class(classes: Mapping[str, FieldClass], path: str) -> FieldClass:
    """The class of a leaf; that of what a map's key leads to for the key, where no leaf has its path (`query{}[]`)."""
    return classes.get(path) or next(class_ for leaf, class_ in classes.items() if leaf.startswith(path))


__all__ = ["PATTERNS", "LintFinding", "Linted", "lint"]
