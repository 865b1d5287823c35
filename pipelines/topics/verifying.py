"""Verifying: do the live topics keep their promises, in what is set and in what is there? Asks; reads no record.

Answers that are never mixed. A *breach* is a promise that does not hold. What is *unproven* cannot be told: nobody
answers for a partition, a broker that holds a replica is down, and with it its disk, or a replica is not in sync. What
is *settling* is older than promised because of a change (a TTL that was cut, say) that the record of changes tells of:
no older than it might become before, and gone by the time that is recorded, too. What is *held back* is a setting that
grows later, when what came late is gone, and breaks nothing until then.

A record that is dated ahead of the clock keeps its segment, and all that is in it, until its own time comes and the
retention has passed. So the greatest timestamp of every partition is looked at, too.

The oldest record is that at the log's start (ListOffsets, timestamp 1), aborted data and markers included. Its age
counts from its own timestamp: the broker's for raw topics, quarantine and changes, the floored raw time for others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipelines.broker import Cluster, Offset, Partition, TopicInfo
from pipelines.contract.model import Contract
from pipelines.text_table import TextTable
from pipelines.topics.judging import Breach, Difference, harmless, judge, lives_ms, of_brokers
from pipelines.topics.latecomers import HeldBack, gone_after_ms, held_back
from pipelines.topics.looking import look, with_latecomers
from pipelines.topics.promise import Promise, promises
from pipelines.topics.recorded import UNKNOWN, Origin, Settles
from pipelines.topics.risks import Risk, risks
from pipelines.topics.settling import bounded
from pipelines.topics.spans import is_endless, moment, span
from pipelines.topics.state import INITIAL_DELAY_MS, ClusterState


@dataclass(frozen=True, slots=True)
class Figures:
    """A topic in numbers (ms): what is promised, the worst that its settings allow, the age of its oldest record.

    None: there is no such topic, or no record in it that anybody answers for. `ahead_ms`: how far the record with the
    greatest timestamp is dated ahead of the clock; 0 when none is.
    """

    topic: str
    promised_ms: int
    worst_ms: int | None
    oldest_ms: int | None
    ahead_ms: int = 0


@dataclass(frozen=True, slots=True)
class Unproven:
    """A partition of which something is unknown, and why."""

    topic: str
    partition: int
    why: str


@dataclass(frozen=True, slots=True)
class Settling:
    """A topic with a record that is older than promised since a change; by `kept_from_ms` it is gone.

    `ahead_ms`: so far ahead of the clock the record is dated; then its age counts from now. `origin`: the record of
    changes that says so.
    """

    topic: str
    oldest_ms: int
    kept_from_ms: int
    ahead_ms: int = 0
    origin: Origin = UNKNOWN


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found at a time (ms since 1970)."""

    at_ms: int
    figures: tuple[Figures, ...]
    breaches: tuple[Breach, ...]
    unproven: tuple[Unproven, ...]
    settling: tuple[Settling, ...]
    risks: tuple[Risk, ...]
    differences: tuple[Difference, ...]
    held: Mapping[str, HeldBack]


def verify(contract: Contract, cluster: Cluster, now_ms: int, *, initial_delay_ms: int = INITIAL_DELAY_MS) -> Verdict:
    """Look at every topic of the contract, once.

    Raises:
        Trouble: (exit 3) the cluster does not answer, or does not let this client know.
    """
    admin = cluster.admin()
    state = look(contract, admin, initial_delay_ms=initial_delay_ms)
    infos = admin.topics(state.topics)
    survey = cluster.survey()
    oldest, furthest = survey.oldest(_led(infos)), survey.furthest(_led(infos))
    state, record = with_latecomers(contract, state, cluster, lambda: now_ms / 1000)
    held = {promise.topic: held_back(promise, state) for promise in promises(contract)}
    figures, breaches, settling = list[Figures](), list[Breach](), list[Settling]()
    breaches += of_brokers(contract, state)
    for promise in promises(contract):
        breaches += judge(promise, state)
        ages = _ages(promise.topic, oldest, now_ms)
        ahead = ahead_of(promise.topic, furthest, now_ms)
        figures.append(_figures(promise, state, ages, ahead))
        said = record.settles.get(promise.topic)
        change = None if said is None or promise.topic not in state.topics else bounded(said, promise, state)
        for each in (
            *_too_old(promise, ages, change, now_ms),
            *too_far_ahead(promise, state, ahead, change, now_ms),
        ):
            if isinstance(each, Breach):
                breaches.append(each)
            else:
                settling.append(each)
    at_risk = tuple(risk for promise in promises(contract) for risk in risks(promise, state))
    return Verdict(
        now_ms,
        tuple(figures),
        tuple(breaches),
        tuple(unproven(infos, state, oldest)),
        tuple(settling),
        at_risk,
        tuple(
            each
            for promise in promises(contract)
            for each in harmless(promise, state, breaches)
            if each.setting not in _waiting(held[promise.topic])
            and (each.topic, each.setting) not in {(risk.topic, risk.setting) for risk in at_risk}
        ),
        {topic: each for topic, each in held.items() if each is not None},
    )


