"""Tiny event types of which every event can be tried: the bodies that come out can be counted, one by one."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import product
from math import prod
from random import Random
from typing import Any

from pipelines.contract.actions import (
    Action,
    Bucket,
    Count,
    CountWhere,
    Keep,
    MapTo,
    Matches,
    OneOf,
    Present,
    Within,
)  # fmt: skip
from pipelines.contract.avro import Array, AvroType, Enum, Field, Map, Nullable, Primitive, Record, not_null
from pipelines.contract.model import Event, RawSchema, Rule, View
from pipelines.contract.path import Path, Step
from pipelines.minimize import EventProgram, Fault, Minimized, compile_event
from tests.minimize.events import BROKER_MS, HERE, Reach, build_view, find, next_version, raw_schema
from tests.support.random_data import Speller

KEYS = ("k", "l")
FILLING = (0, 1, 2, 4, 8, 16, 32, 64)
MOST = 2
Hops = tuple[str, ...]
Pair = tuple[tuple[bytes, ...], tuple[bytes, ...]]
"""What two purposes have of one event: a body for each of their views, empty where that has no record."""


def seeds(most: int) -> range:
    """Return the seeds to try: `most` of them with PIPELINES_ALL_SEEDS=1 (`make test-long`), else a quarter."""
    return range(most if os.environ.get("PIPELINES_ALL_SEEDS") == "1" else most // 4)


def tiny_event(rng: Random) -> Event:
    """One or two versions of a small raw schema, and one view of it."""
    first = _record(rng, "T", 0)
    records = [first]
    if rng.randrange(2):
        later = next_version(rng, first)
        assert isinstance(later, Record)
        if raw_schema(1, later).fingerprint != raw_schema(1, first).fingerprint:
            records.append(Record("T", tuple(_tiny(field, first.field(field.name)) for field in later.fields)))
    versions = tuple(raw_schema(number + 1, record) for number, record in enumerate(records))
    return Event("made.up", versions, (_view(rng, records),), ())


def joint_event(rng: Random) -> Event:
    """An event type of one or two versions with two or three views for topics of one purpose."""
    event = tiny_event(rng)
    records = [version.record for version in event.versions]
    topics = ("network-metadata.support", "account-app.support", "audit.support")[: rng.choice((2, 2, 3))]
    return Event(event.name, event.versions, tuple(_view(rng, records, topic) for topic in topics), ())


def every_outcome(event: Event, most: int) -> set[tuple[bytes | None, ...]] | None:
    """What all views make of every event, together; None where one has no record; None: too many events to try."""
    program = compile_event(event)
    wanted = [hops_of(rule) for view in event.views for rule in view.rules]
    seen: set[tuple[bytes | None, ...]] = set()
    tried = 0
    for version in event.versions:
        for datum in every(version.record, wanted):
            tried += 1
            if tried > most:
                return None
            value = Speller(Random(0)).event(version.record, datum, version.fingerprint)
            outcome = program.minimize(
                value, [lambda identifier: identifier[:16].ljust(16)] * len(event.views), BROKER_MS
            )
            assert not isinstance(outcome, Fault)
            made = tuple(one.value if isinstance(one, Minimized) else None for one in outcome)
            if any(one is not None for one in made):
                seen.add(made)
    return seen


def every_body(event: Event, most: int) -> set[bytes] | None:
    """Every body that the only view gives; None when there are more than `most` events to try."""
    found = every_outcome(event, most)
    return None if found is None else {body for (body,) in found if body is not None}


def every(avro_type: AvroType, wanted: Sequence[Hops]) -> Iterator[Any]:
    """Every value of a type; one where no rule looks."""
    below = [hops for hops in wanted if hops]
    match avro_type:
        case Nullable(inner=inner):
            yield from every(inner, wanted)
            if wanted:
                yield None
        case Record(fields=fields):
            inside = [every(field.type, _after(wanted, field.name)) for field in fields]
            yield from ({f.name: v for f, v in zip(fields, some, strict=True)} for some in product(*map(list, inside)))
        case Array(items=inner):
            each = list(every(inner, _after(wanted, "[]") or ([()] if wanted else [])))
            for length in range(MOST + 2 if wanted else 1):
                yield from (list(items) for items in product(each, repeat=length))
        case Map(values=inner):
            counted = len(below) < len(wanted)
            keys = [key for key in KEYS if _after(wanted, f"{{{key}}}")]
            entries = [[*every(inner, _after(wanted, f"{{{key}}}")), ...] for key in keys]
            blank = next(every(inner, []))
            for chosen in product(*entries):
                there = [(key.encode(), v) for key, v in zip(keys, chosen, strict=True) if v is not ...]
                for filling in FILLING if counted else (0,):
                    yield there + [(b"z%d" % at, blank) for at in range(filling)]
        case _ if not wanted:
            yield _leaf(avro_type)[0]
        case _:
            yield from _leaf(avro_type)


def _leaf(avro_type: AvroType) -> list[Any]:
    match avro_type:
        case Primitive("boolean"):
            return [False, True]
        case Enum(_, symbols):
            return list(range(len(symbols)))
        case Primitive("int" | "long"):
            return [-1, 0, 1, 2, 3, 4]
        case _:
            return [b"a", b"b", b"c"]


def _after(wanted: Iterable[Hops], hop: str) -> list[Hops]:
    return [hops[1:] for hops in wanted if hops[:1] == (hop,)]


def hops_of(rule: Rule) -> Hops:
    """Where a rule looks in an event, as `every` takes it."""
    hops: list[str] = []
    for step in rule.path.steps:
        hops.append(step.field)
        if step.items:
            hops.append("[]")
        elif step.key is not None:
            hops.append(f"{{{step.key}}}")
    if isinstance(rule.action, CountWhere):
        hops += ["[]", rule.action.field]
    return tuple(hops)


def _record(rng: Random, name: str, depth: int) -> Record:
    names = [f"{name}{at}" for at in range(rng.choice((2, 2, 3)))]
    return Record(name, tuple(_tiny(Field(field, _type(rng, field, depth), HERE)) for field in names))


def _tiny(field: Field, before: Field | None = None) -> Field:
    """The field, if all its values can be tried; else what it was before."""
    kind = field.type
    if not _small(kind):
        kind = Primitive("boolean") if before is None else before.type
    return Field(field.name, _bounded(kind), HERE, None, MOST if isinstance(not_null(kind), Array) else None)


def _bounded(avro_type: AvroType) -> AvroType:
    """The type with every array in it bounded alike."""
    match avro_type:
        case Nullable(inner, null_index):
            return Nullable(_bounded(inner), null_index)
        case Array(items=inner):
            return Array(_bounded(inner))
        case Map(values=inner):
            return Map(_bounded(inner))
        case Record(name, fields):
            return Record(name, tuple(_tiny(field) for field in fields))
        case _:
            return avro_type


def _small(avro_type: AvroType) -> bool:
    match avro_type:
        case Nullable(inner=inner) | Array(items=inner) | Map(values=inner):
            return _small(inner)
        case Record(fields=fields):
            return all(_small(field.type) for field in fields)
        case Primitive(name=name, logical=logical):
            return name in ("boolean", "int", "long", "string") and logical is None
        case _:
            return isinstance(avro_type, Enum)


def _type(rng: Random, name: str, depth: int) -> AvroType:
    leaves: list[AvroType] = [
        Primitive("boolean"), Primitive("int"), Primitive("string"), Enum(f"{name}_e", ("UP", "DOWN", "LEFT")),
    ]  # fmt: skip
    pick = rng.randrange(8) if depth < 2 else 0
    inner: AvroType = rng.choice(leaves)
    if pick in (4, 5):
        inner = _record(rng, name, depth + 1)
    elif pick == 6:
        inner = Array(rng.choice((inner, _record(rng, name, 2), Nullable(_record(rng, name, 2)))))
    elif pick == 7:
        inner = Map(rng.choice((inner, Nullable(inner), _record(rng, name, 2))))
    return Nullable(inner, rng.randrange(2)) if rng.randrange(2) else inner


def _view(rng: Random, records: list[Record], topic: str = "network-metadata.support") -> View:
    chosen: list[tuple[Reach, Action, list[AvroType]]] = []
    paths = dict.fromkeys(path for record in records for path in _paths(record, ()))
    for path in rng.sample(list(paths), min(len(paths), rng.choice((2, 3, 3, 4)))):
        found = [find(record, path) for record in records]
        kinds = [kind for kind, _, _ in found if kind is not None]
        if len({type(kind) if not isinstance(kind, Primitive) else kind.name[:3] for kind in kinds}) != 1:
            continue
        bounds = {most for kind, _, most in found if kind is not None}
        reach = Reach(path, kinds[-1], any(optional for _, optional, _ in found), bounds.pop())
        action = _action(rng, kinds)
        if action is not None:
            chosen.append((reach, action, kinds))
    if not chosen:
        return _view(rng, records, topic)
    return build_view(topic, records, chosen)


def _paths(record: Record, steps: tuple[Step, ...], *, items: bool = False) -> Iterator[Path]:
    for field in record.fields:
        kind = not_null(field.type)
        ways = [(Step(field.name), kind)]
        if isinstance(kind, Map):
            ways += [(Step(field.name, key=key), not_null(kind.values)) for key in KEYS]
        elif isinstance(kind, Array) and not items:
            ways.append((Step(field.name, items=True), not_null(kind.items)))
        for step, inner in ways:
            yield Path((*steps, step))
            if isinstance(inner, Record):
                yield from _paths(inner, (*steps, step), items=items or step.items)


def _action(rng: Random, kinds: list[AvroType]) -> Action | None:
    actions: list[Action] = [Present()]
    otherwise = rng.choice((None, "o", "x"))
    match kinds[-1]:
        case Primitive("boolean"):
            actions = [Keep(), Keep(), MapTo(((True, "x"),), otherwise), Present()]
        case Primitive("int" | "long"):
            actions = [Within(0, 2), Bucket((0, 2)), Bucket((1,)), MapTo(((0, "x"), (1, "y")), otherwise)]
        case Primitive("string"):
            actions = [OneOf(("a", "b"), otherwise), Matches("[ab]", 1, ("a", "b")), MapTo((("a", "x"),), "x")]
        case Enum(_, symbols):
            actions = [Keep(), Keep(), MapTo(tuple({symbols[0]: "x", symbols[-1]: "y"}.items()), otherwise)]
        case Array(items=inner):
            actions = [Count(), Present(), *_where(rng, inner)]
        case Map():
            actions = [Count(), Present()]
    return rng.choice(actions)


def _where(rng: Random, inner: AvroType) -> list[Action]:
    record = not_null(inner)
    for field in record.fields if isinstance(record, Record) else ():
        match not_null(field.type):
            case Primitive("boolean"):
                return [CountWhere(field.name, (rng.choice((False, True)),))] * 2
            case Enum(_, symbols):
                return [CountWhere(field.name, (rng.choice((*symbols, "NONE")),))] * 2
            case Primitive("string"):
                return [CountWhere(field.name, ("a",))] * 2
    return []


def twin_event(rng: Random) -> Event:
    """An event type with two views of one rule each, on one raw field, or on an array and on its items."""
    return leaf_event(rng, 2)


def leaf_event(rng: Random, views: int | None = None) -> Event:
    """The same for two purposes with three to six views together, or so many, which may do the same."""
    number_of_views = rng.randrange(3, 7) if views is None else views
    while True:
        record = _record(rng, "T", 0)
        paths = list(_paths(record, ()))
        path = rng.choice(paths)
        bare = next((at for at, step in enumerate(path.steps) if step.items), None)
        other = path
        if bare is not None and rng.randrange(2):
            other = Path((*path.steps[:bare], Step(path.steps[bare].field)))
        made = [_one_rule(rng, record, (path, other)[number % 2], number) for number in range(number_of_views)]
        if None not in made:
            return Event("made.up", (raw_schema(1, record),), tuple(view for view in made if view is not None), ())


def every_pair(event: Event, most: int) -> set[Pair] | None:
    """What both purposes have of every event that both have; None when there are more than `most` events to try."""
    program = compile_event(event)
    hops = [hops_of(rule) for view in event.views for rule in view.rules]
    seen: set[Pair] = set()
    tried = 0
    for version in event.versions:
        for datum in every(version.record, hops):
            tried += 1
            if tried > most:
                return None
            pair = _pair(event, program, version, datum)
            if pair is not None:
                seen.add(pair)
    return seen


def _pair(event: Event, program: EventProgram, version: RawSchema, datum: Any) -> Pair | None:
    """Each purpose's bodies of an event, empty where a view has no record; None where one purpose has none at all."""
    value = Speller(Random(0)).event(version.record, datum, version.fingerprint)
    outcome = program.minimize(value, [lambda identifier: identifier[:16].ljust(16)] * len(event.views), BROKER_MS)
    assert not isinstance(outcome, Fault)
    bodies: dict[str, list[bytes]] = {view.purpose: [] for view in event.views}
    for view, made in zip(event.views, outcome, strict=True):
        bodies[view.purpose].append(made.value if isinstance(made, Minimized) else b"")
    one, other = (tuple(some) for _, some in sorted(bodies.items()))
    return (one, other) if any(one) and any(other) else None


