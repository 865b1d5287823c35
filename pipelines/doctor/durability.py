"""Durability: whether Kafka's own topics keep a commit that was acknowledged, as docs/exactly-once.md wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from pipelines.broker import Admin, Survey, TopicInfo
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
_Answer = TypeVar("_Answer")


def look_at_durability(admin: Admin, survey: Survey) -> Observation:
    """The brokers, and the topics in which Kafka keeps groups' offsets and transactions, made or to be made.

    What this client may not see is said not to be told; nothing is taken for granted.
    """
    try:
        up = admin.broker_ids()
        made = admin.topics(_OWN)
    except Trouble as trouble:
        return Observation(_PART, State.WARN, f"cannot be seen: {trouble}", trouble.hint)
    if len(up) == 1:
        return Observation(
            _PART,
            State.WARN,
            "one broker is up: what it acknowledges lies on one disk, and may be undone when it is killed",
            "Enough for a trial. For more: three brokers or more, see docs/exactly-once.md.",
        )
    nothing: Mapping[int, Mapping[str, str]] = {}
    brokers = list(_told(admin.broker_configs, nothing).values())
    weak = [finding for topic in _OWN for finding in _weak(admin, survey, topic, made.get(topic), brokers)]
    if any(broker.get(_UNCLEAN) == "true" for broker in brokers):
        weak.append(f"brokers: {_UNCLEAN}=true")
    if weak:
        return Observation(
            _PART,
            State.WARN,
            "; ".join(weak),
            f"{REPLICAS} replicas (kafka-reassign-partitions.sh), {_MIN_ISR}={IN_SYNC} and {_UNCLEAN}=false "
            "(kafka-configs.sh), or what was acknowledged may be lost: see docs/exactly-once.md. What is not "
            "told needs DESCRIBE and DESCRIBE_CONFIGS on the topic and on the cluster.",
        )
    return Observation(
        _PART,
        State.OK,
        f"{len(up)} brokers; {REPLICAS} replicas of Kafka's own topics, {IN_SYNC} of them in sync for each write",
    )


def _weak(
    admin: Admin, survey: Survey, topic: str, made: TopicInfo | None, brokers: list[Mapping[str, str]]
) -> Iterator[str]:
    if made is not None:
        live: Mapping[str, str] = _told(lambda: admin.topic_configs([topic])[topic], {})
        if live.get(_UNCLEAN) == "true":
            yield f"{topic}: {_UNCLEAN}=true"
        yield from _too_few(topic, "replicas", made.replication, REPLICAS)
        yield from _too_few(topic, _MIN_ISR, _least([live], _MIN_ISR), IN_SYNC)
    elif _told(lambda: survey.exists(topic), True):
        yield f"{topic}: not reported"
    else:
        replication, in_sync = _OWN[topic]
        yield from _too_few(topic, "replicas", _least(brokers, replication), REPLICAS)
        yield from _too_few(topic, _MIN_ISR, _least(brokers, in_sync), IN_SYNC)


def _told(ask: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
    try:
        return ask()
    except Trouble:
        return otherwise


def _least(told: Iterable[Mapping[str, str]], name: str) -> int | None:
    """The smallest value of a setting; None where somebody does not tell, as managed clusters may not."""
    values = [settings.get(name) for settings in told]
    return min((int(value) for value in values if value), default=None) if all(values) else None


def _too_few(topic: str, what: str, found: int | None, wanted: int) -> Iterator[str]:
    if found is None:
        yield f"{topic}: {what} not reported"
    elif found < wanted:
        yield f"{topic}: {what}={found}"
