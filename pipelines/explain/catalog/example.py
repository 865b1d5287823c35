"""Examples: what the minimizer really makes of a synthetic event, with keys that anybody can compute.

The keys are public on purpose: a page must come out the same wherever it is made. They are worth nothing: they are
made of names, serve this room alone, and no worker can be given them. The contract's digest and the reviews' dates are
taken out of the way, so that a page changes when what it tells changes, and not otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Any, Final

import orjson

from pipelines.contract.findings import Position
from pipelines.contract.model import Contract, Event, Purpose, Review
from pipelines.explain.catalog.synthetic import AT_MS, synthetic_event
from pipelines.explain.trial import Bench, Outgoing, Trial
from pipelines.keys import RootId, Subkeys, epoch_start

_NO_DIGEST: Final = bytes(32)
_NOWHERE: Final = Position("")
_STANDS: Final = Review("", date.min, date.max, "", "", _NOWHERE, _NOWHERE)


@dataclass(frozen=True, slots=True)
class Example:
    """A raw event as JSON, and what became of it; `outgoing` by topic."""

    raw: str
    trial: Trial
    outgoing: Mapping[str, Outgoing]


class _PublicKeys:
    """A `SubkeySource` of roots that are no secret."""

    def subkeys_at(self, purpose: Purpose, timestamp_ms: int) -> Subkeys:
        start = epoch_start(timestamp_ms, purpose.rotate_ms)
        root_id = RootId(purpose.name, purpose.rotate_ms, start)
        return Subkeys(root_id, sha256(f"public example {purpose.name} {start}".encode()).digest())


def example(contract: Contract, event: Event) -> Example:
    """The example of an event type. Its number is a place in a topic, so that ids differ."""
    standing = {name: replace(purpose, review=_STANDS) for name, purpose in contract.purposes.items()}
    timeless = replace(contract, digest=_NO_DIGEST, purposes=standing)
    raw = synthetic_event(event)
    number = int.from_bytes(sha256(event.name.encode()).digest()[:4])
    trial = Bench(timeless, event, _PublicKeys(), at_ms=AT_MS).try_json(1 + number, orjson.dumps(raw))
    return Example(readable(raw), trial, {made.topic: made for made in trial.outgoing})


def readable(document: Any) -> str:
    """JSON as people read it."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
