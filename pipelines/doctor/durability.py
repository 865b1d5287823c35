"""Durability: whether Kafka's own topics keep a commit that was acknowledged, as docs/exactly-once.md wants it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pipelines.broker import Admin
from pipelines.doctor.observation import Observation, State
from pipelines.trouble import Trouble

REPLICAS: Final = 3
IN_SYNC: Final = 2
_PART: Final = "durability"
_UNCLEAN: Final = "unclean.leader.election.enable"
# What a topic of Kafka's own is made with, once it is wanted: broker settings for its replicas and their least number.
_OWN: Final = {
    "__consumer_offsets": ("offsets.topic.replication.factor", "min.insync.replicas"),
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
            f"{REPLICAS} replicas (kafka-reassign-partitions.sh), min.insync.replicas={IN_SYNC} and {_UNCLEAN}=false "
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
            replicas, least = made[topic].replication, int(live[topic]["min.insync.replicas"])
            if live[topic][_UNCLEAN] == "true":
                yield f"{topic}: {_UNCLEAN}=true"
        else:
            replicas = min(int(broker[replication]) for broker in brokers.values())
            least = min(int(broker[in_sync]) for broker in brokers.values())
        if replicas < REPLICAS:
            yield f"{topic}: replicas {replicas}"
        if least < IN_SYNC:
            yield f"{topic}: min.insync.replicas={least}"


def _unclean(brokers: Mapping[int, Mapping[str, str]]) -> Iterator[str]:
    named = [str(number) for number, broker in sorted(brokers.items()) if broker[_UNCLEAN] == "true"]
    if named:
        yield f"brokers {', '.join(named)}: {_UNCLEAN}=true"
