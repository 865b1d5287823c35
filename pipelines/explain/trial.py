"""Trials: what the minimizer would make of one event, with keys that nobody else has and no broker.

The trial runs the very program that workers run. It shows of the event that came in: which fields it has and of what
class, never a value; and of what goes out: all of it. The one door to the values is the input file itself.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import fastavro
import orjson

from pipelines.contract.actions import Count, CountWhere, Present
from pipelines.contract.model import Contract, Event, RawSchema, View
from pipelines.envelope import Envelope
from pipelines.explain.leaves import Leaf, leaves_of
from pipelines.explain.plain import Unfit, encode, parse
from pipelines.keys import HandleMaker, Subkeys, SubkeySource, event_block
from pipelines.minimize import Fault, Minimized, compile_event
from pipelines.trouble import Exit, Trouble

READING: Final = "reading"
MINIMIZING: Final = "minimizing"

_HEADER_BYTES: Final = 10
_NO_TOPIC: Final = bytes(4)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A raw field of the event: its path, its class, and the topics whose views use it.

    `fate` is `used` (something made of its value may be in a record), `counted` (a record says at most whether there is
    one, or how many) or `dropped`.
    """

    path: str
    class_: str
    fate: Literal["used", "counted", "dropped"]
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What one view makes of the event.

    `outcome` is `out`, `quarantined` (then `code` and `path` say why) or `suspended` (the purpose's review does not
    stand at that time). Only for `out` there are `record`, `key` (hex, or None), `headers` and `timestamp_ms`.
    Not `signed`: no review covers what the purpose would receive, so this is what would leave if somebody signed.
    """

    topic: str
    outcome: str
    code: str | None = None
    path: str | None = None
    record: Mapping[str, Any] | None = None
    key: str | None = None
    headers: Mapping[str, str] | None = None
    timestamp_ms: int | None = None
    signed: bool = True


@dataclass(frozen=True, slots=True)
class Trial:
    """One event's trial.

    `number` counts the events of a file from 1. Where `code` is set, the whole event is at fault at `path`: it is not
    what its schema says (`stage` is `MINIMIZING`), or the JSON could not be turned into Avro (`READING`).
    """

    number: int
    version: int | None
    incoming: tuple[Incoming, ...]
    outgoing: tuple[Outgoing, ...]
    stage: str | None = None
    code: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a view needs at the bench's broker time. Without `subkeys` the purpose's review has expired by then."""

    view: View
    subkeys: Subkeys | None
    handler: HandleMaker | None
    timestamp_ms: int
    envelope: Envelope
    signed: bool


class Bench:
    """Tries events of one type.

    Args:
        keys: a throwaway keyring.
        at_ms: the broker time of every event.
        version: which raw schema JSON events are written with; the newest if None.
        unsigned: purposes that nobody has signed; their views are tried all the same.

    Raises:
        Trouble: (exit 2) there is no such version.
    """

    def __init__(
        self,
        contract: Contract,
        event: Event,
        keys: SubkeySource,
        *,
        at_ms: int,
        version: int | None = None,
        unsigned: Collection[str] = (),
    ) -> None:
        self._event = event
        self._schema = _schema(event, version)
        self._program = compile_event(event)
        self._at_ms = at_ms
        self._plans = tuple(
            _plan(contract, event, view, keys, at_ms, signed=view.purpose not in unsigned)
            for view in self._program.views
        )
        self._versions = {schema.fingerprint: schema.version for schema in event.versions}

    def try_json(self, number: int, text: bytes) -> Trial:
        """Try an event that is written in JSON (see `plain`)."""
        document = parse(text)
        value = document if isinstance(document, Unfit) else encode(self._schema, document)
        if isinstance(value, Unfit):
            return Trial(number, self._schema.version, (), (), READING, value.code, value.path)
        return self.try_value(number, value)

    def try_value(self, number: int, value: bytes) -> Trial:
        """Try a raw Kafka value: Avro single-object encoding."""
        version = self._versions.get(value[2:_HEADER_BYTES])
        result = self._program.minimize(value, [plan.handler for plan in self._plans], self._at_ms)
        if isinstance(result, Fault):
            return Trial(number, version, self._incoming(version), (), MINIMIZING, result.code, result.path)
        outgoing = tuple(_outgoing(plan, number, made) for plan, made in zip(self._plans, result, strict=True))
        return Trial(number, version, self._incoming(version), outgoing)

    def _incoming(self, version: int | None) -> tuple[Incoming, ...]:
        return tuple(_seen(self._event, leaf) for leaf in leaves_of(self._event) if version in leaf.versions)


