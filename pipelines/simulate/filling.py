"""Whole events from a schema and a policy: compiled once for each raw schema, then filled again and again.

A product's model gives the fields it has something to say about, by name, nested as the event is; the rest is made
here. So an event type that nobody wrote a model for is filled from its schema and policy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from pipelines.contract.actions import Action
from pipelines.contract.avro import Array, AvroType, Field, FieldClass, Map, Nullable, Record
from pipelines.contract.model import Event, RawSchema
from pipelines.simulate.draw import Draw
from pipelines.simulate.leaves import UNSET, Maker, leaf_maker
from pipelines.simulate.limits import actions_by_path, limits_of

_NULL_SHARE: Final = 0.15
_ENTRY_SHARE: Final = 0.7
_LOWER_SHARE: Final = 0.7
_MOST_ITEMS: Final = 40
_USUAL_ITEMS: Final = 6

Filler = Callable[[Draw, Mapping[str, object]], dict[str, object]]


def compile_filler(event: Event, schema: RawSchema) -> Filler:
    """A function that makes one event of `schema` from a draw and from what a product's model gives."""
    make = _Compiler(actions_by_path(event)).record(schema.record, "")
    return cast("Filler", make)


@dataclass(slots=True)
class _Compiler:
    """Walks one schema. `slots` numbers the leaves, for what stays with a device."""

    actions: Mapping[str, tuple[Action, ...]]
    slots: int = 0

    def record(self, record: Record, prefix: str) -> Maker:
        makers = [(field.name, self.field(field, prefix + field.name)) for field in record.fields]
        nothing: Mapping[str, object] = {}

        def make(draw: Draw, given: object) -> object:
            fields = given if isinstance(given, Mapping) else nothing
            return {name: maker(draw, fields.get(name, UNSET)) for name, maker in makers}

        return make

    def field(self, field: Field, path: str) -> Maker:
        if field.name == "occurred_at" and field.class_ is FieldClass.EVENT_TIME:
            now = self.of(field.type, field, path)
            return lambda draw, _: now(draw, draw.now_ms)
        return self.of(field.type, field, path)

    def of(self, avro_type: AvroType, field: Field, path: str) -> Maker:
        match avro_type:
            case Nullable(inner):
                return _nullable(self.of(inner, field, path))
            case Record():
                return self.record(avro_type, path + ".")
            case Array(items):
                return self.array(items, field, path)
            case Map(values):
                return self.map(values, field, path)
            case _:
                self.slots += 1
                class_ = field.class_ or FieldClass.METADATA
                return leaf_maker(avro_type, field.name, class_, limits_of(self.actions.get(path, ())), self.slots & 63)

    def array(self, items: AvroType, field: Field, path: str) -> Maker:
        item = self.of(items, field, path + "[]")
        most = _MOST_ITEMS if field.max_items is None else min(field.max_items, _MOST_ITEMS)

        def make(draw: Draw, given: object) -> object:
            if isinstance(given, list | tuple):
                return [item(draw, value) for value in given[:most]]
            usual = min(_USUAL_ITEMS, most)
            count = int(draw.heavy(1, most + 1)) if draw.random() < 0.05 else int(draw.random() * (usual + 1))
            return [item(draw, UNSET) for _ in range(count)]

        return make

    def map(self, values: AvroType, field: Field, path: str) -> Maker:
        start = path + '{"'
        keys = dict.fromkeys(named[len(start) :].partition('"')[0] for named in self.actions if named.startswith(start))
        entries = {key: self.of(values, field, f'{start}{key}"}}') for key in keys}
        other = self.of(values, field, path + "{}")

        def make(draw: Draw, given: object) -> object:
            chosen = given if isinstance(given, Mapping) else {}
            made = {
                key if draw.random() < _LOWER_SHARE else key.title(): entry(draw, chosen.get(key, UNSET))
                for key, entry in entries.items()
                if key in chosen or (given is UNSET and draw.random() < _ENTRY_SHARE)
            }
            for key, value in chosen.items():
                if key not in entries:
                    made[key] = other(draw, value)
            for _ in range(1 + int(draw.random() * 3)):
                made[f"x-synthetic-{draw.canary()}"] = other(draw, UNSET)
            return made

        return make


def _nullable(inner: Maker) -> Maker:
    def make(draw: Draw, given: object) -> object:
        if given is None or (given is UNSET and draw.random() < _NULL_SHARE):
            return None
        return inner(draw, given)

    return make
