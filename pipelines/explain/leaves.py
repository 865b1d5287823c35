"""The leaves of an event type over all its versions, with what people call their types. Never sees a value."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from pipelines.contract.avro import Array, AvroType, Enum, FieldClass, Fixed, Map, Primitive, Record, not_null
from pipelines.contract.leaves import covers, leaves
from pipelines.contract.model import Event
from pipelines.contract.path import Path
from pipelines.contract.report import counted
from pipelines.contract.view import strictest

_BRACKETS: Final = re.compile(r"""\[\]|\{("[^"]*")?\}""")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A raw leaf.

    `path` is spelled as a schema spells it (`checks[].id`, `headers{}`), `fields` are the names on the way. `versions`
    are those of the raw schemas that have it, ascending; `type` is the newest's, in words; `class_` the strictest.
    `keys_only`: it is the keys of a map of records.
    """

    path: str
    fields: tuple[str, ...]
    type: str
    class_: FieldClass | None
    versions: tuple[int, ...]
    keys_only: bool = False

    def is_under(self, path: Path) -> bool:
        """Whether a policy's path names this leaf, an entry of it, or something that it is part of."""
        return covers(path, self.fields, keys_only=self.keys_only)


def leaves_of(event: Event) -> tuple[Leaf, ...]:
    """All leaves of an event type: in the newest schema's order, then those that only older versions have."""
    found: dict[str, Leaf] = {}
    for schema in reversed(event.versions):
        for leaf in leaves(schema.record):
            newer = found.get(leaf.spelled)
            if newer is None:
                words = "keys of a map" if leaf.keys_only else _words(leaf.field.type)
                found[leaf.spelled] = Leaf(
                    leaf.spelled, leaf.fields, words, leaf.class_, (schema.version,), leaf.keys_only
                )
            else:
                class_ = strictest((newer.class_, leaf.class_))
                found[leaf.spelled] = replace(newer, class_=class_, versions=(schema.version, *newer.versions))
    return tuple(found.values())


def containers_of(all_leaves: tuple[Leaf, ...]) -> tuple[str, ...]:
    """The records, arrays and maps that hold leaves without being one (`tls`, `checks`), each once, no brackets."""
    names = (leaf.fields[:depth] for leaf in all_leaves for depth in range(1, len(leaf.fields)))
    return tuple(dict.fromkeys(".".join(fields) for fields in names))


def under(all_leaves: tuple[Leaf, ...], path: str) -> tuple[Leaf, ...]:
    """The leaves that a typed path means: one leaf, or all that a container holds.

    Args:
        path: as a policy or a schema spells it; brackets and a map's key may be left out.
    """
    asked = tuple(_BRACKETS.sub("", path).split("."))
    return tuple(leaf for leaf in all_leaves if leaf.fields[: len(asked)] == asked)


def _words(avro_type: AvroType) -> str:
    inner = not_null(avro_type)
    words = _not_null_words(inner)
    return words if inner is avro_type else f"{words}, or null"


def _not_null_words(avro_type: AvroType) -> str:
    match avro_type:
        case Primitive(name, None):
            return name
        case Primitive(name, logical) | Fixed(name, _, logical) if logical is not None:
            return f"{logical} ({name if isinstance(avro_type, Primitive) else 'fixed'})"
        case Fixed(_, size):
            return f"{size} bytes"
        case Enum(_, symbols):
            return f"one of {len(symbols)} symbols"
        case Array(items):
            return f"array of {_words(items)}"
        case Map(values):
            return f"map of {_words(values)}"
        case Record(_, fields):
            return f"records of {counted(len(fields), 'field')}"
    return "unknown"
