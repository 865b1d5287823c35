"""Trials: what the minimizer would make of one event, with keys that nobody else has and no broker.

The trial runs the very program that workers run. It shows of the event that came in: which fields it has and of what
class, never a value; and of what goes out: all of it. The one door to the values is the input file itself.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import fastavro
import orjson

from pipelines.contract.model import Contract, Event, View
from pipelines.envelope import Envelope
from pipelines.explain.leaves import leaves_of
from pipelines.explain.plain import Unfit, encode, parse
from pipelines.keys import SubkeySource, event_block
from pipelines.minimize import Fault, Minimized, compile_event

_HEADER_BYTES: Final = 10
_NO_TOPIC: Final = bytes(4)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A raw field of the event: its path, its class, and the topics whose views use it."""

    path: str
    class_: str
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What one view makes of the event.

    `outcome` is `out`, `quarantined` (then `code` and `path` say why) or `suspended` (the purpose's review does not
    stand at that time). Only for `out` there are `record`, `key` (hex, or None), `headers` and `timestamp_ms`.
    """

    topic: str
    outcome: str
    code: str | None = None
    path: str | None = None
    record: Mapping[str, Any] | None = None
    key: str | None = None
    headers: Mapping[str, str] | None = None
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One event's trial.

    `number` counts the events of a file from 1. Where `code` is set, the whole event is at fault at `path`: it is not
    what its schema says, or (`stage` is "reading") the JSON could not be turned into Avro.
    """

    number: int
    version: int | None
    incoming: tuple[Incoming, ...]
    outgoing: tuple[Outgoing, ...]
    stage: str | None = None
    code: str | None = None
    path: str | None = None


class Bench:
    """Tries events of one type. `keys` is a throwaway keyring; the broker time of every event is `at_ms`.

    Args:
        version: which raw schema JSON events are written with; the newest if None.
    """

    def __init__(
        self, contract: Contract, event: Event, keys: SubkeySource, *, at_ms: int, version: int | None = None
    ) -> None:
        self._contract = contract
        self._event = event
        self._keys = keys
        self._at_ms = at_ms
        self._program = compile_event(event)
        self._schema = next((s for s in event.versions if s.version == version), event.versions[-1])
        self._versions = {schema.fingerprint: schema.version for schema in event.versions}

    def try_json(self, number: int, text: bytes) -> Trial:
        """Try an event that is written in JSON (see `plain`)."""
        document = parse(text)
        value = encode(self._schema, document) if not isinstance(document, Unfit) else document
        if isinstance(value, Unfit):
            return Trial(number, self._schema.version, (), (), "reading", value.code, value.path)
        return self.try_value(number, value)

    def try_value(self, number: int, value: bytes) -> Trial:
        """Try a raw Kafka value: Avro single-object encoding."""
        version = self._versions.get(value[2:_HEADER_BYTES])
        subkeys = [self._subkeys(view) for view in self._program.views]
        handlers = [None if keys is None else keys[1] for keys in subkeys]
        result = self._program.minimize(value, handlers)
        if isinstance(result, Fault):
            return Trial(number, version, self._incoming(version), (), "minimizing", result.code, result.path)
        outgoing = tuple(
            self._outgoing(number, view, minimized)
            for view, minimized in zip(self._program.views, result, strict=True)
        )
        return Trial(number, version, self._incoming(version), outgoing)
