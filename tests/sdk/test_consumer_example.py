"""The sample consumer of docs/consumer.md works as it stands, with no help of this project's code."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.broker import Cluster, records
from tests.support.kafka import flushed
from tests.support.relay_fixture import RelayFixture, build, running

SAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "consumer.py"
PINGS, MORE = 8, 40
CANARY = b"CNRY-synthetic-0001"


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
    (written, *_) = records(relayed.cluster, relayed.handled)
    headers = [*{**dict(written.headers() or []), "ce_type": b"x.y", "ce_policyversion": b"synthetic"}.items()]
    producer.produce(relayed.handled, relayed.ping(1), headers=headers)
    flushed(producer)
    ended = consume(relayed, PINGS + 1)
    assert ended.returncode == 1
    assert "no schema in" in ended.stderr
    assert "skipped" not in ended.stderr
    for raw in ("SYNTHETIC-SECRET", "synthetic-device"):
        assert raw not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_sample_reads_records_whose_schema_was_superseded_since(relayed: RelayFixture) -> None:
    folder = relayed.folder / "schemas" / "minimized" / relayed.handled
    (schema,) = folder.glob("*.avsc")
    (folder / "superseded").mkdir()
    shutil.move(schema, folder / "superseded" / f"{relayed.source}.ping.0123456789abcdef.avsc")
    ended = consume(relayed, PINGS)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == PINGS


def test_the_sample_skips_and_counts_records_that_are_not_the_relays_and_shows_none_of_their_bytes(
    relayed: RelayFixture,
) -> None:
    (written, *_) = records(relayed.cluster, relayed.handled)
    headers, value = dict(written.headers() or []), written.value() or b""
    producer = relayed.cluster.producer()
    foreign = [
        (CANARY, {}),
        (None, headers),
        (CANARY, headers),
        (value, {**headers, "ce_type": CANARY + b"\xff"}),
        (value, {**headers, "ce_type": None}),
        (value, {**headers, "ce_expirytime": CANARY}),
        (value, {**headers, "ce_expirytime": b"2099-01-01T00:00:00"}),
        (value[:-1], headers),
        (value + CANARY, headers),
        (value[:10], headers),
    ]
    for content, those in foreign:
        producer.produce(relayed.handled, content, headers=list(those.items()), partition=0)
    flushed(producer)
    # Some of their records lie behind the foreign ones, so that all of those are passed.
    relayed.publish([relayed.ping(number) for number in range(PINGS, MORE)])
    with running(relayed.worker()) as raised:
        relayed.wait_until_through()
    assert raised == []
    ended = consume(relayed, MORE)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == MORE
    assert CANARY.decode() not in ended.stdout + ended.stderr
    said = ended.stderr.splitlines()
    assert all(line.startswith("skipped, not a record of the relay: partition 0, offset ") for line in said)
    assert said[-1].endswith(f"({len(foreign)} so far)")
