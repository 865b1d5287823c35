"""Synthetic raw events: one of an event type, made from its newest schema and what its views let through.

Every value is fixed: the same contract gives the same event forever, and no identifier in it could be taken for a real
one. Where views allow it, no field is null and no value is out of a view's bound, so that the example shows something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipelines.contract.actions import Action, Bucket, MapTo, Matches, Number, OneOf, Truncate, Within
from pipelines.contract.avro import Array, AvroType, Enum, Field, FieldClass, Fixed, Map, Nullable, Primitive, Record
from pipelines.contract.model import Event

AT_MS: Final = 1_768_473_737_305  # 2026-01-15T10:42:17.305Z
_NOW: Final = datetime(2026, 1, 15, 10, 42, 15, tzinfo=UTC)
_ITEMS: Final = 2
_UUIDS: Final = {
    FieldClass.EVENT_ID: "11111111-1111-4111-8111-111111111111",
    FieldClass.DEVICE_IDENTIFIER: "00000000-0000-4000-8000-000000000001",
    FieldClass.ACCOUNT_IDENTIFIER: "00000000-0000-4000-8000-000000000002",
}
_OTHER_UUID: Final = "00000000-0000-4000-8000-000000000000"
_NUMBER: Final = 3


def synthetic_event(event: Event) -> dict[str, Any]:
    """An event as `pipelines try` reads it: JSON types, unions as the value itself, times as RFC 3339."""
    actions: dict[str, list[Action]] = {}
    for view in event.views:
        for rule in (*view.rules, *view.bounding):
            actions.setdefault(str(rule.path), []).append(rule.action)
    newest = event.versions[-1].record
    return {field.name: _value(field.type, field, field.name, actions, 0) for field in newest.fields}


def _value(avro_type: AvroType, field: Field, path: str, actions: Mapping[str, Sequence[Action]], turn: int) -> Any:
    """A value for one place. `turn` counts the items of an array, so that they differ."""
    match avro_type:
        case Nullable(inner=inner):
            return _value(inner, field, path, actions, turn)
        case Record(fields=fields):
            return {one.name: _value(one.type, one, f"{path}.{one.name}", actions, turn) for one in fields}
        case Array(items=inner):
            most = _ITEMS if field.max_items is None else min(_ITEMS, field.max_items)
            return [_value(inner, field, f"{path}[]", actions, number) for number in range(most)]
        case Map(values=inner):
            named = (known.removeprefix(f'{path}{{"') for known in actions if known.startswith(f'{path}{{"'))
            keys = dict.fromkeys([*(rest.partition('"}')[0] for rest in named), "synthetic-key"])
            return {key: _value(inner, field, f'{path}{{"{key}"}}', actions, turn) for key in keys}
        case Primitive() | Enum() | Fixed():
            return _leaf(avro_type, field, actions.get(path, ()), turn)


def _leaf(leaf: Primitive | Enum | Fixed, field: Field, actions: Sequence[Action], turn: int) -> Any:
    match leaf:
        case Enum(symbols=symbols):
            return _chosen(symbols, actions, turn)
        case Primitive(logical="uuid") | Fixed(logical="uuid"):
            return _UUIDS.get(field.class_ or FieldClass.METADATA, _OTHER_UUID)
        case Primitive(name="boolean"):
            return _chosen((True, False), actions, turn)
        case Primitive(logical="decimal") | Fixed(logical="decimal"):
            return _chosen(_numbers(actions), actions, turn)
        case Primitive(logical=str(logical)) if logical == "date" or logical.startswith("timestamp-"):
            return _time(field, logical)
        case Primitive(name="int" | "long"):
            return _chosen(_numbers(actions), actions, turn)
        case Primitive(name="float" | "double"):
            return float(_chosen(_numbers(actions), actions, turn))
        case Fixed(size=size):
            return _text(field)[:size].ljust(size, "~")
        case _:
            return _chosen(_texts(actions, field), actions, turn)


def _time(field: Field, logical: str) -> str:
    moment = _NOW if field.class_ is FieldClass.EVENT_TIME else _NOW - timedelta(days=9, hours=5, minutes=17)
    return moment.date().isoformat() if logical == "date" else moment.isoformat().replace("+00:00", "Z")


def _numbers(actions: Sequence[Action]) -> list[Number]:
    """Numbers that views tell apart, those in the middle of their ranges first."""
    found: list[Number] = []
    for action in actions:
        match action:
            case Bucket(edges) if action.fractional:
                found += edges[len(edges) // 2 :]
            case Bucket(edges):
                middle = len(edges) // 2
                found += [
                    edge + max(int(edges[at + 1] - edge) // 3 if at + 1 < len(edges) else 0, 0)
                    for at, edge in enumerate(map(int, edges))
                    if at >= middle
                ]
            case Within(low, high):
                found += [low + (high - low) // 3, low]
            case MapTo(pairs):
                found += [value for value, _ in pairs if isinstance(value, int) and not isinstance(value, bool)]
            case _:
                pass
    return [*found, _NUMBER]


def _texts(actions: Sequence[Action], field: Field) -> list[str]:
    found: list[str] = []
    for action in actions:
        match action:
            case OneOf(values):
                found += values
            case Matches(strings=strings):
                found.append(strings[len(strings) // 2])
            case MapTo(pairs):
                found += [value for value, _ in pairs if isinstance(value, str)]
            case Bucket(edges, str()):
                found.append(str(edges[len(edges) // 2]))
            case Truncate(read="iso8601"):
                found.append("2026-01-15T10:42:15Z")
            case Truncate(read="epoch_seconds"):
                found.append(str(AT_MS // 1_000))
            case _:
                pass
    return found or [_text(field)]


def _text(field: Field) -> str:
    return f"synthetic-{field.name}"


def _chosen(candidates: Sequence[Any], actions: Sequence[Action], turn: int) -> Any:
    """One of those that every view lets through; any, if there is none (that view then quarantines, and says so)."""
    accepted = [one for one in candidates if all(_lets_through(action, one) for action in actions)]
    usable = accepted or list(candidates)
    return usable[turn % len(usable)]


def _lets_through(action: Action, value: Any) -> bool:
    match action:
        case Within(low, high):
            return bool(low <= value <= high)
        case Bucket(edges, None):
            return bool(value >= edges[0])
        case OneOf(values, otherwise):
            return otherwise is not None or value in values
        case Matches(strings=strings):
            return value in strings
        case MapTo(pairs, otherwise):
            return otherwise is not None or any(value == given for given, _ in pairs)
        case _:
            return True