def wide_twins(rng: Random, views: int = 2) -> Event:
    """An event type of one or two versions with views of two purposes, of several rules each.

    No rule is on an array or a counted map.
    """
    while True:
        record = _record(rng, "T", 0)
        records = [record]
        if rng.randrange(2):
            records.append(Record("T", (*record.fields[1:], _tiny(Field("more", Primitive("boolean"), HERE)))))
        paths = [path for path in dict.fromkeys(path for one in records for path in _paths(one, ())) if _plain(path)]
        made = [_some_rules(rng, records, rng.sample(paths, min(len(paths), 2)), number) for number in range(views)]
        if None not in made:
            versions = tuple(raw_schema(number + 1, one) for number, one in enumerate(records))
            return Event("made.up", versions, tuple(view for view in made if view is not None), ())


def chances(rng: Random, event: Event, most: int) -> dict[Pair, float] | None:
    """How likely each pair of both purposes' bodies is, raw leaves being independent; None: too many events to try.

    A leaf has chances of its own at each place, a record and an entry of a map a chance to be missing, and each
    version a chance.
    """
    program = compile_event(event)
    wanted = [hops_of(rule) for view in event.views for rule in view.rules]
    drawn: dict[tuple[Hops, Hashable], float] = {}
    seen: dict[Pair, float] = {}
    tried = 0
    for version in event.versions:
        share = rng.choice((0.1, 1.0, 1.0))
        for datum, chance in _weighted(rng, version.record, wanted, (), drawn):
            tried += 1
            if tried > most:
                return None
            pair = _pair(event, program, version, datum)
            if pair is not None:
                seen[pair] = seen.get(pair, 0.0) + share * chance
    total = sum(seen.values())
    return {pair: chance / total for pair, chance in seen.items()} if total else None


