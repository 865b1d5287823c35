"""The record of changes: each one in the audit category, written before the change is made.

A record is a CloudEvent in Kafka's binary mode with a JSON body, without a key, in a topic of one partition. `kind`:

- `change`: this step is about to be made. Whether it was made stands in the topic itself; a step that was broken off
  and repeated is recorded again.
- `resumed`: these steps of the plan were found made by an earlier run that was broken off.
- `applied`: the plan is done; since when each promise is kept, and whom each topic is promised to from now on (which
  is what the next plan compares with).

Every record says who, when, under which plan and which contract. Names of topics, settings and principals only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import uuid4

import orjson

from pipelines.broker import Cluster, KafkaError, Message, Producer, records, unreachable
from pipelines.contract.model import Contract
from pipelines.topics.promise import promises
from pipelines.topics.spans import at_ms, moment
from pipelines.topics.state import Audience
from pipelines.topics.steps import Step
from pipelines.trouble import Trouble

FORMAT: Final = 1
_TYPE: Final = "retention.changes"
_WITHIN_S: Final = 20.0
_FEWEST: Final = {"ttl_ms", "consumers"}


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes changes, under which plan (its fingerprint) and contract (its digest, hex)."""

    by: str
    principal: str
    plan: str
    contract: str


def audience(contract: Contract) -> dict[str, Audience]:
    """Whom each topic of the contract is promised to."""
    return {promise.topic: Audience(promise.ttl_ms, tuple(sorted(promise.consumers))) for promise in promises(contract)}


class Recorder:
    """Writes records, and is sure of each before it goes on. Made for one run of one author."""

    def __init__(self, cluster: Cluster, topic: str, author: Author) -> None:
        """Begin with where to write, and who does."""
        self._bootstrap = cluster.bootstrap
        # In order, and rather twice than not: so a right to write is enough, and its lack is said as such.
        one_by_one = {"enable.idempotence": False, "max.in.flight.requests.per.connection": 1}
        self._producer: Producer = cluster.producer(**one_by_one, **{"delivery.timeout.ms": int(_WITHIN_S * 1000)})
        self._topic = topic
        self._author = author

    def change(self, steps: Sequence[Step], now_ms: int) -> None:
        """Record that these steps are about to be made.

        Raises:
            Trouble: (exit 3) the records are not surely written; nothing may be changed then.
        """
        self._write([{"kind": "change", "step": asdict(step)} for step in steps], now_ms)

    def resumed(self, steps: Sequence[Step], now_ms: int) -> None:
        """Record that these steps were found done."""
        self._write([{"kind": "resumed", "steps": [asdict(step) for step in steps]}], now_ms)

    def applied(self, audience: Mapping[str, Audience], kept_from_ms: Mapping[str, int], now_ms: int) -> None:
        """Record that the plan is done."""
        body = {
            "kind": "applied",
            "kept_from": {topic: moment(at_ms) for topic, at_ms in kept_from_ms.items()},
            "audience": {topic: asdict(each) for topic, each in audience.items()},
        }
        self._write([body], now_ms)

    def _write(self, bodies: Sequence[Mapping[str, Any]], now_ms: int) -> None:
        failed: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error)

        for body in bodies:
            value = {"format": FORMAT, "at": moment(now_ms), **asdict(self._author), **body}
            headers: list[tuple[str, str | bytes | None]] = [
                ("ce_specversion", "1.0"),
                ("ce_id", uuid4().hex),
                ("ce_source", "topics"),
                ("ce_type", _TYPE),
                ("content-type", "application/json"),
            ]
            self._producer.produce(self._topic, orjson.dumps(value), headers=headers, on_delivery=delivered)
        if self._producer.flush(_WITHIN_S + 1) or failed:
            what = f"record the change in {self._topic}, so nothing was changed,"
            raise unreachable(failed[0] if failed else None, self._bootstrap, what)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the records say: whom topics were promised to last (None: nothing yet), and from when cut TTLs are kept.

    `plan` is the fingerprint of the plan that was applied last. `hidden`: they may not be read.
    """

    audience: Mapping[str, Audience] | None
    kept_from_ms: Mapping[str, int]
    plan: str = ""
    hidden: bool = False


def recorded(contract: Contract, cluster: Cluster) -> Recorded:
    """Read the records of a topic of changes that is there.

    Raises:
        Trouble: (exit 3) it cannot be read, for another reason than a missing right.
    """
    last, kept_from_ms, plan = None, dict[str, int](), ""
    try:
        for message in records(cluster, contract.changes.name):
            body = _applied(message.value())
            found = audience_of(body.get("audience"))
            last = last if found is None else found
            kept_from_ms.update(_moments(body.get("kept_from")))
            plan = str(body.get("plan", plan))
    except Trouble as trouble:
        if "AUTHORIZATION_FAILED" in str(trouble):
            return Recorded(None, {}, hidden=True)
        raise
    return Recorded(last, kept_from_ms, plan)


def _applied(value: bytes | None) -> dict[str, Any]:
    """The body of an `applied` record; empty for every other record, and for what is none of ours."""
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return {}
    ours = isinstance(body, dict) and (body.get("format"), body.get("kind")) == (FORMAT, "applied")
    return body if ours else {}


def _moments(document: object) -> dict[str, int]:
    found = {}
    for topic, text in document.items() if isinstance(document, dict) else ():
        with contextlib.suppress(ValueError, TypeError):
            found[topic] = at_ms(text)
    return found


def audience_of(document: object) -> dict[str, Audience] | None:
    """The audience that a document says; None when it says none."""
    if not isinstance(document, dict):
        return None
    found = {}
    for topic, each in document.items():
        if not isinstance(each, dict) or each.keys() != _FEWEST or not isinstance(each["consumers"], list):
            return None
        ttl_ms, consumers = each["ttl_ms"], each["consumers"]
        if type(ttl_ms) is not int or not all(isinstance(name, str) for name in consumers):
            return None
        found[topic] = Audience(ttl_ms, tuple(consumers))
    return found
