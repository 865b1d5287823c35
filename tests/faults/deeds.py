"""Doing one fault to one worker, and making sure that it happened.

A fault begins only when the slot's present worker has committed and has lived long enough to be restarted at once, so
that every fault hits a worker at work and every recovery is a recovery from one fault.
"""

from __future__ import annotations

import math
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from pipelines.relay.steps import Step
from tests.faults.crew import Crew, send
from tests.faults.link import Held
from tests.faults.orders import Line, Order
from tests.faults.plan import ANYWHERE, IN_FLIGHT, Fault
from tests.faults.proxy import Proxy
from tests.faults.scaling import Scaler
from tests.support.waiting import StalledError, until

# A little more than the age from which the supervisor restarts a worker without a pause.
OLD_ENOUGH_S: Final = 5.2
_PATIENCE_S: Final = 90.0
_MARGIN_S: Final = 2.0
_RECOVERING_S: Final = 10.0  # after which a worker that was put out will not recover any more: it had nothing at hand
_LEAST_DELAY_MS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Death:
    """A worker that was killed; `hit` is the step that it was at, as far as that is known."""

    at: float
    slot: int
    place: str
    hit: str


@dataclass(slots=True)
class Deeds:
    """Does the faults of one slot, one after the other.

    Args:
        session_s: after which a member that is silent is put out.
    """

    crew: Crew
    slot: int
    session_s: float
    proxy: Proxy | None
    scaler: Scaler
    deaths: list[Death] = field(default_factory=list)
    zombies: int = 0
    delayed: int = 0
    delayed_answers: list[int] = field(default_factory=list)
    _held: Held | None = None
    # When processes said that they die, or were killed: they may be there for a moment yet. Numbers come again.
    _gone: dict[int, float] = field(default_factory=dict)

    def do(self, fault: Fault) -> bool:
        """Do a fault; False when it did not come about (a broker went away in between, say): try again then."""
        pid = self._at_work()
        if pid is None:
            return False
        match fault.what:
            case "kill":
                death = self._kill(fault, pid)
                if death is not None:
                    self.deaths.append(death)
                return death is not None
            case "zombie":
                woken = self._sleep(fault, pid, None)
                self.zombies += woken
                return woken
            case "delayed-commit":
                return self._delay_commit(fault)

    def finish(self) -> bool:
        """Wait until the slot is at work again after its last fault."""
        return self._at_work() is not None

    def _at_work(self) -> int | None:
        """The process of the slot, once it has committed and is old enough."""
        witness, abandoned = self.crew.witness, -1

        def look() -> int | None:
            if witness.abandoned.is_set():
                return abandoned
            pid, started_at = self.crew.pid(self.slot), self.crew.slot(self.slot).started_at
            # A second is more than a start is dated back, and less than any worker lives that is killed.
            present = pid is not None and self._gone.get(pid, -math.inf) < started_at + 1
            old_enough = time.monotonic() >= started_at + OLD_ENOUGH_S
            return pid if present and old_enough and self._committed(pid, started_at) else None

        def written() -> int:
            return sum(line.slot == self.slot for line in witness.lines)

        with suppress(StalledError):
            pid = until(look, f"slot {self.slot} at work", progress=written, stalled_s=2 * _PATIENCE_S)
            return None if pid == abandoned else pid
        return None

    def _committed(self, pid: int | None, since: float) -> bool:
        lines = self.crew.witness.lines
        return any(line.pid == pid and line.said == "committed" and line.at > since for line in lines[-2_000:])

    def _kill(self, fault: Fault, pid: int) -> Death | None:
        if fault.place == ANYWHERE:
            time.sleep(fault.delay_ms / 1000)
            at = time.monotonic()
            self._gone[pid] = at
            return Death(at, self.slot, fault.place, "-") if send(pid, signal.SIGKILL) else None
        if fault.place == Step.RECOVERING:
            line = self._sleep_and_die(fault, pid)
        else:
            line = self._order(self._kill_order(fault), "dies", pid, fault.place)
        if line is None:
            return None
        self._gone[line.pid] = line.at
        return Death(line.at, self.slot, fault.place, line.step)

    @staticmethod
    def _kill_order(fault: Fault) -> Order:
        if fault.place == IN_FLIGHT:
            delay_ms = max(_LEAST_DELAY_MS, fault.delay_ms)
            return Order(fault.number, "die", Step.COMMITTING, fault.occurrence, delay_ms)
        return Order(fault.number, "die", fault.place, fault.occurrence)

    def _order(self, order: Order, said: str, pid: int, place: str = "") -> Line | None:
        witness, mark = self.crew.witness, self.crew.witness.mark()
        self.crew.desk.give(self.slot, order)
        if place == Step.STOPPING:
            send(pid, signal.SIGTERM)
        elif place == Step.REBALANCING:
            self.scaler.nudge()

        def wanted(line: Line) -> bool:
            return line.number == order.number and line.said == said

        line = witness.wait(mark, wanted, _PATIENCE_S, self.slot)
        if line is None and not self.crew.desk.recall(self.slot):
            # It is taken, and so will be carried out, however late: who sleeps then has to be woken.
            taker = witness.wait(mark, lambda line: line.number == order.number and line.said == "took", 0)
            while line is None and taker and self.crew.pid(self.slot) == taker.pid and not witness.abandoned.is_set():
                line = witness.wait(mark, wanted, 1.0)
        return line

    def _sleep(self, fault: Fault, pid: int, then: str | None) -> bool:
        """A zombie: asleep until it is put out, then woken. True when it found that out."""
        order = Order(fault.number, "sleep", fault.place, fault.occurrence, then=then)
        line = self._order(order, "sleeps", pid)
        if line is None:
            return False
        mark = self.crew.witness.mark()
        time.sleep(self.session_s + _MARGIN_S)
        send(line.pid, signal.SIGCONT)
        upset = self.crew.witness.wait(
            mark, lambda said: said.number == fault.number and said.said == "upset", _PATIENCE_S, self.slot
        )
        return upset is not None

    def _sleep_and_die(self, fault: Fault, pid: int) -> Line | None:
        """A worker is in recovery only after something went wrong: here, it was put out in the middle of a batch."""
        mark = self.crew.witness.mark()
        asleep = Fault(fault.number, "zombie", Step.PRODUCED, fault.occurrence, 0.0)
        self._sleep(asleep, pid, Step.RECOVERING)
        return self.crew.witness.wait(
            mark, lambda line: line.number == fault.number and line.said == "dies", _RECOVERING_S, self.slot
        )

    def _delay_commit(self, fault: Fault) -> bool:
        """KAFKA-17754: a commit arrives late, within the slot's next transaction, and then the worker dies."""
        if self.proxy is None:
            return False
        if self._held is None:
            self._held = self.proxy.hold_end_txn(transactional_id=self.crew.slot(self.slot).settings.slot_id)
        if not self._held.taken.wait(_PATIENCE_S):
            return False
        held, self._held = self._held, None
        line = self._order(Order(fault.number, "sleep", fault.place), "sleeps", -1)
        held.deliver()
        answered = line is not None and held.answered.wait(_PATIENCE_S)
        if line is not None:
            at = time.monotonic()
            self._gone[line.pid] = at
            send(line.pid, signal.SIGKILL)
            if answered:
                self.delayed += 1
                self.delayed_answers.append(held.error)
            self.deaths.append(Death(at, self.slot, fault.what, line.step))
        return answered
