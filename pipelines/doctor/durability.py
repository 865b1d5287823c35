"""Durability: whether Kafka's own topics keep a commit that was acknowledged, as docs/exactly-once.md wants it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pipelines.broker import Admin
from pipelines.doctor.observation import Observation, State
from pipelines.trouble import Trouble

REPLICAS: Final = 3
IN_SYNC: Final = 2
_PART: Final = "durability"
_MIN_ISR: Final = "min.insync.replicas"
_UNCLEAN: Final = "unclean.leader.election.enable"
# What a topic of Kafka's own is made with, once it is wanted: broker settings for its replicas and their least number.
_OWN: Final = {
    "__consumer_offsets": ("offsets.topic.replication.factor", _MIN_ISR),
    "__transaction_state": ("transaction.state.log.replication.factor", "transaction.state.log.min.isr"),
}


def look_at_durability(admin: Admin) -> Observation:
    """The brokers, and the topics in which Kafka keeps groups' offsets and transactions, made or to be made."""
    try:
        brokers = admin.broker_configs()
        if len(brokers) == 1:
            return Observation(
                _PART,
                State.WARN,
                "one broker: what it acknowledged lies on one disk, and may be undone when it is killed",
                "Enough for a trial. For more: three brokers or more, see docs/exactly-once.md.",
            )
        weak = [*_weak_topics(admin, brokers), *_unclean(brokers)]
    except Trouble as trouble:
        return Observation(_PART, State.WARN, f"cannot be seen: {trouble}", trouble.hint)
    if weak:
        return Observation(
            _PART,
            State.WARN,
            "; ".join(weak),
            f"{REPLICAS} replicas (kafka-reassign-partitions.sh), {_MIN_ISR}={IN_SYNC} and {_UNCLEAN}=false "
            "(kafka-configs.sh), or what was acknowledged may be lost: see docs/exactly-once.md.",
        )
    return Observation(
        _PART,
        State.OK,
        f"{len(brokers)} brokers; {REPLICAS} replicas of Kafka's own topics, {IN_SYNC} of them in sync for each write",
    )


def _weak_topics(admin: Admin, brokers: Mapping[int, Mapping[str, str]]) -> Iterator[str]:
    made = admin.topics(_OWN)
    live = admin.topic_configs(made)
    for topic, (replication, in_sync) in _OWN.items():
        if topic in made:
            if live[topic].get(_UNCLEAN) == "true":
                yield f"{topic}: {_UNCLEAN}=true"
            yield from _too_few(topic, "replicas", made[topic].replication, REPLICAS)
            yield from _too_few(topic, _MIN_ISR, _least([live[topic]], _MIN_ISR), IN_SYNC)
        else:
            yield from _too_few(topic, "replicas", _least(brokers.values(), replication), REPLICAS)
            yield from _too_few(topic, _MIN_ISR, _least(brokers.values(), in_sync), IN_SYNC)


def _least(told: Iterable[Mapping[str, str]], name: str) -> int | None:
    """The smallest value of a setting; None where somebody does not tell, as managed clusters may not."""
    values = [settings.get(name) for settings in told]
    return min((int(value) for value in values if value), default=None) if all(values) else None


def _too_few(topic: str, what: str, found: int | None, wanted: int) -> Iterator[str]:
    if found is None:
        yield f"{topic}: {what} not told"
    elif found < wanted:
        yield f"{topic}: {what}={found}"


def _unclean(brokers: Mapping[int, Mapping[str, str]]) -> Iterator[str]:
    named = [str(number) for number, broker in sorted(brokers.items()) if broker.get(_UNCLEAN) == "true"]
    if named:
        yield f"brokers {', '.join(named)}: {_UNCLEAN}=true"
