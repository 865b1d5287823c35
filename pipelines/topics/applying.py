"""Applying a plan: its steps and no others, each recorded before it is made. All that changes a cluster's topics.

    look → refuse what changed → refuse what would be lost → for each step: record, make, see it made

Broken off anywhere and begun again it ends in the same state: what is made already is found made. No topic is ever
deleted. One step cannot be recorded before it is made, the making of the topic that records are written to: it comes
first, and its record at once after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from pipelines.broker import Admin, Cluster, NewTopic
from pipelines.contract.model import Contract
from pipelines.topics.document import fingerprint
from pipelines.topics.latecomers import harmed, left_behind, lets_in
from pipelines.topics.looking import look, look_around, with_latecomers
from pipelines.topics.losses import Loss, losses
from pipelines.topics.planning import Plan, plan
from pipelines.topics.progress import Progress, progress
from pipelines.topics.record import Author, Done, Recorder, audience
from pipelines.topics.recorded import recorded
from pipelines.topics.spans import after
from pipelines.topics.state import INITIAL_DELAY_MS
from pipelines.topics.steps import Step
from pipelines.trouble import Exit, Trouble

_SEEN_S: Final = 30.0
_LOOK_S: Final = 0.05
_SHOWN: Final = 10

Watch = Callable[[str], None]
"""Told before and after each step and record, for tests that end the process there."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done: the steps made now, those found made, and since when each new promise is kept (ms since 1970).

    `held_until_ms`: the topics of which something grows later, and when another plan does it at the earliest. None in
    either: that cannot be told.
    """

    plan: str
    made: tuple[Step, ...]
    found_made: tuple[Step, ...]
    kept_from_ms: Mapping[str, int | None]
    accepted: tuple[Loss, ...]
    held_until_ms: Mapping[str, int | None] = field(default_factory=dict)


def apply(
    planned: Plan,
    contract: Contract,
    cluster: Cluster,
    by: str,
    *,
    accept_loss_for: Iterable[str] = (),
    watch: Watch = lambda _: None,
    clock: Callable[[], float] = time.time,
    seen_s: float = _SEEN_S,
) -> Applied:
    """Make the steps of a plan that are not made yet.

    Args:
        by: who applies it, for the record.
        accept_loss_for: the groups that may lose records which they have not read.
        watch: see `Watch`.
        clock: seconds since 1970.
        seen_s: for how many seconds each step may take to be seen.

    Raises:
        Trouble: (exit 4) the cluster or the contract is not what it was when the plan was made, or a group would lose
            records; (exit 3) the cluster does not answer, does not show what was made, or does not let this client do
            it. What was made stays made, and the same call goes on from there.
    """
    if contract.digest.hex() != planned.contract:
        raise _refused(["the contract is another one"], [])
    run = _Run(planned, contract, cluster, by, watch, clock, seen_s)
    return run.all(frozenset(accept_loss_for))


def create_missing(
    contract: Contract, cluster: Cluster, by: str, *, initial_delay_ms: int = INITIAL_DELAY_MS, dry_run: bool = False
) -> tuple[Plan, Applied]:
    """Plan, and apply only what makes topics that are missing: the safe way to a first cluster.

    Gives the plan as a whole, and what was done of it (with `dry_run`: what would be).

    Raises:
        Trouble: (exit 3) the cluster does not answer, or does not let this client create a topic.
    """
    planned = plan(contract, look_around(contract, cluster, initial_delay_ms=initial_delay_ms))
    # Whom topics are promised to is recorded when nothing else is left to do: until then it is not so.
    whole = all(step.kind in {"create", "record"} for step in planned.steps)
    steps = tuple(step for step in planned.steps if step.kind == "create" or (whole and step.kind == "record"))
    creating = replace(planned, steps=steps)
    if dry_run or not steps:
        return planned, Applied(fingerprint(creating), steps, (), {}, ())
    return planned, apply(creating, contract, cluster, by)


class _Run:
    """One application of one plan."""

    def __init__(
        self,
        planned: Plan,
        contract: Contract,
        cluster: Cluster,
        by: str,
        watch: Watch,
        clock: Callable[[], float],
        seen_s: float,
    ) -> None:
        self._planned, self._contract, self._cluster = planned, contract, cluster
        self._watch, self._clock = watch, clock
        self._admin: Admin = cluster.admin()
        self._fingerprint = fingerprint(planned)
        author = Author(by, cluster.properties.get("sasl.username", ""), planned.contract, {"plan": self._fingerprint})
        self._seen_s = seen_s
        self._recorder = Recorder(cluster, contract.changes.name, author)

    def all(self, accept_loss_for: frozenset[str]) -> Applied:
        start = self._look()
        if all(step.kind == "record" for step in start.left) and self._is_recorded():
            return Applied(self._fingerprint, (), self._planned.steps, {}, ())
        self._refuse_harm(start.left)
        accepted = self._accepted(start.left, accept_loss_for)
        if start.done:
            self._recorder.resumed(start.done, self._now_ms())
        kept_from_ms = dict(self._kept_from(start.done))
        for batch in _batches(start.left, self._contract.changes.name):
            if batch[0].kind == "record":
                self._watch("before the last record")
                self._recorder.applied(self._done(kept_from_ms), self._now_ms())
                self._watch("after the last record")
            else:
                self._make(batch)
                kept_from_ms.update(self._kept_from(batch))
        return Applied(self._fingerprint, start.left, start.done, kept_from_ms, accepted, dict(self._held_until()))

    def _refuse_harm(self, left: tuple[Step, ...]) -> None:
        """A plan may be older than what came late since: what another one let in, and cut again."""
        if any(step.kind == "set" for step in left):
            now = look(self._contract, self._admin, initial_delay_ms=self._planned.state.initial_delay_ms)
            now, _ = with_latecomers(self._contract, now, self._cluster, self._clock)
            said = "{} let in records that this plan would let outlive their TTL"
            topics = harmed(self._contract, now, left)
            if topics:
                raise _refused(map(said.format, topics), [])

    def _is_recorded(self) -> bool:
        """Whether this plan was applied to its end, and none after it."""
        there = self._contract.changes.name in self._admin.topics([self._contract.changes.name])
        return there and recorded(self._contract, self._cluster).plan == self._fingerprint

    def _look(self) -> Progress:
        found = self._progress()
        if found.changed:
            raise _refused(found.changed, found.done)
        return found

    def _progress(self) -> Progress:
        delay_ms = self._planned.state.initial_delay_ms
        return progress(self._planned, look(self._contract, self._admin, initial_delay_ms=delay_ms))

    def _accepted(self, left: Iterable[Step], accept_loss_for: frozenset[str]) -> tuple[Loss, ...]:
        found = losses(left, self._planned.state, self._cluster, self._now_ms())
        refused = [loss for loss in found if loss.group not in accept_loss_for]
        if refused:
            groups = " ".join(f"--accept-loss-for {name}" for name in sorted({loss.group for loss in refused}))
            raise Trouble(
                "this plan would delete what is still to be read:\n  " + "\n  ".join(map(str, refused)),
                hint=f"Let them catch up first, or take the loss: {groups}.",
                exit_code=Exit.REFUSED,
            )
        return tuple(found)

    def _make(self, batch: tuple[Step, ...]) -> None:
        if batch[0].topic == self._contract.changes.name and batch[0].kind == "create":
            self._watch("before the topic of changes is made")
            self._do(batch)
            self._watch("after the topic of changes is made")
            self._recorder.change(batch, self._now_ms())
            return
        self._watch(f"before the record of {batch[0].kind} {batch[0].topic}")
        self._recorder.change(batch, self._now_ms())
        self._watch(f"after the record of {batch[0].kind} {batch[0].topic}")
        self._do(batch)
        self._watch(f"after {batch[0].kind} {batch[0].topic}")

    def _do(self, batch: tuple[Step, ...]) -> None:
        step = batch[0]
        match step.kind:
            case "create":
                made = (NewTopic(s.topic, s.partitions or 1, s.replication or 1, s.settings) for s in batch)
                self._admin.create(list(made))
            case "set":
                self._cluster.changer().set(step.topic, step.settings)
            case "partitions":
                self._cluster.changer().add_partitions(step.topic, step.partitions or 1)
        self._wait_until_seen(batch)

    def _wait_until_seen(self, batch: tuple[Step, ...]) -> None:
        """The controller has it; the brokers that answer learn of it a moment later."""
        deadline = time.monotonic() + self._seen_s
        while not set(map(id, batch)) <= set(map(id, (found := self._progress()).done)):
            if time.monotonic() > deadline:
                if found.changed:
                    raise _refused(found.changed, found.done)
                raise _unseen(batch, self._seen_s)
            time.sleep(_LOOK_S)

    def _kept_from(self, steps: Iterable[Step]) -> Iterator[tuple[str, int | None]]:
        changed = {step.topic for step in steps if step.kind == "set"}
        for entry in self._planned.entries:
            if entry.topic in changed and entry.settled_after_ms is not None:
                yield entry.topic, after(self._now_ms(), entry.settled_after_ms)

    def _done(self, kept_from_ms: Mapping[str, int | None]) -> Done:
        # From the record as it is now: it has the changes of this run, of runs that were broken off, of other plans.
        now, _ = with_latecomers(self._contract, look(self._contract, self._admin), self._cluster, self._clock)
        behind = left_behind(self._contract, now)
        before = {entry.topic: entry.worst_before_ms for entry in self._planned.entries}
        lived = {topic: ms for topic in kept_from_ms if (ms := before.get(topic)) is not None}
        return Done(audience(self._contract), kept_from_ms, lived, lets_in(self._contract, now), behind)

    def _held_until(self) -> Iterator[tuple[str, int | None]]:
        for entry in self._planned.entries:
            if entry.held is not None:
                until_ms = entry.held.until_ms
                yield entry.topic, after(self._now_ms(), entry.held.wait_ms) if until_ms is None else after(until_ms, 0)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _batches(steps: Iterable[Step], changes: str) -> Iterator[tuple[Step, ...]]:
    """Steps that are made together: topics that are created one after the other, but not the topic of changes."""
    numbered = enumerate(steps)
    for _, group in groupby(numbered, key=lambda each: _alone(each, changes)):
        yield tuple(step for _, step in group)


def _alone(each: tuple[int, Step], changes: str) -> int:
    number, step = each
    return -1 if step.kind == "create" and step.topic != changes else number


def _unseen(batch: tuple[Step, ...], seen_s: float) -> Trouble:
    made = ", ".join(f"{step.kind} {step.topic}" for step in batch[:_SHOWN])
    return Trouble(
        f"the cluster took this, and does not show it after {seen_s:g} s: {made}",
        hint="Repeat the same command: it continues where it ended. If this stays, look at the controllers' logs.",
    )


def _refused(changed: Iterable[str], done: Iterable[Step]) -> Trouble:
    said, made = list(changed), len(list(done))
    more = f"\n  and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    after = f", of which {made} step(s) are made" if made else ""
    return Trouble(
        f"somebody changed something since the plan was made{after}:\n  " + "\n  ".join(said[:_SHOWN]) + more,
        hint="Plan again: pipelines topics plan --out FILE.",
        exit_code=Exit.REFUSED,
    )
