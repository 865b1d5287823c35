"""Random event types: raw schemas in one or two versions, and views of them, as a valid contract would hold them."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from pipelines.contract.actions import (
    Action,
    Bucket,
    Count,
    CountWhere,
    Handle,
    Keep,
    MapTo,
    Matches,
    OneOf,
    Present,
    Scalar,
    Truncate,
    Within,
    is_limited,
)  # fmt: skip
from pipelines.contract.avro import Array, AvroType, Enum, Field, Fixed, Map, Nullable, Primitive, Record, not_null
from pipelines.contract.findings import Position
from pipelines.contract.model import Event, OutputArray, OutputField, RawSchema, Rule, View
from pipelines.contract.path import Path, Step, ascii_lower
from tests.support.random_data import KEYS, WORDS

HERE = Position("made-up.yaml")
HOUR = 3_600_000
LANGUAGES = (
    ("[ab]{1,2}", 2, ("a", "b", "aa", "ab", "ba", "bb")),
    ("v[12]\\.[05]", 4, ("v1.0", "v1.5", "v2.0", "v2.5")),
    ("a?", 1, ("", "a")),
    ("é|Zürich|😀", 3, ("é", "😀")),
)
SYMBOLS = ("UP", "DOWN", "LEFT", "RIGHT", "IN", "OUT")
BROKER_MS = 1_790_000_000_000  # near the times of `random_data`
STEPS = (60_000, 15 * 60_000, HOUR, 7 * HOUR, 24 * HOUR)


def random_broker_ms(rng: Random) -> int:
    """A broker time; most lie near the times of random events."""
    return rng.choice((BROKER_MS, BROKER_MS + rng.randrange(-72 * HOUR, 72 * HOUR), 0))


@dataclass(frozen=True, slots=True)
class Reach:
    """A path, what it leads to in the newest version, and whether some version or event has nothing there."""

    path: Path
    type: AvroType
    optional: bool
    max_items: int | None


def random_leaf(rng: Random, name: str) -> AvroType:
    return rng.choice((
        Primitive("boolean"), Primitive("int"), Primitive("long"), Primitive("float"), Primitive("double"),
        Primitive("string"), Primitive("string"), Primitive("bytes"), Primitive("bytes", "decimal", rng.randrange(3)),
        Fixed(name + "_f", rng.randrange(1, 5), "decimal", rng.randrange(3)), Fixed(name + "_f", rng.randrange(1, 20)),
        Enum(name + "_e", tuple(rng.sample(SYMBOLS, rng.randrange(1, 5)))), Primitive("int", "date"),
        Primitive("long", rng.choice(("timestamp-millis", "timestamp-micros", "timestamp-nanos"))),
    ))  # fmt: skip


def random_type(rng: Random, name: str, depth: int) -> AvroType:
    pick = rng.randrange(10) if depth < 3 else 0
    inner: AvroType
    if pick < 5:
        inner = random_leaf(rng, name)
    elif pick < 7:
        inner = random_record(rng, name, depth + 1)
    elif pick == 9:
        inner = Map(random_type(rng, name + "_m", depth + 1))
    else:
        inner = Array(random_type(rng, name + "_a", depth + 1))
    return Nullable(inner, rng.randrange(2)) if rng.randrange(3) == 0 and not isinstance(inner, Nullable) else inner


def random_record(rng: Random, name: str, depth: int = 0) -> Record:
    count = rng.randrange(3, 9) if depth == 0 else rng.randrange(1, 4)
    return Record(name, tuple(random_field(rng, f"{name}_{at}", depth) for at in range(count)))


def random_field(rng: Random, name: str, depth: int) -> Field:
    return Field(name, random_type(rng, name, depth), HERE, None, rng.choice((2, 4, 8)) if rng.randrange(4) else None)


def next_version(rng: Random, avro_type: AvroType) -> AvroType:
    """The type as a later version might have it, so that paths into both still agree."""
    match avro_type:
        case Primitive("int", None):
            return rng.choice((avro_type, Primitive("long")))
        case Enum(name, symbols):
            return Enum(name, tuple(rng.sample(SYMBOLS, len(symbols)))) if rng.randrange(2) else avro_type
        case Array(items):
            return Array(next_version(rng, items))
        case Map(values):
            return Map(next_version(rng, values))
        case Nullable(inner, null_index):
            inner = next_version(rng, inner)
            return rng.choice((inner, Nullable(inner, 1 - null_index), Nullable(inner, null_index)))
        case Record(name, fields):
            later = [replace(field, type=next_version(rng, field.type)) for field in fields if rng.randrange(6)]
            if rng.randrange(3) == 0:
                rng.shuffle(later)
            if rng.randrange(3) == 0 or not later:
                later.append(random_field(rng, name + "_new", 2))
            return Record(name, tuple(later))
        case _:
            return avro_type


def find(record: AvroType, path: Path) -> tuple[AvroType | None, bool, int | None]:
    """The type at a path (None: this version has none), whether an event may have nothing there, and max_items."""
    optional, most = False, None
    for step in path.steps:
        record = not_null(record)
        assert isinstance(record, Record)
        field = record.field(step.field)
        if field is None:
            return None, True, None
        record, most = field.type, field.max_items
        if step.items or step.key is not None:
            optional |= isinstance(record, Nullable) or step.key is not None
            container = not_null(record)
            assert isinstance(container, Array | Map)
            record, most = container.items if isinstance(container, Array) else container.values, None
        optional |= isinstance(record, Nullable)
    return not_null(record), optional, most


def reaches(rng: Random, record: Record, steps: tuple[Step, ...] = (), *, items: bool = False) -> list[Path]:
    """Every path that a rule could have (for a map with one key or two)."""
    paths = []
    for field in record.fields:
        ways = [(Step(field.name), not_null(field.type))]
        if isinstance(kind := not_null(field.type), Map):
            keys = {ascii_lower(key) for key in rng.sample(KEYS, 2) if key}
            ways += [(Step(field.name, key=key), not_null(kind.values)) for key in sorted(keys)]
        elif isinstance(kind, Array) and not items and field.max_items is not None:
            ways.append((Step(field.name, items=True), not_null(kind.items)))
        for step, inner in ways:
            paths.append(Path((*steps, step)))
            if isinstance(inner, Record):
                paths += reaches(rng, inner, (*steps, step), items=items or step.items)
    return paths


def is_identifier(path: Path) -> bool:
    """A string's class says whether it may be compared or handled; here the field's name does."""
    return sum(map(ord, path.steps[-1].field)) % 3 == 0


def random_action(rng: Random, reach: Reach, *, items: bool) -> Action | None:
    """An action that the type takes."""
    values = tuple(sorted(rng.sample(WORDS, rng.randrange(1, 5))))
    otherwise = rng.choice((None, "other", "?"))
    edges = tuple(sorted(rng.sample((-10, -1, 0, 1, 2, 10, 60, 64, 1024, 100_000), rng.randrange(1, 6))))
    actions: list[Action] = [Present()]
    match reach.type:
        case Primitive("boolean"):
            actions += [Keep(), Keep(), MapTo(((True, "yes"), (False, "no"))), MapTo(((True, "yes"),), otherwise)]
        case Primitive("int" | "long", None):
            low = rng.randrange(-3, 30)
            numbers: list[Scalar] = [*rng.sample(range(-2, 50), 9)]
            pairs = tuple((number, rng.choice(WORDS)) for number in numbers)
            actions += [Within(low, low + rng.choice((0, 60, 4095))), Bucket(edges), MapTo(pairs, otherwise)]
        case Primitive("int", "date"):
            actions += [Truncate(24 * HOUR), Truncate(24 * HOUR, 24 * HOUR * rng.choice((1, 30, 400)))]
        case Primitive("int" | "long"):
            step = rng.choice(STEPS)
            actions += [Truncate(rng.choice(STEPS)), Truncate(step, step * rng.choice((1, 3, 1_000)))]
        case Primitive("float" | "double" as name):
            halves = tuple(struct.unpack("<" + name[0], struct.pack("<" + name[0], 0.7 + edge))[0] for edge in edges)
            actions += [Bucket(edges), Bucket(halves)]
        case Primitive(_, "decimal") | Fixed(_, _, "decimal"):
            actions += [Bucket(edges), Bucket(edges)]
        case Enum(_, symbols):
            chosen = rng.sample(symbols, rng.randrange(1, len(symbols) + 1))
            actions += [Keep(), Keep(), MapTo(tuple((symbol, rng.choice(WORDS)) for symbol in chosen), otherwise)]
        case Primitive("string") if is_identifier(reach.path):
            actions += [] if items else [Handle()] * 3
        case Primitive("string"):
            actions += [OneOf(values, otherwise), OneOf(values, otherwise), Matches(*rng.choice(LANGUAGES))]
            actions.append(MapTo(tuple((value, rng.choice(WORDS)) for value in values), otherwise))
            step = rng.choice(STEPS)
            actions += [
                Bucket(edges, "decimal"),
                Truncate(step, rng.choice((None, step, 1_000 * step)), rng.choice(("iso8601", "epoch_seconds"))),
            ]
        case Primitive("bytes") | Fixed():
            actions += [] if items else [Handle()] * 3
        case Array() | Map():
            actions += [Count(), Count()]
            where = _count_where(rng, reach)
            actions += [where, where] if where else []
    return rng.choice(actions)


def _count_where(rng: Random, reach: Reach) -> CountWhere | None:
    record = not_null(reach.type.items) if isinstance(reach.type, Array) else None
    if not isinstance(record, Record) or reach.max_items is None:
        return None
    for field in record.fields:
        match not_null(field.type):
            case Primitive("string"):
                return CountWhere(field.name, tuple(rng.sample(WORDS, 4)))
            case Enum(_, symbols):
                return CountWhere(field.name, (rng.choice(symbols), "UP"))
            case Primitive("boolean"):
                return CountWhere(field.name, (rng.choice((True, False)),))
            case Primitive("int" | "long", None):
                return CountWhere(field.name, tuple(range(-5, rng.randrange(60))))
    return None


def output_type(action: Action, kinds: list[AvroType], optional: bool) -> AvroType:
    """What the derived schema gives a rule; `kinds` are the raw types in all versions that have the field."""
    out: AvroType
    match action:
        case Present():
            return Primitive("boolean")
        case Keep() if isinstance(kinds[-1], Enum):
            enums = [kind for kind in reversed(kinds) if isinstance(kind, Enum)]
            out = Enum(kinds[-1].name, tuple(dict.fromkeys(symbol for kind in enums for symbol in kind.symbols)))
        case Keep():
            out = Primitive("boolean")
        case Within():
            out = Primitive("long" if Primitive("long") in kinds else "int")
        case Truncate():
            out = kinds[-1] if action.read is None else Primitive("long", "timestamp-millis")
        case Bucket(read="decimal"):
            out = Primitive("double" if action.fractional else "long")
        case Bucket():
            out = kinds[-1] if action.fractional else Primitive("long")
        case Count() | CountWhere():
            out = Primitive("int")
        case Handle():
            out = Fixed("Handle", 16)
        case _:
            out = Primitive("string")
    return Nullable(out) if optional or is_limited(action) else out


def schema_json(avro_type: AvroType, name: str = "n", fields: Any = None) -> Any:
    """A type as Avro JSON. Every named type gets a name of its own."""
    match avro_type:
        case Primitive(name=primitive, logical=None):
            return primitive
        case Primitive(name=primitive, logical=logical, scale=scale):
            extra = {"precision": 15, "scale": scale} if logical == "decimal" else {}
            return {"type": primitive, "logicalType": logical, **extra}
        case Enum(symbols=symbols):
            return {"type": "enum", "name": name, "symbols": list(symbols)}
        case Fixed(size=size):
            return {"type": "fixed", "name": name, "size": size}
        case Array(items=items):
            return {"type": "array", "items": schema_json(items, name + "a")}
        case Map(values=values):
            return {"type": "map", "values": schema_json(values, name + "m")}
        case Nullable(inner=inner, null_index=null_index):
            branches = ["null", schema_json(inner, name)]
            return branches if null_index == 0 else branches[::-1]
        case Record():
            inner_fields = [{"name": f.name, "type": schema_json(f.type, f"{name}_{f.name}")} for f in avro_type.fields]
            return {"type": "record", "name": name, "fields": fields or inner_fields}


def random_view(rng: Random, versions: list[Record], topic: str) -> View:
    chosen: list[tuple[Reach, Action, list[AvroType]]] = []
    paths = reaches(rng, versions[-1]) + reaches(rng, versions[0])
    for path in rng.sample(paths, min(len(paths), rng.randrange(1, 9))):
        try:
            found = [find(version, path) for version in versions]
        except AssertionError:
            continue
        kinds = [kind for kind, _, _ in found if kind is not None]
        if len({_alike(kind) for kind in kinds}) != 1:
            continue
        limits = [most for kind, _, most in found if kind is not None]
        most = None if None in limits else max(limit or 0 for limit in limits)
        reach = Reach(path, kinds[-1], any(optional for _, optional, _ in found), most)
        items = any(step.items for step in path.steps)
        action = random_action(rng, reach, items=items)
        if isinstance(action, Handle) and any(isinstance(other, Handle) for _, other, _ in chosen):
            action = Present()
        if action is not None and path not in [other.path for other, _, _ in chosen]:
            chosen.append((reach, action, kinds))
    return build_view(topic, versions, chosen)


def _alike(kind: AvroType) -> str:
    match kind:
        case Primitive("int" | "long", None):
            return "number"
        case Primitive(name, logical, scale):
            return f"{name} {logical} {scale}"
        case Fixed(_, size, logical, scale):
            return f"fixed {size} {logical} {scale}"
        case _:
            return type(kind).__name__


def build_view(topic: str, versions: list[Record], chosen: list[tuple[Reach, Action, list[AvroType]]]) -> View:
    output: list[OutputField | OutputArray] = []
    json_fields: list[Any] = []
    arrays: dict[Path, list[OutputField]] = {}
    for number, (reach, action, kinds) in enumerate(chosen):
        steps = reach.path.steps
        source = next((Path(steps[: at + 1]) for at, step in enumerate(steps) if step.items), None)
        optional = reach.optional
        if source is not None:
            below = Path((Step("item"), *reach.path.steps[len(source.steps) :]))
            optional = False
            for version in versions:
                container = find(version, Path((*source.steps[:-1], Step(source.steps[-1].field))))[0]
                if isinstance(container, Array):
                    optional |= find(Record("r", (Field("item", container.items, HERE),)), below)[1]
        kind = output_type(action, kinds, optional)
        field = OutputField(f"out{number}", kind, Rule(reach.path, action, f"out{number}", HERE))
        if source is None:
            output.append(field)
            json_fields.append({"name": field.name, "type": schema_json(kind, f"t{number}")})
        else:
            arrays.setdefault(source, []).append(field)
    for number, (source, fields) in enumerate(arrays.items()):
        found = [find(version, Path((*source.steps[:-1], Step(source.steps[-1].field)))) for version in versions]
        nullable = any(optional for _, optional, _ in found)
        most = max(limit or 0 for _, _, limit in found)
        array = OutputArray(f"array{number}", source, nullable, most, f"Item{number}", tuple(fields))
        output.append(array)
        inner = [{"name": field.name, "type": schema_json(field.type, f"i{number}_{field.name}")} for field in fields]
        form = {"type": "array", "items": {"type": "record", "name": array.item_name, "fields": inner}}
        json_fields.append({"name": array.name, "type": ["null", form] if nullable else form})
    schema = json.dumps({"type": "record", "name": "View", "fields": json_fields})
    rules = tuple(rule for rule in (Rule(reach.path, action, "", HERE) for reach, action, _ in chosen))
    return View("made.up", topic, rules, tuple(output), schema, _fingerprint(schema), HOUR, HERE)


def _fingerprint(text: str) -> bytes:
    """Eight bytes; to the walk it is only a name."""
    return hashlib.sha256(text.encode()).digest()[:8]


def raw_schema(version: int, record: Record) -> RawSchema:
    text = json.dumps(schema_json(record, record.name))
    return RawSchema("made.up", version, record, text, _fingerprint(text), HERE)


def random_event(rng: Random) -> Event:
    records = [random_record(rng, "Made")]
    if rng.randrange(2):
        later = next_version(rng, records[0])
        assert isinstance(later, Record)
        if raw_schema(1, later).fingerprint != raw_schema(1, records[0]).fingerprint:
            records.append(later)
    versions = tuple(raw_schema(number + 1, record) for number, record in enumerate(records))
    views = tuple(random_view(rng, records, f"network-metadata.purpose-{at}") for at in range(rng.randrange(1, 4)))
    return Event("made.up", versions, views, ())


def event_of(records: list[Record], *views: dict[str, Action]) -> Event:
    """An event type with these raw versions and views (path: action); for tests that need a certain one."""
    built = []
    for number, rules in enumerate(views):
        chosen = []
        for text, action in rules.items():
            path = Path.parse(text)
            found = [find(record, path) for record in records]
            kinds = [kind for kind, _, _ in found if kind is not None]
            reach = Reach(path, kinds[-1], any(optional for _, optional, _ in found), found[-1][2])
            chosen.append((reach, action, kinds))
        built.append(build_view(f"network-metadata.purpose-{number}", records, chosen))
    versions = tuple(raw_schema(number + 1, record) for number, record in enumerate(records))
    return Event("made.up", versions, tuple(built), ())


def record_of(**fields: AvroType) -> Record:
    """A record; its arrays hold at most 4 items for a view."""
    most = 4
    return Record("Made", tuple(Field(name, kind, HERE, None, most) for name, kind in fields.items()))
