"""The example: one event that shows much, chosen in raw, found again in every view by its event id.

What is shown of it is synthetic: the simulation made it, a few seconds ago.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import fastavro

from pipelines.broker import Message
from pipelines.contract.avro import FieldClass
from pipelines.contract.model import Contract, Event, View
from pipelines.demo.evidence import Example
from pipelines.explain.leaves import leaves_of
from pipelines.keys import SubkeySource, event_block, topic_hash
from pipelines.minimize import Fault, compile_event

_CANDIDATES = 200
_HEADER_BYTES = 10


def most_telling(contract: Contract) -> Event:
    """The event type whose views do the most different things, to the most different classes of fields."""
    return max(contract.events.values(), key=_variety)


def choose(
    contract: Contract, event: Event, messages: Iterable[Message], topic_id: bytes, keys: SubkeySource
) -> Example | None:
    """Of the first few events of the newest version that every view takes, the one with the most to show."""
    program, newest = compile_event(event), event.versions[-1]
    handlers = [lambda _: bytes(16)] * len(event.views)
    best: tuple[int, Message, bytes] | None = None
    seen = 0
    for message in messages:
        value = message.value() or b""
        if value[2:_HEADER_BYTES] != newest.fingerprint:
            continue
        seen += 1
        if seen > _CANDIDATES:
            break
        made = program.minimize(value, handlers, message.timestamp()[1])
        if isinstance(made, Fault):
            continue
        decoded = [
            decode(view.schema, each.value)
            for view, each in zip(program.views, made, strict=True)
            if each is not None and not isinstance(each, Fault)
        ]
        before = decode(newest.text, value)
        if before is None or len(decoded) < len(made):
            continue
        richness = sum(_said(fields) for fields in (before, *decoded))
        if best is None or richness > best[0]:
            best = (richness, message, value)
    return None if best is None else Example(event, best[2], _ids(contract, event, best[1], topic_id, keys))


def decode(schema: str, value: bytes) -> dict[str, Any] | None:
    """The fields of a record in single-object encoding; None when fastavro does not take it."""
    try:
        return dict(fastavro.schemaless_reader(io.BytesIO(value[_HEADER_BYTES:]), json.loads(schema), None))  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - fastavro raises what its Cython meets, with the value in its message
        return None


def _variety(event: Event) -> tuple[int, int]:
    """How many different actions and classes there are; among equals, how many fields of content."""
    actions = {type(rule.action) for view in event.views for rule in view.rules}
    classes = Counter(leaf.class_ for leaf in leaves_of(event))
    return len(actions) + len(classes), classes[FieldClass.CONTENT]


def _said(value: object) -> int:
    """How many values a decoded value holds that say something."""
    match value:
        case None | "" | b"":
            return 0
        case Mapping():
            return sum(map(_said, value.values()))
        case list():
            return min(1, len(value))
    return 1


def _ids(contract: Contract, event: Event, message: Message, topic_id: bytes, keys: SubkeySource) -> Mapping[str, str]:
    partition, offset, timestamp_ms = message.partition(), message.offset(), message.timestamp()[1]
    if partition is None or offset is None:
        return {}
    block = event_block(topic_hash(topic_id), partition, offset)
    standing = [view for view in event.views if _stands(contract, view, timestamp_ms)]
    return {
        view.topic: keys.subkeys_at(contract.purposes[view.purpose], timestamp_ms).event_ids(block).hex()
        for view in standing
    }


def _stands(contract: Contract, view: View, timestamp_ms: int) -> bool:
    review = contract.purposes[view.purpose].review
    return review is not None and timestamp_ms < review.expires_ms
