"""`create_missing`: the way to a first cluster, and no way to change one that is there."""

from dataclasses import replace

from pipelines.broker import Cluster, NewTopic
from pipelines.contract.model import Contract
from pipelines.contract.topics import CODECS
from pipelines.topics.applying import Applied, create_missing
from pipelines.topics.judging import differences, judged
from pipelines.topics.looking import look
from pipelines.topics.planning import Plan
from pipelines.topics.promise import promises, settings
from tests.support.kafka import delete_topics
from tests.support.waiting import CALL_S
from tests.topics.contracts import Alter, names


def created(applied: Applied) -> set[str]:
    return {step.topic for step in applied.made if step.kind == "create"}


def broken(planned: Plan) -> list[tuple[str, str]]:
    return [(notice.topic, notice.code) for notice in planned.notices if notice.broken]


def test_a_broker_takes_each_codec_that_a_contract_can_name(cluster: Cluster, contract: Contract) -> None:
    (only,) = contract.topics.values()
    named = {f"{only.name}-{codec}": codec for codec in CODECS}
    topics = {name: replace(only, name=name, compression=codec) for name, codec in named.items()}
    several = replace(contract, topics=topics)
    create_missing(several, cluster, "tests")
    admin = cluster.admin(timeout_s=CALL_S)
    try:
        configs = admin.topic_configs([*topics])
        assert {name: settings["compression.type"] for name, settings in configs.items()} == named
        assert judged(several, look(several, admin)) == []
    finally:
        delete_topics(cluster, [*topics])


def test_every_topic_is_created_with_the_computed_settings(cluster: Cluster, contract: Contract) -> None:
    admin = cluster.admin(timeout_s=CALL_S)
    _, applied = create_missing(contract, cluster, "tests")
    assert created(applied) == names(contract)
    topics, live, state = admin.topics(names(contract)), admin.topic_configs(names(contract)), look(contract, admin)
    for promise in promises(contract):
        computed = settings(promise, state.times, 1)
        assert isinstance(computed, dict)
        assert {name: live[promise.topic][name] for name in computed} == computed
        assert topics[promise.topic].partitions == promise.partitions
    assert judged(contract, state) == []


def test_once_more_does_nothing(cluster: Cluster, contract: Contract) -> None:
    create_missing(contract, cluster, "tests")
    before = cluster.admin(timeout_s=CALL_S).topics(names(contract))
    planned, applied = create_missing(contract, cluster, "tests")
    assert planned.is_empty
    assert applied.made == ()
    assert cluster.admin(timeout_s=CALL_S).topics(names(contract)) == before


def test_a_dry_run_says_what_it_would_make_and_makes_nothing(cluster: Cluster, contract: Contract) -> None:
    _, would = create_missing(contract, cluster, "tests", dry_run=True)
    assert created(would) == names(contract)
    assert cluster.admin(timeout_s=CALL_S).topics(names(contract)) == {}
    assert create_missing(contract, cluster, "tests")[1].made == would.made


def test_what_is_missing_is_made_and_what_is_there_is_left_as_it_is(
    cluster: Cluster, contract: Contract, alter: Alter
) -> None:
    raw, missing = next(iter(contract.raw_topics)), next(iter(contract.topics))
    admin = cluster.admin(timeout_s=CALL_S)
    admin.create([NewTopic(raw, 2, 1)])
    alter(raw, {"message.timestamp.type": "LogAppendTime"})
    planned, applied = create_missing(contract, cluster, "tests")
    assert missing in created(applied)
    assert raw not in created(applied)
    assert [step.topic for step in planned.steps if step.kind == "set"] == [raw] * 2
    assert raw in {breach.topic for breach in judged(contract, look(contract, admin))}
    assert admin.topic_configs([raw])[raw]["retention.ms"] == "604800000"


def test_a_shorter_retention_breaks_nothing_and_is_planned_to_be_mended_all_the_same(
    cluster: Cluster, contract: Contract, alter: Alter
) -> None:
    create_missing(contract, cluster, "tests")
    topic = next(iter(contract.topics))
    alter(topic, {"retention.ms": "60000"})
    state = look(contract, cluster.admin(timeout_s=CALL_S))
    assert judged(contract, state) == []
    found = [each for promise in promises(contract) for each in differences(promise, state)]
    assert [(each.topic, each.setting, each.live) for each in found] == [(topic, "retention.ms", "60000")]
    planned, applied = create_missing(contract, cluster, "tests")
    assert not planned.is_empty
    assert applied.made == ()


def test_a_ttl_that_these_brokers_cannot_keep_is_not_promised_to_kafka(cluster: Cluster, contract: Contract) -> None:
    hasty = {name: replace(topic, ttl_ms=topic.late_ms) for name, topic in contract.topics.items()}
    planned, _ = create_missing(replace(contract, topics=hasty), cluster, "tests")
    assert broken(planned) == [(next(iter(hasty)), "ttl-too-short")]
    assert next(iter(hasty)) not in cluster.admin(timeout_s=CALL_S).topics()


def test_the_brokers_own_delays_are_asked_for_and_the_one_they_hide_is_a_setting(
    cluster: Cluster, contract: Contract
) -> None:
    times = look(contract, cluster.admin(timeout_s=CALL_S), initial_delay_ms=7).times
    assert (times.check_interval_ms, times.initial_delay_ms, times.delete_delay_ms) == (300_000, 7, 60_000)
    assert times.sweep_ms == 1_000  # as the tests' brokers are set up
