"""The ledger's own checks: each must find what it is there for, and survive any bytes."""

from __future__ import annotations

import struct

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.ledger import Commit, Generation, Ledger, UndecodableError, decode

GROUP = "minimizer.synthetic"
RAW = "raw.synthetic.ping"
VIEW = "audit.synthetic"


def text(value: str) -> bytes:
    return struct.pack(">h", len(value.encode())) + value.encode()


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def commit_key(partition: int = 0, group: str = GROUP) -> bytes:
    return struct.pack(">h", 1) + text(group) + text(RAW) + struct.pack(">i", partition)


def commit_value(offset: int, metadata: str, version: int = 4) -> bytes:
    head = struct.pack(">hq", version, offset) + (struct.pack(">i", -1) if version >= 3 else b"")
    stamp = struct.pack(">q", 0)
    if version >= 4:
        return head + varint(len(metadata.encode()) + 1) + metadata.encode() + stamp + b"\x00"
    return head + text(metadata) + stamp


def books(events_in: int, *fates: int, gap: int = 0, since: int = 0) -> str:
    document = {"v": 1, "in": events_in, "gap": gap, "views": {VIEW: [since, *fates]}}
    return orjson.dumps(document).decode() + "\0"


def ledger(*history: tuple[int, str]) -> Ledger:
    read = Ledger(GROUP)
    read.read((commit_key(), commit_value(offset, metadata)) for offset, metadata in history)
    return read


SOUND = [(10, books(10, 8, 1, 1, 0)), (25, books(25, 20, 3, 1, 1))]


def test_a_sound_history_has_no_fault() -> None:
    read = ledger(*SOUND)
    assert (read.commits, read.regressions, read.errors, read.undecodable) == (2, 0, 0, 0)
    assert read.standing[RAW, 0].views == {VIEW: [0, 20, 3, 1, 1]}


def test_a_commit_behind_an_earlier_one_is_a_regression() -> None:
    assert ledger(*SOUND, (20, books(20, 15, 3, 1, 1))).regressions == 1


@pytest.mark.parametrize(
    "wrong",
    [
        (30, books(30, 24, 3, 1, 1)),  # does not balance: 29 fates of 30 events
        (30, books(31, 26, 3, 1, 1)),  # one event more than offsets were passed
        (30, books(29, 24, 3, 1, 1)),  # one less
        (30, books(29, 24, 3, 1, 1, gap=2)),  # a gap that no offsets make up for
        (30, books(30, 26, 2, 1, 1)),  # a fate that shrank
        (30, books(30, 24, 3, 1, 1, since=1)),  # a view that began anew
        (30, "not books"),
        (30, '{"v": 1, "in": 30, "gap": 0, "views": {}}'),
        (30, '{"v": 1, "in": 30, "gap": 0, "views": {"audit.synthetic": [0, 30]}}'),
        (30, '{"v": 1, "in": 30, "gap": 0, "views": {"audit.other": [0, 30, 0, 0, 0]}}'),
    ],
)
def test_books_that_cannot_follow_are_an_error(wrong: tuple[int, str]) -> None:
    assert ledger(*SOUND, wrong).errors == 1


def test_a_gap_that_offsets_make_up_for_is_no_error() -> None:
    assert ledger(*SOUND, (30, books(28, 23, 3, 1, 1, gap=2))).errors == 0


def test_a_first_commit_that_leaves_events_out_is_an_error() -> None:
    assert ledger((10, books(9, 9, 0, 0, 0))).errors == 1


def test_a_commit_that_was_deleted_is_an_error() -> None:
    read = Ledger(GROUP)
    read.read([(commit_key(), None)])
    assert read.errors == 1


def test_another_groups_commits_are_not_this_ones() -> None:
    read = Ledger(GROUP)
    read.read([(commit_key(group="another"), commit_value(3, "whatever"))])
    assert (read.commits, read.errors) == (0, 0)


@pytest.mark.parametrize("version", [0, 3, 4])
def test_commits_of_each_version_are_read(version: int) -> None:
    metadata = "m" * 200
    assert decode(commit_key(7), commit_value(5, metadata, version)) == Commit(GROUP, RAW, 7, 5, metadata)


def test_generations_with_members_are_read_and_empty_ones_are_not() -> None:
    key = struct.pack(">h", 2) + text(GROUP)

    def value(members: int) -> bytes:
        return struct.pack(">h", 3) + text("consumer") + struct.pack(">i", 12) + text("r") + text("l") + struct.pack(
            ">qi", 0, members
        )  # fmt: skip

    assert decode(key, value(2)) == Generation(GROUP, 12)
    assert decode(key, value(0)) is None
    target = struct.pack(">h", 6) + text(GROUP)
    assert decode(target, struct.pack(">hi", 0, 9) + b"\x00") == Generation(GROUP, 9)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b""),
        (b"", b""),
        (commit_key()[:-1], commit_value(1, "")),
        (commit_key(), b""),
        (commit_key(), commit_value(1, "m")[:-5]),
        (commit_key(), commit_value(-2, "m")),
        (commit_key(), struct.pack(">h", 5) + commit_value(1, "m")[2:]),  # a version to come
        (commit_key(), struct.pack(">hqi", 4, 1, -1) + b"\xff\xff\xff\xff\xff\xff"),  # a varint without an end
        (commit_key(), struct.pack(">hqi", 4, 1, -1) + b"\x00" + bytes(9)),  # no metadata
        (commit_key(), struct.pack(">hqi", 3, 1, -1) + b"\xff\xfe" + bytes(9)),  # a length of -2
        (struct.pack(">h", 1) + b"\x7f\xff", b""),  # a length beyond the end
        (struct.pack(">hh", 1, 2) + b"\xc3\x28" + text(RAW) + bytes(4), b""),  # no UTF-8
        (struct.pack(">h", 2) + text(GROUP), b"\x00\x09"),
    ],
)
def test_bytes_that_are_not_what_the_schema_says_are_undecodable_and_not_repeated(
    key: bytes | None, value: bytes
) -> None:
    with pytest.raises(UndecodableError) as raised:
        decode(key, value)
    assert raised.value.__cause__ is None
    assert "synthetic" not in str(raised.value)
    read = Ledger(GROUP)
    read.read([(key, value)])
    assert (read.undecodable, read.commits) == (1, 0)


KINDS = [b"", b"\0\0", b"\0\1", b"\0\2", b"\0\6"]
# Never five counts, which might be right by chance.
WRONG = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text("0123456789e-", max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner),
)


@given(st.binary(max_size=64), st.none() | st.binary(max_size=64), st.sampled_from(KINDS))
def test_any_bytes_are_read_or_undecodable(key: bytes, value: bytes | None, kind: bytes) -> None:
    Ledger(GROUP).read([(kind + key, value)])


@given(st.text(max_size=80))
def test_any_metadata_is_books_or_an_error(metadata: str) -> None:
    assert ledger((3, metadata)).errors == 1


@given(WRONG)
def test_any_json_in_the_place_of_counts_is_an_error(counts: object) -> None:
    document = orjson.dumps({"v": 1, "in": 3, "gap": 0, "views": {VIEW: counts}})
    assert ledger((3, document.decode())).errors == 1


@pytest.mark.parametrize("count", ["3", 3.0, True, None, -1])
def test_what_is_no_count_is_an_error(count: object) -> None:
    document = orjson.dumps({"v": 1, "in": 3, "gap": 0, "views": {VIEW: [0, count, 0, 0, 0]}})
    assert ledger((3, document.decode())).errors == 1