def _seen(event: Event, leaf: Leaf) -> Incoming:
    rules = [(view.topic, rule) for view in event.views for rule in view.rules if leaf.is_under(rule.path)]
    counted = all(isinstance(rule.action, Count | CountWhere | Present) for _, rule in rules)
    fate: Literal["used", "counted", "dropped"] = "dropped" if not rules else "counted" if counted else "used"
    return Incoming(
        leaf.path,
        leaf.class_.value if leaf.class_ else "none",
        fate,
        tuple(dict.fromkeys(topic for topic, _ in rules)),
    )


def _schema(event: Event, version: int | None) -> RawSchema:
    found = [schema for schema in event.versions if version in (None, schema.version)]
    if not found:
        there = ", ".join(str(schema.version) for schema in event.versions)
        raise Trouble(
            f"{event.name} has no version {version}", hint=f"There are versions: {there}.", exit_code=Exit.USAGE
        )
    return found[-1]


def _plan(contract: Contract, event: Event, view: View, keys: SubkeySource, at_ms: int, *, signed: bool) -> _Plan:
    purpose, topic = contract.purposes[view.purpose], contract.topics[view.topic]
    envelope = Envelope(
        view,
        event_source=event.source,
        ttl_ms=topic.ttl_ms,
        policy_version=contract.policy_version,
    )
    floored_ms = envelope.floor(at_ms)
    signed = signed and purpose.review is not None
    if purpose.review is not None and at_ms >= purpose.review.expires_ms:
        return _Plan(view, None, None, floored_ms, envelope, signed)
    subkeys = keys.subkeys_at(purpose, at_ms)
    # A view without a handle still wants a handler; the walk never calls it.
    handler = subkeys.handle_maker(purpose.handle or "device")
    return _Plan(view, subkeys, handler, floored_ms, envelope, signed)


def _outgoing(plan: _Plan, number: int, made: Minimized | Fault | None) -> Outgoing:
    if made is None or plan.subkeys is None:
        return Outgoing(plan.view.topic, "suspended", signed=plan.signed)
    if isinstance(made, Fault):
        return Outgoing(plan.view.topic, "quarantined", made.code, made.path, signed=plan.signed)
    event_id = plan.subkeys.event_ids(event_block(_NO_TOPIC, 0, number - 1)).hex()
    headers = plan.envelope.headers(plan.timestamp_ms, None if made.key is None else plan.subkeys.epoch_start_ms)
    return Outgoing(
        topic=plan.view.topic,
        outcome="out",
        record=_decoded(plan.view, made.value),
        key=None if made.key is None else made.key.hex(),
        headers={name: text.decode("ascii") for name, text in (*headers, ("ce_id", event_id.encode()))},
        timestamp_ms=plan.timestamp_ms,
        signed=plan.signed,
    )


def _decoded(view: View, value: bytes) -> dict[str, Any]:
    """A minimized value for people: handles in hexadecimal, times in RFC 3339."""
    schema = fastavro.parse_schema(orjson.loads(view.schema))
    record = fastavro.schemaless_reader(io.BytesIO(value[_HEADER_BYTES:]), schema, None)
    readable: dict[str, Any] = orjson.loads(orjson.dumps(record, default=_readable, option=orjson.OPT_UTC_Z))
    return readable


def _readable(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