def _weighted(
    rng: Random, avro_type: AvroType, wanted: Sequence[Hops], at: Hops, drawn: dict[tuple[Hops, Hashable], float]
) -> Iterator[tuple[Any, float]]:
    """Every value of a type with its chance; `drawn` keeps what was drawn for each place."""

    def weight(value: Hashable) -> float:
        return drawn.setdefault((at, value), rng.choice((0.02, 0.3, 1.0, 1.0)))

    match avro_type:
        case Nullable(inner=inner):
            for value, chance in _weighted(rng, inner, wanted, at, drawn):
                yield value, chance
            if wanted:
                yield None, weight("null")
        case Record(fields=fields):
            inside = [
                list(_weighted(rng, field.type, _after(wanted, field.name), (*at, field.name), drawn))
                for field in fields
            ]
            for some in product(*inside):
                named = {field.name: value for field, (value, _) in zip(fields, some, strict=True)}
                yield named, prod(chance for _, chance in some)
        case Map(values=inner):
            keys = [key for key in KEYS if _after(wanted, f"{{{key}}}")]
            entries = [
                [
                    *_weighted(rng, inner, _after(wanted, f"{{{key}}}"), (*at, key), drawn),
                    (..., drawn.setdefault(((*at, key), "missing"), rng.choice((0.1, 1.0)))),
                ]
                for key in keys
            ]
            for chosen in product(*entries):
                there = [
                    (key.encode(), value) for key, (value, _) in zip(keys, chosen, strict=True) if value is not ...
                ]
                yield there, prod(chance for _, chance in chosen)
        case _:
            for value in every(avro_type, wanted):
                yield value, weight(value) if isinstance(value, Hashable) else 1.0


def _topic(number: int) -> str:
    """A topic of one of two purposes in turn."""
    return f"{('account-app', 'audit', 'network-metadata')[number // 2]}.purpose-{number % 2}"


def _plain(path: Path) -> bool:
    return not any(step.items for step in path.steps)


def _some_rules(rng: Random, records: list[Record], paths: list[Path], number: int) -> View | None:
    chosen = []
    for path in paths:
        found = [find(record, path) for record in records]
        kinds = [kind for kind, _, _ in found if kind is not None]
        if any(isinstance(kind, Array | Map) for kind in kinds):
            chosen.append((Reach(path, kinds[-1], any(o for _, o, _ in found), None), Present(), kinds))
            continue
        action = _action(rng, kinds)
        if action is not None:
            chosen.append((Reach(path, kinds[-1], any(o for _, o, _ in found), None), action, kinds))
    return build_view(_topic(number), records, chosen) if chosen else None


def _one_rule(rng: Random, record: Record, path: Path, number: int) -> View | None:
    kind, optional, most = find(record, path)
    action = None if kind is None else _action(rng, [kind])
    if kind is None or action is None:
        return None
    return build_view(_topic(number), [record], [(Reach(path, kind, optional, most), action, [kind])])
