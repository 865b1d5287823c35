import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.broker import Cluster
from pipelines.cli.app import pipelines
from pipelines.trouble import Exit, Trouble
from tests.support.kafka import flushed
from tests.support.relay_fixture import RelayFixture, build, running

PINGS = 12


@pytest.fixture
def house(tmp_path: Path, cluster: Cluster) -> RelayFixture:
    house = build(tmp_path, cluster)
    house.publish([*(house.ping(number) for number in range(PINGS)), b"\xc3\x01no event"])
    with running(house.worker()) as raised:
        house.wait_until_through()
    assert raised == []
    return house


def run(house: RelayFixture, topic: str, *arguments: str) -> Result:
    options = ["--contract", str(house.folder), "--bootstrap", house.cluster.bootstrap]
    return CliRunner().invoke(pipelines, ["consume", topic, *options, *arguments])


def test_a_minimized_topic_is_read_to_its_end_and_decoded(house: RelayFixture) -> None:
    done = run(house, house.handled, "--from-beginning", "--json")
    assert done.exit_code == Exit.DONE, done.exception
    told = [json.loads(line) for line in done.output.splitlines()]
    assert sorted(record["fields"]["number"] for record in told) == list(range(PINGS))
    for record in told:
        assert record["fields"]["device_id"] == record["key"]
        assert record["headers"]["ce_type"] == f"{house.source}.ping"
        assert record["fields"]["occurred_at"].endswith(":00:00Z")


def test_a_person_sees_the_fields_and_short_handles(house: RelayFixture) -> None:
    handles = {
        json.loads(line)["key"] for line in run(house, house.handled, "--from-beginning", "--json").output.split()
    }
    text = run(house, house.handled, "--from-beginning").output
    assert "number=0" in text
    assert f"ce_purpose=probe-{house.source}" in text
    for handle in handles:
        assert handle not in text
        assert f"key {handle[:8]}…" in text


def test_it_ends_after_as_many_records_as_one_likes(house: RelayFixture) -> None:
    done = run(house, house.loose, "--from-beginning", "--json", "--max", "3")
    told = [json.loads(line) for line in done.output.splitlines()]
    assert len(told) == 3
    assert {record["key"] for record in told} == {None}


def test_the_notes_of_quarantine_are_shown(house: RelayFixture) -> None:
    done = run(house, house.contract.quarantine.name, "--from-beginning", "--json")
    (told,) = [json.loads(line) for line in done.output.splitlines()]
    assert told["note"]["topic"] == house.raw_topic
    assert told["note"]["view"] is None
    text = run(house, house.contract.quarantine.name, "--from-beginning").output
    assert f'code="{told["note"]["code"]}"' in text
    assert "view=null" in text


def test_records_of_others_in_quarantine_are_said_to_be_none_of_the_relays(house: RelayFixture) -> None:
    producer = house.cluster.producer()
    for value in (b'{"a":1}', b"123", b"\x1b[31mtext"):
        producer.produce(house.contract.quarantine.name, value, headers=[("\x1b[31m\u202e", b"\x1b[31m\n")])
    flushed(producer)
    done = run(house, house.contract.quarantine.name, "--from-beginning")
    assert done.exit_code == Exit.DONE, done.exception
    assert done.output.count("not a note of the relay") == 3
    assert done.output.count("code=") == 1
    assert "\x1b" not in done.output


def test_headers_that_others_wrote_do_not_steer_the_terminal(house: RelayFixture) -> None:
    producer = house.cluster.producer()
    headers = [("ce_type", b"\x1b]0;title\x07"), ("\x1b[31m\u202e", b"\x1b[31m\n\xff")]
    producer.produce(house.loose, b"\xc3\x01", headers=headers)
    flushed(producer)
    for options in ((), ("--json",)):
        done = run(house, house.loose, "--from-beginning", *options)
        assert done.exit_code == Exit.DONE, done.exception
        assert "title" in done.output
        assert all(line.isprintable() for line in done.output.splitlines())


def test_a_record_that_no_schema_of_the_topic_wrote_is_not_shown(house: RelayFixture) -> None:
    producer = house.cluster.producer()
    producer.produce(house.handled, house.ping(1))
    flushed(producer)
    done = run(house, house.handled, "--from-beginning")
    assert "no schema of this topic wrote this record" in done.output
    assert "SYNTHETIC-SECRET" not in done.output
    assert "synthetic-device" not in done.output


def test_a_raw_topic_is_refused(house: RelayFixture) -> None:
    done = run(house, house.raw_topic, "--from-beginning")
    assert isinstance(done.exception, Trouble)
    assert done.exception.exit_code == Exit.REFUSED
    assert done.output == ""


@pytest.mark.parametrize("topic", ["audit.unknown", "__consumer_offsets", "../raw/probe"])
def test_a_topic_that_is_not_the_contracts_is_no_topic_to_read(house: RelayFixture, topic: str) -> None:
    done = run(house, topic, "--from-beginning")
    assert isinstance(done.exception, Trouble)
    assert done.exception.exit_code == Exit.USAGE
