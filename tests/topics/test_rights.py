"""What the commands can do with which rights, on a broker that asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipelines.broker import Cluster
from pipelines.contract.model import DAY_MS, Contract
from pipelines.topics.applying import apply, create_missing
from pipelines.topics.looking import look, look_around
from pipelines.topics.planning import Danger, Plan, plan
from pipelines.topics.verifying import verify
from pipelines.trouble import Exit, Trouble
from tests.support.kafka import SHORT_TIMINGS
from tests.support.secured_kafka import SecuredKafka, secured
from tests.topics.contracts import MakeContract

pytestmark = pytest.mark.brokers(1)
READER, BLIND, STRANGER, OPERATOR = "plan-reader", "settings-reader", "stranger", "topics-operator"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    users = (READER, BLIND, STRANGER, OPERATOR)
    with secured(tmp_path_factory.mktemp("secured"), users, SHORT_TIMINGS) as kafka:
        for user in (READER, BLIND):
            kafka.grant(user, kind="cluster", name="kafka-cluster", operations=["DESCRIBE_CONFIGS"])
        kafka.grant(READER, kind="topic", name="*", operations=["DESCRIBE", "DESCRIBE_CONFIGS"])
        kafka.grant(BLIND, kind="topic", name="*", operations=["DESCRIBE_CONFIGS"])
        yield kafka


@pytest.fixture
def first(guarded: SecuredKafka, make_contract: MakeContract) -> Contract:
    contract = make_contract(late_ms=6 * 3_600_000)
    create_missing(contract, guarded.cluster, "tests")
    return contract


def shorter(contract: Contract) -> Contract:
    topics = {name: replace(topic, ttl_ms=DAY_MS) for name, topic in contract.topics.items()}
    return replace(contract, topics=topics, digest=b"shorter")


def planned(contract: Contract, cluster: Cluster) -> Plan:
    return plan(contract, look_around(contract, cluster))


def codes(made: Plan) -> set[tuple[str, str]]:
    return {(notice.topic, notice.code) for notice in made.notices if not notice.code.startswith("undeclared-topic")}


def test_rights_to_describe_are_enough_to_plan_what_an_admin_would(guarded: SecuredKafka, first: Contract) -> None:
    contract = shorter(first)
    mine, admins = planned(contract, guarded.seen_by(READER)), planned(contract, guarded.cluster)
    assert mine.steps == admins.steps[:-1] + admins.steps[-1:]
    assert [step.kind for step in mine.steps] == ["set", "set", "record"]
    assert codes(mine) == {(contract.changes.name, "audience-unknown")}
    assert verify(contract, guarded.seen_by(READER), 0).unproven == ()
    apply(mine, contract, guarded.cluster, "an admin")  # what a reader planned, an admin applies


def test_rights_to_describe_change_nothing(guarded: SecuredKafka, first: Contract) -> None:
    contract = shorter(first)
    before = look(contract, guarded.cluster.admin())
    with pytest.raises(Trouble, match="AUTHORIZATION_FAILED") as refused:
        apply(planned(contract, guarded.seen_by(READER)), contract, guarded.seen_by(READER), "tests")
    assert refused.value.exit_code == Exit.UNAVAILABLE
    assert look(contract, guarded.cluster.admin()) == before


def test_without_a_right_to_describe_topics_their_settings_are_planned_and_their_partitions_unknown(
    guarded: SecuredKafka, first: Contract
) -> None:
    made = planned(shorter(first), guarded.seen_by(BLIND))
    (minimized,) = first.topics
    assert {notice.topic for notice in made.notices if notice.code == "hidden"} >= {minimized}
    assert {step.kind for step in made.steps} == {"set", "record"}  # and nothing is taken for missing


def test_whoever_may_know_nothing_is_told_which_right_is_missing(guarded: SecuredKafka, first: Contract) -> None:
    with pytest.raises(Trouble, match="AUTHORIZATION_FAILED") as refused:
        planned(first, guarded.seen_by(STRANGER))
    assert refused.value.exit_code == Exit.UNAVAILABLE
    assert "right" in refused.value.hint


def test_acls_tell_who_reads_already_and_who_is_nobodys_consumer(guarded: SecuredKafka, first: Contract) -> None:
    (minimized,) = first.topics
    guarded.grant("field-service", kind="topic", name=minimized, operations=["READ"])
    guarded.grant("curious", kind="topic", name=minimized[:-1], operations=["READ"], prefixed=True)
    more = {minimized: replace(first.topics[minimized], consumers=("audit-office", "field-service", "newcomer"))}
    made = planned(replace(first, topics=more, digest=b"more"), guarded.cluster)
    (entry,) = made.entries
    assert (entry.dangers, entry.new_consumers) == ((Danger.CONSUMER,), ("newcomer",))
    (notice,) = (each for each in made.notices if each.code == "undeclared-reader")
    assert (notice.topic, "curious" in notice.message) == (minimized, True)


def test_an_operator_needs_no_more_than_what_the_page_for_operators_lists(
    guarded: SecuredKafka, first: Contract
) -> None:
    topic = ["DESCRIBE", "DESCRIBE_CONFIGS", "CREATE", "ALTER", "ALTER_CONFIGS"]
    guarded.grant(OPERATOR, kind="topic", name="*", operations=topic)
    guarded.grant(OPERATOR, kind="topic", name=first.changes.name, operations=["READ", "WRITE"])
    guarded.grant(
        OPERATOR, kind="cluster", name="kafka-cluster", operations=["DESCRIBE_CONFIGS", "DESCRIBE", "IDEMPOTENT_WRITE"]
    )
    guarded.grant(OPERATOR, kind="group", name="*", operations=["DESCRIBE"])
    contract, seen = shorter(first), guarded.seen_by(OPERATOR)
    apply(planned(contract, seen), contract, seen, "an operator")
    assert planned(contract, seen).is_empty
