"""What a worker shows of itself once a second: how far behind it is, and how long data, keys and reviews last.

Warnings come from here too, once each: they are about the same figures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from structlog.stdlib import BoundLogger

from pipelines import retention
from pipelines.contract.model import Contract
from pipelines.keys import Keyring
from pipelines.relay import metrics
from pipelines.relay.backlog import Backlog, Behind, Place, Standing
from pipelines.relay.forecast import Ages, Alarm
from pipelines.relay.stall import StallClock

_EVERY_S = 1.0
_SHORT_RUNWAY_MS = 72 * 3_600_000


class Gauges:
    """Those of one worker.

    Args:
        topics: raw topic → the minimized topics of its views.
        worker: the source and the number of its slot.
    """

    def __init__(
        self,
        contract: Contract,
        keyring: Keyring,
        log: BoundLogger,
        topics: Mapping[str, Iterable[str]],
        worker: tuple[str, int],
    ) -> None:
        self._worker = (worker[0], str(worker[1]))
        self._keyring = keyring
        self._log = log
        self._topics = list(topics)
        self._stall = StallClock()
        self._behind: Mapping[Place, Behind] = {}
        names = sorted({contract.topics[topic].purpose for views in topics.values() for topic in views})
        self._purposes = [contract.purposes[name] for name in names]
        self._limits = {raw_topic: limits(contract, raw_topic, views) for raw_topic, views in topics.items()}
        self._backlog, self._ages = Backlog(), Ages()
        self._alarms = {(raw, topic): Alarm() for raw, by_topic in self._limits.items() for topic in by_topic}
        self._warned: set[str] = set()
        self._due_s = 0.0

    def due(self, now_s: float) -> bool:
        """Whether it is time to show them again."""
        if now_s < self._due_s:
            return False
        self._due_s = now_s + _EVERY_S
        return True

    def committed(self) -> None:
        """Note that a batch was committed."""
        self._stall.committed()

    def turned(self, now_s: float, suspects: Collection[Place]) -> None:
        """Show after each turn of the worker's loop for how long it has committed nothing while input waited.

        Args:
            suspects: partitions whose next batch is read again before it is given up; they stall nobody.
        """
        waits = any(lag.events for place, lag in self._behind.items() if place not in suspects)
        self._stall.turned(now_s, input_waits=waits)
        metrics.STALLED.labels(*self._worker).set(self._stall.stalled_s)

    def show(self, now_s: float, standings: Mapping[Place, Standing]) -> None:
        """Set all other gauges, and warn of what is near its end."""
        behind = self._behind = self._backlog.look(now_s, standings)
        for raw_topic in self._topics:
            mine = [lag for place, lag in behind.items() if place[0] == raw_topic]
            metrics.lag(raw_topic, sum(lag.events for lag in mine), max((lag.seconds for lag in mine), default=0.0))
        self._forecast(now_s, behind)
        self._show_purposes(int(now_s * 1000))

    def _forecast(self, now_s: float, behind: Mapping[Place, Behind]) -> None:
        self._ages.add(now_s, ((place, lag.seconds) for place, lag in behind.items()))
        for raw_topic, by_topic in self._limits.items():
            for topic, limit_s in by_topic.items():
                left_s = self._ages.soonest(raw_topic, limit_s)
                metrics.EXPIRY_SECONDS.labels(raw_topic, topic).set(left_s)
                if not self._alarms[raw_topic, topic].hear(left_s, limit_s):
                    continue
                if left_s > 0:
                    self._log.warning("lag.expiry_near", topic=raw_topic, limit_of=topic, seconds=int(left_s))
                else:
                    self._log.error("lag.expiring", topic=raw_topic, limit_of=topic)

    def _show_purposes(self, now_ms: int) -> None:
        runway = {purpose.name: self._keyring.runway_ms(purpose, now_ms) for purpose in self._purposes}
        metrics.purposes(runway, [(p.name, p.review.expires_ms) for p in self._purposes if p.review])
        for purpose in self._purposes:
            left_ms = runway[purpose.name]
            if left_ms < _SHORT_RUNWAY_MS and self._first(f"keys {purpose.name}"):
                self._log.warning("keys.runway_short", purpose=purpose.name, hours=left_ms // 3_600_000)
            review = purpose.review
            if (review is None or review.expires_ms <= now_ms) and self._first(f"review {purpose.name}"):
                self._log.error("review.expired", purpose=purpose.name)

    def _first(self, warning: str) -> bool:
        known = warning in self._warned
        self._warned.add(warning)
        return not known


def limits(contract: Contract, raw_topic: str, topics: Iterable[str]) -> dict[str, float]:
    """How old (seconds) an unread raw event may grow before it is lost: to each minimized topic, and altogether.

    The latter is under the raw topic's own name: its retention, after which brokers may delete it, before the TTL.
    """
    ttl_ms = contract.raw_topics[raw_topic].ttl_ms
    settings = retention.raw(ttl_ms, retention.BrokerTimes())
    kept_ms = settings.retention_ms if isinstance(settings, retention.TopicSettings) else ttl_ms
    return {raw_topic: kept_ms / 1000} | {topic: contract.topics[topic].late_ms / 1000 for topic in topics}
