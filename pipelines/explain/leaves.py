"""Leaves: the raw fields that a contract decides about, with paths as a schema spells them.

A leaf is a field whose type, without null, arrays and maps around it, is no record. `F[]` stands for the items of an
array, `F{}` for the entries of a map whatever their key. Never sees a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.contract.avro import Array, AvroType, Enum, Field, FieldClass, Fixed, Map, Primitive, Record, not_null
from pipelines.contract.model import Event
from pipelines.contract.path import Path


@dataclass(frozen=True, slots=True)
class Leaf:
    """A raw leaf. `versions` are those of the raw schemas that have it, ascending; `type` is in words, the newest's."""

    path: str
    type: str
    class_: FieldClass | None
    versions: tuple[int, ...]

    def is_under(self, path: Path) -> bool:
        """Whether a policy's path names this leaf, an entry of it, or something that it is part of."""
        return _starts_with(self.path.split("."), [_plain(str(step)) for step in path.steps])


def leaves_of(event: Event) -> tuple[Leaf, ...]:
    """All leaves of an event type: in the newest schema's order, then those that only older versions have."""
    found: dict[str, Leaf] = {}
    for schema in reversed(event.versions):
        for path, field, leaf_type in _walk(schema.record, ""):
            newer = found.get(path)
            if newer is None:
                found[path] = Leaf(path, _words(leaf_type), field.class_, (schema.version,))
            else:
                found[path] = Leaf(path, newer.type, newer.class_ or field.class_, (schema.version, *newer.versions))
    return tuple(found.values())


def containers_of(leaves: tuple[Leaf, ...]) -> tuple[str, ...]:
    """The paths that hold leaves without being one (`tls`, `checks[]`), as often as one needs them: once."""
    paths = [leaf.path.split(".") for leaf in leaves]
    prefixes = (".".join(steps[:depth]) for steps in paths for depth in range(1, len(steps)))
    return tuple(dict.fromkeys(prefixes))


def under(leaves: tuple[Leaf, ...], path: str) -> tuple[Leaf, ...]:
    """The leaves that a typed path means: one leaf, or all that a container holds. A map's key may be given or not.

    Args:
        path: as a policy or a schema spells it; the brackets of the last step may be left out.
    """
    asked = [_plain(step) for step in path.split(".")]
    return tuple(leaf for leaf in leaves if _starts_with(leaf.path.split("."), asked))


def _starts_with(steps: list[str], asked: list[str]) -> bool:
    # A step without brackets names the whole field: `checks` covers `checks[].id`, `headers` covers `headers{}`.
    return len(asked) <= len(steps) and all(
        step == wanted or step.rstrip("[]{}") == wanted for step, wanted in zip(steps, asked, strict=False)
    )


def _plain(step: str) -> str:
    name, brace, _ = step.partition("{")
    return f"{name}{{}}" if brace else step


def _walk(record: Record, prefix: str) -> Iterator[tuple[str, Field, AvroType]]:
    for field in record.fields:
        path, inner = prefix + field.name, not_null(field.type)
        if isinstance(inner, Array | Map):
            path += "[]" if isinstance(inner, Array) else "{}"
        held = _held(inner)
        if isinstance(held, Record):
            yield from _walk(held, f"{path}.")
        else:
            yield path, field, field.type


def _held(avro_type: AvroType) -> AvroType:
    """What arrays, maps and nulls hold in the end."""
    while True:
        avro_type = not_null(avro_type)
        if isinstance(avro_type, Array):
            avro_type = avro_type.items
        elif isinstance(avro_type, Map):
            avro_type = avro_type.values
        else:
            return avro_type


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
    return "record"
