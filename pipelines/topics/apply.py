"""Making the topics that are missing. Existing ones are judged, and left alone whatever they are."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.broker import Admin, NewTopic
from pipelines.contract.model import Contract
from pipelines.retention import TooShort
from pipelines.topics.live import INITIAL_DELAY_MS, Breach, Difference, differences, judge, look
from pipelines.topics.promise import promises, replicas, settings


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done, or would be (`dry_run`).

    `created` are new topics with their settings, `breaches` promises that do not hold, `differences` settings of
    existing topics that are not the computed ones.
    """

    created: tuple[NewTopic, ...]
    breaches: tuple[Breach, ...]
    differences: tuple[Difference, ...]

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing left for a person to do."""
        return not self.breaches and not self.differences


def apply(
    contract: Contract, admin: Admin, *, initial_delay_ms: int = INITIAL_DELAY_MS, dry_run: bool = False
) -> Applied:
    """Create what is missing, with settings that keep each promise on these brokers. Never deletes, never alters.

    A topic whose TTL cannot be kept on these brokers is not created; it is among the breaches.

    Raises:
        Trouble: (exit 3) the cluster does not answer, or does not let this client create a topic.
    """
    live = look(contract, admin, initial_delay_ms=initial_delay_ms)
    missing, broken, different = list[NewTopic](), list[Breach](), list[Difference]()
    for promise in promises(contract):
        if promise.topic in live.topics:
            broken += judge(promise, live)
            different += differences(promise, live)
            continue
        computed = settings(promise, live.times, live.brokers)
        if isinstance(computed, TooShort):
            broken.append(
                Breach(
                    promise.topic,
                    "ttl-too-short",
                    f"these brokers cannot keep a TTL of {promise.ttl_ms} ms",
                    f"Promise at least {computed.shortest_ttl_ms} ms, or shorten the brokers' check interval.",
                )
            )
        else:
            missing.append(NewTopic(promise.topic, promise.partitions, replicas(live.brokers)[0], computed))
    made = {topic.name for topic in missing} if dry_run else set(admin.create(missing))
    return Applied(tuple(topic for topic in missing if topic.name in made), tuple(broken), tuple(different))
