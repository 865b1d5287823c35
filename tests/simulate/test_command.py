"""`pipelines simulate` against a real Kafka."""

from collections import Counter
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from pipelines.broker import Cluster, records
from pipelines.cli.app import pipelines
from pipelines.contract.model import Contract
from pipelines.simulate import Tally
from pipelines.trouble import Exit, Trouble
from tests.support.kafka import MakeTopic

ROOT = Path(__file__).parents[2]


def _simulate(*arguments: str) -> Result:
    return CliRunner().invoke(pipelines, ["simulate", "--contract", str(ROOT), *arguments])


def test_everything_acknowledged_is_in_raw_keyed_by_device_with_every_canary(
    shipped: Contract, cluster: Cluster, make_topic: MakeTopic
) -> None:
    for name, topic in shipped.raw_topics.items():
        make_topic(name, partitions=topic.partitions)
    result = _simulate("--bootstrap", cluster.bootstrap, "--count", "2000", "--faults", "0.1", "--seed", "8", "--json")
    assert result.exit_code == Exit.DONE, result.output
    outcome = orjson.loads(result.stdout)
    tally, found = Tally(outcome["canaries"]), Counter[str]()
    for name, topic in shipped.raw_topics.items():
        for message in records(cluster, name):
            found[topic.event] += 1
            tally.note(message.value() or b"")
            assert message.key() is not None
    assert found == Counter(outcome["sent"])
    assert found.total() == outcome["acknowledged"] == 2000
    assert outcome["unacknowledged"] == {}
    assert set(outcome["faulty"]) == {"bound", "structural"}
    assert sum(outcome["faulty_events"].values()) == sum(outcome["faulty"].values())
    assert set(outcome["faulty_events"]) <= set(outcome["sent"])
    assert tally.missing == 0


def test_events_that_are_not_acknowledged_are_told_by_event_type_and_end_with_3(
    cluster: Cluster,
) -> None:
    """Nobody made the topic, and no broker of ours makes topics by itself."""
    asked = ("--count", "50", "--event", "tor.circuit", "--wait", "1", "--json")
    result = _simulate("--bootstrap", cluster.bootstrap, *asked)
    assert result.exit_code == Exit.UNAVAILABLE
    outcome = orjson.loads(result.stdout)
    assert outcome["acknowledged"] == 0
    assert outcome["unacknowledged"] == {"tor.circuit": 50}


def test_an_event_type_that_is_not_there_is_a_mistake_of_usage() -> None:
    result = _simulate("--bootstrap", "127.0.0.1:1", "--event", "vpn.sesion")
    assert result.exit_code == Exit.USAGE
    assert "vpn.session" in result.output


@pytest.mark.slow
def test_a_kafka_that_does_not_answer_is_trouble() -> None:
    result = _simulate("--bootstrap", "127.0.0.1:1")
    assert isinstance(result.exception, Trouble)
    assert result.exception.exit_code == Exit.UNAVAILABLE


def test_a_person_is_told_what_was_acknowledged(shipped: Contract, cluster: Cluster, make_topic: MakeTopic) -> None:
    make_topic("raw.tor.circuit", partitions=shipped.raw_topics["raw.tor.circuit"].partitions)
    result = _simulate("--bootstrap", cluster.bootstrap, "--count", "25", "--event", "tor.circuit", "--rate", "500")
    assert result.exit_code == Exit.DONE
    assert "25 events acknowledged, 0 not." in result.stdout
    assert "tor.circuit" in result.stdout
