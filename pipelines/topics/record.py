"""The record of changes: each one in the audit category, written before the change is made.

A record is a CloudEvent in Kafka's binary mode with a JSON body, without a key, in a topic of one partition. `kind`:

- `change`: this step is about to be made. Whether it was made stands in the topic itself; a step that was broken off
  and repeated is recorded again.
- `resumed`: these steps of the plan were found made by an earlier run that was broken off.
- `replay`, `replayed`: raw events are about to be replayed, and were (see `replay.recording`).
- `applied`: the plan is done. Since when each promise is kept (`kept_from`; null: that cannot be told, as records may
  be ahead of the clock without end), and how long records might live before (`lived`); whom each topic is promised to
  from now on, which is what the next plan compares with. `lets_in`: how old each topic lets records in from now on.
  `latecomers`: what may be there that came when it was older (`oldest_ms`), and until when it came (null: until this
  record).

Every record says who, when, in which plan or replay, and under which contract. Names of topics, settings and principals
only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import uuid4

import orjson

from pipelines.broker import Cluster, KafkaError, Message, Producer, unreachable
from pipelines.contract.model import Contract
from pipelines.topics.promise import promises
from pipelines.topics.spans import moment
from pipelines.topics.state import Audience, Latecomers
from pipelines.topics.steps import Step

FORMAT: Final = 1
_TYPE: Final = "retention.changes"
_WITHIN_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes changes, under which contract (its digest, hex), and within what.

    `within` holds `plan`, the plan's fingerprint, or `replay`, the replay's name.
    """

    by: str
    principal: str
    contract: str
    within: Mapping[str, str]


def audience(contract: Contract) -> dict[str, Audience]:
    """Whom each topic of the contract is promised to."""
    return {promise.topic: Audience(promise.ttl_ms, tuple(sorted(promise.consumers))) for promise in promises(contract)}


@dataclass(frozen=True, slots=True)
class Done:
    """What is so when a plan is done: see `applied` above."""

    audience: Mapping[str, Audience]
    kept_from_ms: Mapping[str, int | None]
    lived_ms: Mapping[str, int]
    lets_in: Mapping[str, int]
    latecomers: Mapping[str, Latecomers]


def change_body(step: Step) -> dict[str, Any]:
    """What a `change` says, besides who says it."""
    return {"kind": "change", "step": asdict(step)}


def applied_body(done: Done) -> dict[str, Any]:
    """What an `applied` says, besides who says it."""
    late = {
        topic: {"oldest_ms": each.oldest_ms, "until": None if each.until_ms is None else moment(each.until_ms)}
        for topic, each in done.latecomers.items()
    }
    return {
        "kind": "applied",
        "kept_from": {topic: None if at_ms is None else moment(at_ms) for topic, at_ms in done.kept_from_ms.items()},
        "lived": dict(done.lived_ms),
        "audience": {topic: asdict(each) for topic, each in done.audience.items()},
        "lets_in": dict(done.lets_in),
        "latecomers": late,
    }


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
        self.write([change_body(step) for step in steps], now_ms)

    def resumed(self, steps: Sequence[Step], now_ms: int) -> None:
        """Record that these steps were found done."""
        self.write([{"kind": "resumed", "steps": [asdict(step) for step in steps]}], now_ms)

    def applied(self, done: Done, now_ms: int) -> None:
        """Record that the plan is done."""
        self.write([applied_body(done)], now_ms)

    def write(self, bodies: Sequence[Mapping[str, Any]], now_ms: int) -> None:
        """Write records with these bodies, each with a `kind`, and wait until they are surely written.

        Raises:
            Trouble: (exit 3) they are not.
        """
        failed: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error)

        for body in bodies:
            who = {"by": self._author.by, "principal": self._author.principal, "contract": self._author.contract}
            value = {"format": FORMAT, "at": moment(now_ms), **who, **self._author.within, **body}
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
