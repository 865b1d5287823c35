"""Three brokers, three replicas, two in sync: what befalls them while events flow, and for how long the relay stands.

Each test ends with `flowing`'s proof: all sent events acknowledged, output exact, no worker's process restarted.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.broker import EmbeddedKafka
from tests.faults.flow import flowing
from tests.faults.quorum import active_controller, elect_preferred, in_sync, leaders, wait_until_led_without
from tests.support.relay_fixture import RelayFixture, build
from tests.support.waiting import CALL_S, until

ALL = frozenset({1, 2, 3})
OUTAGE_S = 12.0
Record = Callable[[str, object], None]


@pytest.fixture
def brokers(kafka3: EmbeddedKafka) -> EmbeddedKafka:
    """The three, all of them up again afterwards."""
    return kafka3


@pytest.fixture
def house(tmp_path: Path, brokers: EmbeddedKafka) -> RelayFixture:
    return build(tmp_path, brokers.cluster)


def wait_until_in_sync(brokers: EmbeddedKafka, house: RelayFixture) -> None:
    topics = [house.raw_topic, house.handled, house.loose, "__transaction_state", "__consumer_offsets"]
    until(
        lambda: all(replicas == ALL for topic in topics for replicas in in_sync(brokers, topic).values()),
        "every replica is in sync",
    )


def test_topics_are_made_with_three_replicas_of_which_two_must_be_in_sync(house: RelayFixture) -> None:
    admin = house.cluster.admin(timeout_s=CALL_S)
    names = [house.raw_topic, house.handled, house.loose, house.contract.quarantine.name]
    assert {info.replication for info in admin.topics(names).values()} == {3}
    configs = admin.topic_configs(names).values()
    assert {(each["min.insync.replicas"], each["unclean.leader.election.enable"]) for each in configs} == {
        ("2", "false")
    }


@pytest.mark.long
def test_each_broker_is_killed_in_turn_and_gets_its_leaders_back(
    house: RelayFixture, brokers: EmbeddedKafka, record_property: Record
) -> None:
    preferred = leaders(brokers, house.raw_topic)
    assert set(preferred.values()) == ALL
    with flowing(house) as flow:
        for node_id in sorted(ALL):
            fault_at = time.monotonic()
            brokers.kill(node_id)
            wait_until_led_without(brokers, house.raw_topic, node_id)
            flow.wait_for_commits()
            record_property(f"broker {node_id} killed: stood for s", round(flow.stood_s(fault_at), 1))
            brokers.restart(node_id)
            wait_until_in_sync(brokers, house)
            elected_at = time.monotonic()
            elect_preferred(brokers)
            until(lambda: leaders(brokers, house.raw_topic) == preferred, "the leaders are back")
            flow.wait_for_commits()
            record_property("leaders moved back: stood for s", round(flow.stood_s(elected_at), 1))


def test_the_controller_is_killed(house: RelayFixture, brokers: EmbeddedKafka, record_property: Record) -> None:
    with flowing(house) as flow:
        was, fault_at = active_controller(brokers), time.monotonic()
        brokers.kill(was)
        assert active_controller(brokers) != was
        flow.wait_for_commits()
        record_property("controller killed: stood for s", round(flow.stood_s(fault_at), 1))
        brokers.restart(was)
        flow.wait_for_commits()


def test_with_two_brokers_down_nothing_is_committed_and_afterwards_everything(
    house: RelayFixture, brokers: EmbeddedKafka, record_property: Record
) -> None:
    with flowing(house) as flow:
        for node_id in (1, 2):
            brokers.kill(node_id)
        down_at = time.monotonic()
        time.sleep(OUTAGE_S)
        # Each worker may report the commit that was on its way when the second broker died, however late on a busy
        # machine, and no other.
        assert max(flow.commits_since(down_at)) <= 1
        brokers.start()
        up_at = time.monotonic()
        flow.wait_for_commits()
        record_property("two brokers back: stood on for s", round(flow.stood_s(up_at), 1))


def test_a_leader_that_is_stopped_past_every_timeout_and_wakes_up_again(
    house: RelayFixture, brokers: EmbeddedKafka, record_property: Record
) -> None:
    with flowing(house) as flow:
        zombie = leaders(brokers, house.raw_topic)[0]
        pid, fault_at = brokers.pids()[zombie], time.monotonic()
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        wait_until_led_without(brokers, house.raw_topic, zombie)
        flow.wait_for_commits()
        record_property("leader stopped: stood for s", round(flow.stood_s(fault_at), 1))
        woken_at = time.monotonic()
        os.kill(pid, signal.SIGCONT)
        wait_until_in_sync(brokers, house)
        flow.wait_for_commits()
        record_property("zombie woken: stood for s", round(flow.stood_s(woken_at), 1))