def _waiting(held: HeldBack | None) -> Mapping[str, str]:
    return {} if held is None else held.settings


def _led(infos: Mapping[str, TopicInfo]) -> list[Partition]:
    return [
        (name, place.partition) for name, info in infos.items() for place in info.places if place.leader is not None
    ]


def _ages(topic: str, oldest: Mapping[Partition, Offset | None], now_ms: int) -> dict[int, int]:
    """Partition → the age of its oldest record; empty and silent ones are left out. One from the future has none."""
    return {
        number: max(0, now_ms - found.timestamp_ms)
        for (name, number), found in oldest.items()
        if name == topic and found is not None and found.timestamp_ms is not None
    }


def ahead_of(topic: str, furthest: Mapping[Partition, Offset | None], now_ms: int) -> dict[int, Offset]:
    """Partition → the offset of its record with the greatest timestamp, and by how much that is ahead (ms)."""
    return {
        number: Offset(found.offset, found.timestamp_ms - now_ms)
        for (name, number), found in furthest.items()
        if name == topic and found is not None and found.timestamp_ms is not None and found.timestamp_ms > now_ms
    }


def _figures(promise: Promise, state: ClusterState, ages: Mapping[int, int], ahead: Mapping[int, Offset]) -> Figures:
    worst_ms = lives_ms(promise, state) if promise.topic in state.topics else None
    return Figures(promise.topic, promise.ttl_ms, worst_ms, max(ages.values(), default=None), _furthest(ahead.values()))


def _too_old(
    promise: Promise, ages: Mapping[int, int], change: Settles | None, now_ms: int
) -> Iterator[Breach | Settling]:
    late = {number: age for number, age in ages.items() if age > promise.ttl_ms}
    if change is not None and now_ms < change.kept_from_ms:
        settling = [age for age in late.values() if age <= change.lived_ms]
        if settling:
            yield Settling(promise.topic, max(settling), change.kept_from_ms, origin=change.origin)
        late = {number: age for number, age in late.items() if age > change.lived_ms}
    if not late:
        return
    oldest_ms = max(late.values())
    where = ", ".join(map(str, sorted(late)))
    yield Breach(
        promise.topic,
        "oldest",
        f"a record of partition {where} is {span(oldest_ms)} old, the promise is {span(promise.ttl_ms)}",
        "If its settings are right, the broker does not delete: look for the log cleaner and the disks in its log.",
        {},
        "",
    )


def _furthest(ahead: Iterable[Offset]) -> int:
    return max((each.timestamp_ms or 0 for each in ahead), default=0)


def too_far_ahead(
    promise: Promise, state: ClusterState, ahead: Mapping[int, Offset], change: Settles | None, now_ms: int
) -> Iterator[Breach | Settling]:
    """The records that are dated further ahead than a broker lets in and clocks differ, as `ahead_of` gives them."""
    slack_ms = state.times.slack_ms
    far = {number: each for number, each in ahead.items() if (each.timestamp_ms or 0) > 2 * slack_ms}
    if not far or promise.topic not in state.topics:
        return
    gone_ms = gone_after_ms(promise, state)
    wait_ms = _furthest(far.values())
    if change is not None and now_ms + wait_ms + gone_ms <= change.kept_from_ms + slack_ms:
        yield Settling(promise.topic, 0, change.kept_from_ms, wait_ms, change.origin)
        return
    where = ", ".join(f"{number} (offset {each.offset})" for number, each in sorted(far.items()))
    yield Breach(
        promise.topic,
        "ahead",
        f"a record of partition {where} is dated {_far(wait_ms)} ahead of the clock: until then, and the retention "
        "after it, its segment stays, and every record in it",
        "Find what wrote it. Once consumers have read that far, delete the records up to it (kafka-delete-records.sh); "
        "the file goes when Kafka has begun another segment.",
        {},
        "",
    )


