"""The sample consumer of docs/consumer.md works as it stands, with no help of this project's code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.broker import Cluster
from tests.support.kafka import flushed
from tests.support.relay_fixture import RelayFixture, build, running

SAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "consumer.py"
PINGS = 8


@pytest.fixture
def relayed(tmp_path: Path, cluster: Cluster) -> RelayFixture:
    house = build(tmp_path, cluster)
    house.publish([house.ping(number) for number in range(PINGS)])
    with running(house.worker()) as raised:
        house.wait_until_through()
    assert raised == []
    return house


def consume(house: RelayFixture, most: int) -> subprocess.CompletedProcess[str]:
    schemas = house.folder / "schemas" / "minimized" / house.handled
    arguments = [house.cluster.bootstrap, house.handled, str(schemas), str(most)]
    return subprocess.run(
        [sys.executable, "-P", str(SAMPLE), *arguments], capture_output=True, text=True, check=False, timeout=300
    )


def test_the_sample_prints_every_record_with_its_own_schema_and_continues_where_it_ended(relayed: RelayFixture) -> None:
    first, second = consume(relayed, PINGS - 3), consume(relayed, 3)
    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stderr) == (0, "")
    records = [json.loads(line) for line in [*first.stdout.splitlines(), *second.stdout.splitlines()]]
    assert sorted(record["number"] for record in records) == list(range(PINGS))
    assert {record["type"] for record in records} == {f"{relayed.source}.ping"}
    assert len({record["id"] for record in records}) == PINGS


def test_the_sample_guesses_no_schema_and_shows_no_value(relayed: RelayFixture) -> None:
    producer = relayed.cluster.producer()
    headers = [("ce_type", b"x.y"), ("ce_expirytime", b"2099-01-01T00:00:00Z"), ("ce_policyversion", b"synthetic")]
    producer.produce(relayed.handled, relayed.ping(1), headers=headers)
    flushed(producer)
    ended = consume(relayed, PINGS + 1)
    assert ended.returncode == 1
    assert "no schema in" in ended.stderr
    for raw in ("SYNTHETIC-SECRET", "synthetic-device"):
        assert raw not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
