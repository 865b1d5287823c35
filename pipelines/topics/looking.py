"""Looking at a cluster: what it answers, as a `ClusterState`. Asks, judges nothing, changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from pipelines.broker import LEAST_KAFKA, Admin, Cluster, Setting, Source, too_old
from pipelines.contract.model import Contract
from pipelines.topics import state as names
from pipelines.topics.latecomers import still_there
from pipelines.topics.promise import promises
from pipelines.topics.recorded import Recorded, recorded
from pipelines.topics.state import INITIAL_DELAY_MS, ClusterState, TopicState
from pipelines.trouble import Exit, Trouble

_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000
# A topic's setting → the broker's settings that it inherits, the first that is set, with what a unit of it is in ms.
_INHERITED: Final[Mapping[str, tuple[tuple[str, int], ...]]] = {
    names.RETENTION: (
        ("log.retention.ms", 1),
        ("log.retention.minutes", _MINUTE_MS),
        ("log.retention.hours", _HOUR_MS),
    ),
    names.SEGMENT: (("log.roll.ms", 1), ("log.roll.hours", _HOUR_MS)),
    names.DELETE_DELAY: (("log.segment.delete.delay.ms", 1),),
    names.AHEAD: (("log.message.timestamp.after.max.ms", 1),),
    names.OLDEST: (("log.message.timestamp.before.max.ms", 1),),
    names.CLOCK: (("log.message.timestamp.type", 0),),
    names.CLEANUP: (("log.cleanup.policy", 0),),
    names.CHECK_INTERVAL: ((names.CHECK_INTERVAL, 1),),
    names.SWEEP: ((names.SWEEP, 1),),
    names.MESSAGE_BYTES: (("message.max.bytes", 1),),
    names.SEGMENT_BYTES: (("log.segment.bytes", 1),),
    names.RETENTION_BYTES: (("log.retention.bytes", 1),),
    names.IN_SYNC: ((names.IN_SYNC, 1),),
    names.UNCLEAN: ((names.UNCLEAN, 0),),
    names.COMPRESSION: ((names.COMPRESSION, 0),),
    **{name: ((name, 1),) for name in names.BROKERS_OWN},
}


def look(contract: Contract, admin: Admin, *, initial_delay_ms: int = INITIAL_DELAY_MS) -> ClusterState:
    """Ask for the brokers and the contract's topics, in as few requests as it takes.

    Raises:
        Trouble: (exit 3) the cluster does not answer, or does not let this client know; (exit 4) its Kafka is too old.
    """
    return _looked(contract, admin, admin.broker_settings(), initial_delay_ms)


def _looked(
    contract: Contract, admin: Admin, brokers: Mapping[int, Mapping[str, Setting]], initial_delay_ms: int
) -> ClusterState:
    held = {number: _as_topics_say(settings) for number, settings in brokers.items()}
    _refuse_untold(brokers, held)
    found = admin.topics(promise.topic for promise in promises(contract))
    settings = admin.topic_settings(found)
    topics = {
        name: TopicState(info.partitions, info.replication, _own(settings[name]), info.topic_id)
        for name, info in found.items()
    }
    return ClusterState(held, topics, initial_delay_ms)


def _refuse_untold(brokers: Mapping[int, Mapping[str, Setting]], held: Mapping[int, Mapping[str, Setting]]) -> None:
    old = too_old(brokers)
    if old:
        raise Trouble(
            f"broker {', '.join(map(str, old))} runs a Kafka before {LEAST_KAFKA}: it takes records of any time, so no "
            "TTL can be kept",
            hint=f"Upgrade the brokers to Kafka {LEAST_KAFKA} or newer.",
            exit_code=Exit.REFUSED,
        )
    for number, settings in sorted(held.items()):
        untold = sorted(names.NEEDED - settings.keys())
        if untold:
            raise Trouble(
                f"broker {number} does not report {', '.join(untold)}, without which no worst case can be computed",
                hint="Give this principal DESCRIBE_CONFIGS on the cluster; what is hidden cannot be verified.",
            )


def look_around(
    contract: Contract,
    cluster: Cluster,
    *,
    initial_delay_ms: int = INITIAL_DELAY_MS,
    clock: Callable[[], float] = time.time,
) -> ClusterState:
    """Ask for all of that, for what else is there, for what metadata hide, who reads what, and what the record says.

    Args:
        clock: seconds since 1970; tells which latecomers are gone by now.

    Raises:
        Trouble: (exit 3) the cluster does not answer, or hides whether a topic exists; (exit 4) its Kafka is too old.
    """
    admin, survey = cluster.admin(), cluster.survey()
    brokers = admin.broker_settings()
    seen = _looked(contract, admin, brokers, initial_delay_ms)
    wanted = [promise.topic for promise in promises(contract)]
    hidden = [name for name in wanted if name not in seen.topics and survey.exists(name)]
    more = {name: TopicState(None, None, _own(admin.topic_settings([name])[name])) for name in hidden}
    # Without an authorizer there is an answer too, an empty one.
    guarded = any(_is_set(settings, "authorizer.class.name") for settings in brokers.values())
    grants = survey.readers() if guarded else None
    readers = None if grants is None else {
        name: tuple(sorted({grant.principal for grant in grants if grant.covers(name)})) for name in wanted
    }  # fmt: skip
    seen, record = with_latecomers(contract, replace(seen, topics={**seen.topics, **more}), cluster, clock)
    return replace(
        seen,
        undeclared=tuple(sorted(admin.topics().keys() - set(wanted))),
        readers=readers,
        recorded=record.audience,
        hides_record=record.hidden,
    )


def with_latecomers(
    contract: Contract, state: ClusterState, cluster: Cluster, clock: Callable[[], float]
) -> tuple[ClusterState, Recorded]:
    """The state with what the record says of latecomers that are there by now, and the record itself.

    Raises:
        Trouble: (exit 3) the record cannot be read, for another reason than a missing right.
    """
    changes = state.topics.get(contract.changes.name)
    is_seen = changes is not None and changes.partitions is not None
    found = recorded(contract, cluster) if is_seen else Recorded()
    return replace(state, latecomers=still_there(contract, state, found, int(clock() * 1000))), found


def _own(settings: Mapping[str, Setting]) -> dict[str, str]:
    return {name: setting.value for name, setting in sorted(settings.items()) if setting.source is Source.TOPIC}


def _as_topics_say(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    found = {}
    for name, spellings in _INHERITED.items():
        said = next(((settings[each], unit) for each, unit in spellings if _is_set(settings, each)), None)
        if said is not None:
            setting, unit = said
            found[name] = Setting(str(int(setting.value) * unit) if unit > 1 else setting.value, setting.source)
    return found


def _is_set(settings: Mapping[str, Setting], name: str) -> bool:
    return name in settings and settings[name].value != ""