def unproven(
    infos: Mapping[str, TopicInfo], state: ClusterState, oldest: Mapping[Partition, Offset | None]
) -> Iterator[Unproven]:
    """What cannot be told of partitions that lie so, in a cluster of these brokers, with these oldest records."""
    for name, info in sorted(infos.items()):
        for place in info.places:
            down = sorted(set(place.replicas) - state.brokers.keys())
            if oldest.get((name, place.partition)) is None:
                yield Unproven(name, place.partition, "no broker answers for it")
            if down:
                said = ", ".join(map(str, down))
                why = f"broker {said} has a replica and is down: so long, it deletes nothing"
                yield Unproven(name, place.partition, why)
            # A replica whose log directory failed leaves the set of those in sync; so does one that is behind.
            behind = sorted(set(place.replicas) - set(place.in_sync) - set(down))
            if behind and place.leader is not None:
                said = ", ".join(map(str, behind))
                why = f"broker {said} is up, and its replica is not in sync: its log directory may have failed"
                yield Unproven(name, place.partition, why)


def verdict_lines(verdict: Verdict, width: int = 200) -> Iterator[str]:
    """Yield the verdict in words, what is wrong first; its table is laid out for `width` columns."""
    for breach in verdict.breaches:
        yield f"BROKEN {breach} [{breach.code}]"
        for name, said in breach.settings.items():
            yield f"    {name} is {said}"
        yield f"    {breach.remedy}"
        if breach.command:
            yield f"    {breach.command}"
    for unproven in verdict.unproven:
        yield f"UNPROVEN {unproven.topic}/{unproven.partition}: {unproven.why}"
    for settling in verdict.settling:
        dated = f"dated {_far(settling.ahead_ms)} ahead" if settling.ahead_ms else f"{span(settling.oldest_ms)} old"
        yield (
            f"SETTLING {settling.topic}: a record is {dated}, from before a change; the TTL is "
            f"kept from {moment(settling.kept_from_ms)}{_by(settling.origin)}"
        )
    for topic, held in verdict.held.items():
        named = ", ".join(f"{name}={value}" for name, value in held.settings.items())
        when = "once a plan is applied" if held.until_ms is None else f"from {moment(held.until_ms)} on"
        when = "which may be never" if held.until_ms is not None and is_endless(held.until_ms) else when
        yield f"HELD BACK {topic}: {named} by another plan, {when}. {held.why}"
    for risk in verdict.risks:
        yield f"AT RISK {risk}"
    for difference in verdict.differences:
        yield f"differs, breaks nothing: {difference}"
    rows = []
    for each in verdict.figures:
        worst, oldest = _said(each.worst_ms), _said(each.oldest_ms)
        oldest = f"{_far(each.ahead_ms // 1000 * 1000)} ahead" if each.ahead_ms and not each.oldest_ms else oldest
        rows.append((each.topic, span(each.promised_ms), worst, oldest))
    table = TextTable(rows, ("topic", "promised", "worst case", "oldest record"), right=frozenset({1, 2, 3}))
    yield from (line.plain for line in table.lines(width))
    broken = len({breach.topic for breach in verdict.breaches} & {each.topic for each in verdict.figures})
    kept = f"{len(verdict.figures) - broken} of {len(verdict.figures)} promises hold"
    yield kept + (f", {len(verdict.unproven)} partition(s) unproven" if verdict.unproven else "")


def _by(origin: Origin) -> str:
    """Whose word that is, where it is known: nothing but the record of changes tells of it."""
    return f" (record {origin.offset} of the topic of changes says so, by {origin.by!r})" if origin.offset >= 0 else ""


def _far(ahead_ms: int) -> str:
    return "more than 10,000 years" if is_endless(ahead_ms) else span(ahead_ms)


def _said(span_ms: int | None) -> str:
    return "-" if span_ms is None else span(span_ms // 1000 * 1000)
