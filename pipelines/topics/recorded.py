"""Reading the record of changes: what the next plan and verify need to know of the past. See `record` for its form.

Whoever may write to the topic may write anything, so what is none of ours is passed over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from pipelines.broker import Cluster, records
from pipelines.contract.model import Contract
from pipelines.retention import FOREVER_MS
from pipelines.topics.record import FORMAT
from pipelines.topics.spans import at_ms
from pipelines.topics.state import OLDEST, SEGMENT, Audience, Latecomers, unlimited
from pipelines.trouble import Trouble

_FEWEST: Final = {"ttl_ms", "consumers"}


@dataclass(frozen=True, slots=True)
class Origin:
    """The record that says something: its offset in the topic of changes, and who it says wrote it."""

    offset: int
    by: str


UNKNOWN: Final = Origin(-1, "")


@dataclass(frozen=True, slots=True)
class Settles:
    """Until `kept_from_ms` (ms since 1970) there may be records as old as they might become before: `lived_ms`.

    That is what a record says, and whoever may write to the topic may write one: see `settling.bounded`. `written_ms`
    is when the broker took the record, `was` what the changes before it say of the settings that they replaced: setting
    → ms, `FOREVER_MS` for one that is no length or was not set.
    """

    kept_from_ms: int
    lived_ms: int
    written_ms: int = 0
    was: Mapping[str, int] = field(default_factory=dict)
    origin: Origin = UNKNOWN

    def with_(self, other: Settles) -> Settles:
        """Both at once. The origin is that of the one which settles later."""
        later = max(self, other, key=lambda each: each.kept_from_ms)
        return Settles(
            later.kept_from_ms,
            max(self.lived_ms, other.lived_ms),
            max(self.written_ms, other.written_ms),
            _longest(self.was, other.was),
            later.origin,
        )


@dataclass(slots=True)
class Recorded:
    """What the records say: whom topics were promised to last (None: nothing yet), and which promises settle.

    `settles`: the topics in which older records may be than promised, after what the applied plans changed.
    `plan` is the fingerprint of the plan that was applied last. `hidden`: they may not be read. `lets_in`: how old each
    topic lets records in, as it was set last (ms). `latecomers`: as the last applied plan left them. `unconfirmed`:
    what topics let in before changes of which no `applied` says that they are made. `replaced`: as `Settles.was`, of
    changes after which no `applied` has said since when the topic's promise is kept.
    """

    audience: Mapping[str, Audience] | None = None
    settles: dict[str, Settles] = field(default_factory=dict)
    plan: str = ""
    hidden: bool = False
    lets_in: dict[str, int] = field(default_factory=dict)
    latecomers: dict[str, Latecomers] = field(default_factory=dict)
    unconfirmed: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, dict[str, int]] = field(default_factory=dict)

    def hear(self, body: Mapping[str, Any], written_ms: int, offset: int = -1) -> None:
        """Take in one record, which the broker took at that time and put at that offset."""
        match body.get("kind"):
            case "change":
                self._hear_change(body.get("step"))
            case "applied":
                self._hear_applied(body, written_ms, Origin(offset, str(body.get("by", ""))))

    def _hear_change(self, step: object) -> None:
        match step:
            case {"kind": "create", "topic": str(topic), "settings": {**settings}}:
                # Made anew: nothing is in it that came before.
                for known in (self.lets_in, self.unconfirmed, self.latecomers, self.replaced):
                    known.pop(topic, None)
                self._hear_limit(topic, settings)
            case {"kind": "set", "topic": str(topic), "settings": {**settings}, "before": {**before}}:
                was = {str(name): _length(before.get(name), FOREVER_MS) for name in settings}
                self.replaced[topic] = _longest(self.replaced.get(topic, {}), was)
                if OLDEST in settings:
                    self.unconfirmed[topic] = max(was[OLDEST], self.unconfirmed.get(topic, 0))
                    self._hear_limit(topic, settings)
                if topic in self.latecomers and _length(settings.get(SEGMENT), FOREVER_MS) < _length(
                    before.get(SEGMENT), FOREVER_MS
                ):  # their segments span what they did; so it is as if they came until now
                    self.latecomers[topic] = replace(self.latecomers[topic], until_ms=None)

    def _hear_limit(self, topic: str, settings: Mapping[Any, object]) -> None:
        oldest_ms = _length(settings.get(OLDEST), -1)
        if oldest_ms >= 0:
            self.lets_in[topic] = oldest_ms

    def _hear_applied(self, body: Mapping[str, Any], written_ms: int, origin: Origin) -> None:
        self.audience = audience_of(body.get("audience")) or self.audience
        lived = _lengths(body.get("lived"))
        for topic, kept_from_ms in _moments(body.get("kept_from")).items():
            lived_ms, was = lived.get(topic, FOREVER_MS), self.replaced.pop(topic, {})
            now, before = Settles(kept_from_ms, lived_ms, written_ms, was, origin), self.settles.get(topic)
            if before is None or before.kept_from_ms <= written_ms:
                self.settles[topic] = now
            elif was:  # without a change before it, it has nothing to add to what settles
                self.settles[topic] = now.with_(before)
        self.plan = str(body.get("plan", self.plan))
        if "lets_in" not in body:  # a release that did not know of latecomers; its changes tell of them
            self.latecomers |= {topic: Latecomers(ms, written_ms) for topic, ms in self.unconfirmed.items()}
        else:
            self.latecomers = latecomers_of(body.get("latecomers"), written_ms)
            self.lets_in |= _lengths(body["lets_in"])
        self.unconfirmed.clear()


def recorded(contract: Contract, cluster: Cluster) -> Recorded:
    """Read the records of a topic of changes that is there.

    Raises:
        Trouble: (exit 3) it cannot be read, for another reason than a missing right.
    """
    found = Recorded()
    try:
        for message in records(cluster, contract.changes.name):
            found.hear(body_of(message.value()), message.timestamp()[1], message.offset() or 0)
    except Trouble as trouble:
        if "AUTHORIZATION_FAILED" in str(trouble):
            return Recorded(hidden=True)
        raise
    return found


def body_of(value: bytes | None) -> dict[str, Any]:
    """The body of a record; empty for what is none of ours."""
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) and body.get("format") == FORMAT else {}


def _moments(document: object) -> dict[str, int]:
    found = {}
    for topic, text in document.items() if isinstance(document, dict) else ():
        with contextlib.suppress(ValueError, TypeError):
            found[topic] = at_ms(text)
    return found


def _lengths(document: object) -> dict[str, int]:
    said = document.items() if isinstance(document, dict) else ()
    return {topic: value for topic, value in said if type(value) is int}


def _longest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in one.keys() | other.keys()}


def _length(text: object, otherwise: int) -> int:
    """Milliseconds as a setting spells them; `otherwise` where it is not set."""
    try:
        return unlimited(text) if isinstance(text, str) else otherwise
    except ValueError:
        return otherwise


def latecomers_of(document: object, now_ms: int | None) -> dict[str, Latecomers]:
    """The latecomers that a document says; one that is not understood came however old, until `now_ms`."""
    found = {}
    for topic, each in document.items() if isinstance(document, dict) else ():
        match each:
            case {"oldest_ms": int(oldest_ms), "until": None}:
                found[topic] = Latecomers(oldest_ms, now_ms)
            case {"oldest_ms": int(oldest_ms), "until": str(text)} if topic in _moments({topic: text}):
                found[topic] = Latecomers(oldest_ms, at_ms(text))
            case _:
                found[topic] = Latecomers(FOREVER_MS, now_ms)
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
