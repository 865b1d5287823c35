"""Windows: what is constant for one event type while the broker time stays within one step of every view.

Headers, keys and handles depend on a record's time only through its floored time and its epoch, so they are looked up
once a window and not once an event. Never reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.contract.model import Contract, Event, Purpose, Topic, View
from pipelines.envelope import Envelope
from pipelines.keys import Subkeys, SubkeySource

Handler = Callable[[bytes], bytes]
Headers = list[tuple[str, bytes]]


@dataclass(slots=True)
class ViewWindow:
    """One view within one window: the record timestamp, the headers but for `ce_id`, and the keys.

    `bare_headers` are those of a record without a handle, which has no epoch to speak of.

    Without `subkeys` the purpose's review has expired: the view is suspended, and needs nothing else.
    """

    timestamp_ms: int
    headers: Headers
    bare_headers: Headers
    subkeys: Subkeys | None


@dataclass(slots=True)
class Window:
    """Broker times in [start_ms, end_ms): the same for every view of the event type."""

    start_ms: int
    end_ms: int
    views: tuple[ViewWindow, ...]
    handlers: Sequence[Handler | None]


def _no_handle(_identifier: bytes) -> bytes:
    raise AssertionError("a view without a handle asked for one")


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """A view with all that its records need."""

    view: View
    topic: Topic
    purpose: Purpose
    envelope: Envelope

    @classmethod
    def of(cls, contract: Contract, event: Event, view: View) -> ViewPlan:
        """Gather them from a valid contract."""
        topic, purpose = contract.topics[view.topic], contract.purposes[view.purpose]
        envelope = Envelope(
            view,
            event_source=event.source,
            ttl_ms=topic.ttl_ms,
            policy_version=contract.policy_version,
        )
        return cls(view, topic, purpose, envelope)

    @property
    def suspended_from_ms(self) -> int:
        """The broker time from which the purpose has no standing review; 0 when it never had one."""
        return self.purpose.review.expires_ms if self.purpose.review else 0

    def window(self, timestamp_ms: int, keys: SubkeySource) -> tuple[int, int, ViewWindow, Handler | None]:
        """The view's window around a broker time: its bounds, itself and its handler (None: suspended).

        Raises:
            Trouble: the keyring has no root for the epoch (exit 3).
        """
        floored = self.envelope.floor(timestamp_ms)
        start, end, suspended_from = floored, floored + self.view.step_ms, self.suspended_from_ms
        if timestamp_ms >= suspended_from:
            return max(start, suspended_from), end, ViewWindow(floored, [], [], None), None
        subkeys = keys.subkeys_at(self.purpose, timestamp_ms)
        handler = subkeys.handle_maker(self.purpose.handle) if self.purpose.handle else _no_handle
        headers = self.envelope.headers(floored, subkeys.epoch_start_ms)
        bare_headers = self.envelope.headers(floored, None)
        return start, min(end, suspended_from), ViewWindow(floored, headers, bare_headers, subkeys), handler


class Windows:
    """The windows of one event type, by broker time; at most `limit` are remembered."""

    def __init__(self, plans: Sequence[ViewPlan], keys: SubkeySource, *, limit: int = 256) -> None:
        self._plans = plans
        self._keys = keys
        self._limit = limit
        self._span_ms = min([60_000, *(plan.view.step_ms for plan in plans)])
        self._by_span: dict[int, Window] = {}

    def at(self, timestamp_ms: int) -> Window:
        """The window that holds a broker time.

        Raises:
            Trouble: the keyring has no root for an epoch (exit 3).
        """
        at = timestamp_ms // self._span_ms
        window = self._by_span.get(at)
        if window is not None and window.start_ms <= timestamp_ms < window.end_ms:
            return window
        parts = [plan.window(timestamp_ms, self._keys) for plan in self._plans]
        start = max((part[0] for part in parts), default=at * self._span_ms)
        end = min((part[1] for part in parts), default=(at + 1) * self._span_ms)
        window = Window(start, end, tuple(part[2] for part in parts), [part[3] for part in parts])
        if len(self._by_span) >= self._limit:
            self._by_span.pop(next(iter(self._by_span)))
        self._by_span[at] = window
        return window
