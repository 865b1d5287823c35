"""Loosenings: single changes of a contract's value by which privacy gets worse, drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pipelines.contract.actions import Action, Bucket, Keep, OneOf, Truncate, Within
from pipelines.contract.avro import AvroType, Enum, Nullable, not_null
from pipelines.contract.model import DAY_MS, MINUTE_MS, Contract, OutputArray, OutputField, View


@dataclass(frozen=True, slots=True)
class Loosening:
    """One way to loosen a contract, and the purpose that receives more by it."""

    name: str
    purpose: str
    apply: Callable[[Contract], Contract]


def loosenings(contract: Contract) -> list[Loosening]:
    """Every single loosening that is known here, of every purpose, topic and field."""
    return [*_of_purposes(contract), *_of_topics(contract), *_of_views(contract)]


def _of_purposes(contract: Contract) -> Iterator[Loosening]:
    for name, purpose in contract.purposes.items():
        yield _swap(name, "purposes", name, f"{name}: slower", rotate_ms=purpose.rotate_ms + DAY_MS)
        yield _swap(name, "purposes", name, f"{name}: more bits", max_bits=purpose.max_bits + 1)
        if purpose.handle is None:
            yield _swap(name, "purposes", name, f"{name}: a handle", handle="device")


def _of_topics(contract: Contract) -> Iterator[Loosening]:
    for name, topic in contract.topics.items():
        yield _swap(topic.purpose, "topics", name, f"{name}: longer", ttl_ms=topic.ttl_ms + 1000)
        yield _swap(topic.purpose, "topics", name, f"{name}: later", late_ms=topic.late_ms + 1000)
        wider = (*topic.consumers, "somebody-else")
        yield _swap(topic.purpose, "topics", name, f"{name}: wider", consumers=wider)


def _swap(purpose: str, part: str, key: str, name: str, **changes: Any) -> Loosening:
    def apply(contract: Contract) -> Contract:
        values = dict(getattr(contract, part))
        values[key] = replace(values[key], **changes)
        return replace(contract, **{part: values})

    return Loosening(name, purpose, apply)


def _of_views(contract: Contract) -> Iterator[Loosening]:
    for event in contract.events.values():
        for view in event.views:
            for at, output in enumerate(view.output):
                if isinstance(output, OutputArray):
                    more = replace(output, max_items=output.max_items + 1)
                    yield _in_view(event.name, view, at, more, f"{event.name} {view.topic} {output.name}: longer")
                elif (looser := _looser(output)) is not None:
                    yield _in_view(event.name, view, at, looser, f"{event.name} {view.topic} {output.name}: finer")


def _in_view(event: str, view: View, at: int, output: OutputField | OutputArray, name: str) -> Loosening:
    def apply(contract: Contract) -> Contract:
        outputs = (*view.output[:at], output, *view.output[at + 1 :])
        rules = view.rules
        if isinstance(output, OutputField):
            rules = tuple(output.rule if rule.path == output.rule.path else rule for rule in rules)
        mine = contract.events[event]
        views = tuple(
            replace(view, output=outputs, rules=rules) if one.topic == view.topic else one for one in mine.views
        )
        return replace(contract, events={**contract.events, event: replace(mine, views=views)})

    return Loosening(name, view.purpose, apply)


def _looser(field: OutputField) -> OutputField | None:
    action = _finer(field.rule.action)
    if action is not None:
        return replace(field, rule=replace(field.rule, action=action))
    if isinstance(field.rule.action, Keep) and isinstance(not_null(field.type), Enum):
        return replace(field, type=_one_more_symbol(field.type))
    return None


def _finer(action: Action) -> Action | None:
    match action:
        case Within(low, high):
            return Within(low, high + 1)
        case Bucket(edges):
            return Bucket((*edges, edges[-1] + 1_000_003))
        case Truncate(step_ms) if step_ms > MINUTE_MS:
            return Truncate(MINUTE_MS)
        case OneOf(values, otherwise, list_name):
            return OneOf((*values, "SYNTHETIC-WORD"), otherwise, list_name)
        case _:
            return None


def _one_more_symbol(avro_type: AvroType) -> AvroType:
    if isinstance(avro_type, Nullable):
        return Nullable(_one_more_symbol(avro_type.inner), avro_type.null_index)
    assert isinstance(avro_type, Enum)
    return replace(avro_type, symbols=(*avro_type.symbols, "SYNTHETIC"))
