"""Two keyrings in one deployment are noticed: by the mark that every commit carries."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.broker import Partition, TopicPartition
from pipelines.broker.committed import OPEN_S
from pipelines.contract.model import DAY_MS
from pipelines.keys import Keyring, LocalKeyEncryption, extend, rewrap
from pipelines.relay.accounting import METADATA_LIMIT_BYTES, committer, from_metadata, keyring_mark, to_metadata
from pipelines.relay.books import PartitionBook, ViewBook
from pipelines.relay.one_keyring import refuse_another, refuse_another_of
from pipelines.trouble import Exit, Trouble
from tests.support.memory_kafka import MemoryCluster
from tests.support.old_keyring import write_version_1
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.waiting import CALL_S, until

OWN, OTHER = "0123456789abcdef", "fedcba9876543210"
PLACE: Partition = ("raw.a.b", 0)
OLD = '{"v":1,"in":5,"gap":0,"views":{"a.b":[0,5,0,0,0]},"by":"host.0"}'
"""What a release that knew no marks committed."""


@pytest.fixture
def house(tmp_path: Path) -> RelayFixture:
    return build(tmp_path / "a", MemoryCluster())


def another_keyring(house: RelayFixture, folder: Path) -> Keyring:
    """Return what `keys init` makes on a host that was given none."""
    folder.mkdir(mode=0o700)
    kek, now_ms = LocalKeyEncryption.create(folder / "kek"), int(time.time() * 1000)
    span = {"first_ms": now_ms - 4 * DAY_MS, "last_ms": now_ms + DAY_MS}
    extend(folder / "keyring.json", kek, house.contract.purposes.values(), **span)
    return Keyring.open(folder / "keyring.json", kek)


def relay(house: RelayFixture, replaces: str = "") -> list[BaseException]:
    """Relay nine events, three in each partition; what the worker raised instead."""
    house.publish([house.ping(number) for number in range(9)])
    with running(house.worker(linger_ms=5, session_timeout_ms=200, replaces_keyring=replaces)) as raised:
        until(lambda: raised or through(house), "a worker's work or refusal")
    return raised


def through(house: RelayFixture) -> bool:
    admin = house.cluster.admin(timeout_s=CALL_S)
    places = [(house.raw_topic, number) for number in range(3)]
    ends, done = admin.offsets(places, "latest"), admin.committed(f"minimizer.{house.source}", places)
    return done.keys() == set(places) and all(done[place].offset >= ends[place].offset for place in places)


def marks(house: RelayFixture) -> set[str | None]:
    places = [(house.raw_topic, number) for number in range(3)]
    committed = house.cluster.admin(timeout_s=CALL_S).committed(f"minimizer.{house.source}", places)
    return {keyring_mark(each.metadata) for each in committed.values()}


def test_a_worker_with_another_keyring_is_refused_and_names_both_and_the_way_out(
    house: RelayFixture, tmp_path: Path
) -> None:
    assert relay(house) == []
    assert marks(house) == {house.keyring.mark}
    other = replace(house, keyring=another_keyring(house, tmp_path / "b"))
    (refused,) = relay(other)
    assert isinstance(refused, Trouble)
    assert refused.exit_code is Exit.REFUSED
    assert house.keyring.mark in str(refused)
    assert other.keyring.mark in str(refused)
    assert f"--replaces-keyring {house.keyring.mark}" in refused.hint
    assert marks(house) == {house.keyring.mark}
    assert relay(house) == []


def test_a_run_refuses_before_it_starts_a_worker(house: RelayFixture, tmp_path: Path) -> None:
    other, admin = another_keyring(house, tmp_path / "b"), house.cluster.admin()
    refuse_another_of(house.contract, admin, house.source, other.mark)  # nothing is committed yet
    assert relay(house) == []
    refuse_another_of(house.contract, admin, house.source, house.keyring.mark)
    with pytest.raises(Trouble, match="3 partition"):
        refuse_another_of(house.contract, admin, house.source, other.mark)


def test_a_keyring_that_replaces_a_lost_one_goes_on_after_it(house: RelayFixture, tmp_path: Path) -> None:
    assert relay(house) == []
    other = replace(house, keyring=another_keyring(house, tmp_path / "b"))
    assert relay(other, replaces=house.keyring.mark) == []
    assert marks(house) == {other.keyring.mark}
    assert relay(other) == []


def test_offsets_of_a_release_without_marks_are_read_and_get_one(house: RelayFixture) -> None:
    view = house.handled
    old = f'{{"v":1,"in":0,"gap":0,"views":{{"{view}":[0,0,0,0,0],"{house.loose}":[0,0,0,0,0]}},"by":"host.0"}}'
    consumer = house.cluster.consumer(**{"group.id": f"minimizer.{house.source}"})
    consumer.commit(
        offsets=[TopicPartition(house.raw_topic, number, 0, old) for number in range(3)], asynchronous=False
    )
    consumer.close()
    assert marks(house) == {None}
    assert relay(house) == []
    assert marks(house) == {house.keyring.mark}


def test_a_mark_is_the_deployments_and_survives_another_key_encryption_key(house: RelayFixture, tmp_path: Path) -> None:
    path, new = house.folder / "keyring.json", LocalKeyEncryption.create(tmp_path / "new")
    before = house.keyring.mark
    rewrap(path, LocalKeyEncryption.open(house.folder / "kek"), new)
    assert Keyring.open(path, new).mark == before
    assert another_keyring(house, tmp_path / "b").mark != before


def test_a_keyring_of_version_1_has_no_mark_and_refuses_nothing(tmp_path: Path) -> None:
    kek = LocalKeyEncryption.create(tmp_path / "kek")
    write_version_1(tmp_path / "keyring.json", (tmp_path / "kek").read_bytes(), {("p", DAY_MS, 0): bytes(range(32))})
    assert Keyring.open(tmp_path / "keyring.json", kek).mark == ""
    refuse_another({PLACE: OTHER}, "")
    assert keyring_mark(to_metadata(PartitionBook(1), "host.0", "")) is None


def test_partitions_without_a_mark_are_no_other_keyrings() -> None:
    refuse_another({PLACE: None, ("raw.a.b", 1): OWN, ("raw.a.b", 2): OTHER}, OWN, replaces=OTHER)
    with pytest.raises(Trouble, match=f"raw.a.b/0 with {OTHER}"):
        refuse_another({PLACE: OTHER, ("raw.a.b", 1): OWN}, OWN)


def test_an_earlier_releases_metadata_is_read_and_a_new_ones_holds_what_that_reads() -> None:
    book = from_metadata(5, OLD)
    assert (keyring_mark(OLD), committer(OLD)) == (None, "host.0")
    new = to_metadata(book, "host.0", OWN)
    assert (from_metadata(5, new), committer(new), keyring_mark(new)) == (book, "host.0", OWN)
    assert new.replace(f',"keyring":"{OWN}"', "") == OLD


def test_where_there_is_little_room_the_mark_comes_before_the_slot_and_the_books_before_both() -> None:
    long = {f"{number:03}" + "x" * 20: ViewBook(0, 0, 0, 0, 0) for number in range(200)}
    lengths = []
    for views in range(1, 200):
        book = PartitionBook(1, 0, 0, dict(list(long.items())[:views]))
        try:
            text = to_metadata(book, "h" * 150 + ".0", OWN)
        except ValueError:
            break
        assert from_metadata(1, text) == book
        assert len(text) <= METADATA_LIMIT_BYTES
        lengths.append((committer(text) is not None, keyring_mark(text) is not None))
    assert [*dict.fromkeys(lengths)] in (
        [(True, True), (False, True)],
        [(True, True), (False, True), (False, False)],
    )


@pytest.mark.parametrize("mark", ["7", "[]", '"x"', '"0123456789ABCDEF"', '"0123456789abcdef0"', "null"])
def test_what_is_no_mark_says_nothing(mark: str) -> None:
    assert keyring_mark(f'{{"v":1,"keyring":{mark}}}') is None


def test_a_run_looks_past_a_transaction_that_a_killed_worker_left_open(house: RelayFixture, tmp_path: Path) -> None:
    assert relay(house) == []
    producer = house.cluster.producer(**{"transactional.id": "synthetic"})
    producer.init_transactions(CALL_S)
    producer.begin_transaction()
    consumer = house.cluster.consumer(**{"group.id": f"minimizer.{house.source}"})
    offsets = [TopicPartition(house.raw_topic, number, 1, OLD) for number in range(3)]
    producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), CALL_S)
    admin, began = house.cluster.admin(), time.monotonic()
    refuse_another_of(house.contract, admin, house.source, house.keyring.mark)
    with pytest.raises(Trouble, match="3 partition"):
        refuse_another_of(house.contract, admin, house.source, another_keyring(house, tmp_path / "b").mark)
    assert time.monotonic() - began < OPEN_S / 2
    consumer.close()
