from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.envelope import Kind, Note, quarantine_record, quarantine_records, read_notes
from pipelines.envelope.quarantine import MOST_COUNTED, MOST_SINGLE, MOST_STRETCHES

NOTE: dict[str, Any] = {
    "topic": "raw.vpn.session",
    "partition": 3,
    "offset": 1_234,
    "event": "vpn.session",
    "view": "network-metadata.security-enforcement",
    "code": "bound",
    "path": "checks[].result",
}
KIND = Kind(*(NOTE[name] for name in Kind._fields))
# What a careless caller might pass on from an event.
VALUES = [
    "checks[3].result",
    'headers{"X-Token"}',
    "headers{x}",
    "client_ip=192.0.2.1",
    "192.0.2.1",
    "user@example.com",
    "a b",
    "a.",
    ".a",
    "a..b",
    "a[",
    "a{}x",
    "ä",
    "a\n",
    "a\x00",
    "https://example.com/",
    "a" * 5_000,
]


def written(**said: Any) -> bytes:
    note = Note(**NOTE | said)
    return quarantine_record(note.kind, note.offset)


def test_a_note_has_these_keys_and_no_more() -> None:
    assert orjson.loads(written()) == NOTE


def test_a_structural_fault_belongs_to_no_view_and_may_belong_to_no_field() -> None:
    note = NOTE | {"view": None, "path": ""}
    assert orjson.loads(written(**note)) == note


@pytest.mark.parametrize("path", ["client_ip", "tls.sni", "checks[]", "headers{}", "a[].b{}.c", "a[][]", "_a1{}[]"])
def test_a_path_as_the_schema_spells_it_is_told(path: str) -> None:
    assert orjson.loads(written(path=path))["path"] == path


@pytest.mark.parametrize("path", VALUES, ids=range(len(VALUES)))
def test_what_no_schema_spells_is_refused_as_a_path_without_repeating_it(path: str) -> None:
    with pytest.raises(ValueError, match="as its path") as refused:
        written(path=path)
    assert path not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize("place", ["topic", "event", "view", "code"])
@pytest.mark.parametrize("text", ["", "a b", "a/b", "a@b", "a\n", "ä", "a..b", "a" * 300], ids=range(8))
def test_names_and_codes_have_their_alphabet_too(place: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"as its {place}"):
        written(**{place: text})


@pytest.mark.parametrize(
    ("place", "number"), [("partition", -1), ("partition", 2**31), ("offset", -1), ("offset", 2**63)]
)
def test_coordinates_are_kafkas(place: str, number: int) -> None:
    with pytest.raises(ValueError, match=f"as its {place}"):
        written(**{place: number})


@given(st.text(max_size=40))
def test_a_path_that_passes_has_no_index_no_key_and_no_other_character(path: str) -> None:
    try:
        written(path=path)
    except ValueError:
        return
    assert path.isascii()
    assert path.replace("[]", "").replace("{}", "").replace(".", "").replace("_", "").isalnum() or not path.strip("_")


@given(
    partition=st.integers(0, 2**31 - 1),
    offset=st.integers(0, 2**63 - 1),
    view=st.sampled_from([None, "audit.network-policy-review"]),
    path=st.sampled_from(["", "client_ip", "checks[].result", "headers{}"]),
)
def test_a_note_reads_back_as_what_was_written(partition: int, offset: int, view: str | None, path: str) -> None:
    said = NOTE | {"partition": partition, "offset": offset, "view": view, "path": path}
    notes = read_notes(written(**said))
    assert notes is not None
    assert list(notes.each()) == [Note(**said)]


WRITTEN = written()
FOREIGN = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"not JSON",
    b"\xff\xfe",
    b"\xc3\x01SYNTHETIC",
    WRITTEN + b" ",
    WRITTEN[:-1],
    WRITTEN[:-1] + b',"path":"client_ip"}',
    WRITTEN[:-1] + b',"value":"SYNTHETIC-SECRET"}',
    WRITTEN.replace(b"3,", b"3.0,"),
    WRITTEN.replace(b"1234", b"-1"),
    WRITTEN.replace(b"1234", b"1e3"),
    WRITTEN.replace(b'"partition":3', b'"partition":true'),
    WRITTEN.replace(b'"partition":3', b'"partition":"3"'),
    WRITTEN.replace(b'"vpn.session"', b"null"),
    WRITTEN.replace(b'"bound"', b'["bound"]'),
    WRITTEN.replace(b"checks[].result", b"checks[3].result"),
    WRITTEN.replace(b"checks[].result", b"a" * 10_000),
    b"[" * 100_000,
]


@pytest.mark.parametrize("value", FOREIGN, ids=range(len(FOREIGN)))
def test_what_no_relay_wrote_is_no_note(value: bytes) -> None:
    assert read_notes(value) is None


def test_a_note_of_a_release_before_notes_that_count_is_read() -> None:
    value = (
        b'{"topic":"raw.vpn.session","partition":3,"offset":1234,"event":"vpn.session",'
        b'"view":"network-metadata.security-enforcement","code":"bound","path":"checks[].result"}'
    )
    notes = read_notes(value)
    assert notes is not None
    assert list(notes.each()) == [Note(**NOTE)]


OFFSETS = st.sets(st.integers(0, 60) | st.integers(0, 2**63 - 1), min_size=1, max_size=200).map(sorted)


@given(offsets=OFFSETS)
def test_many_alike_notes_read_back_as_the_same_notes_whether_they_are_counted_or_not(offsets: list[int]) -> None:
    values = list(quarantine_records(KIND, offsets))
    assert len(values) == (len(offsets) if len(offsets) <= MOST_SINGLE else 1)
    every = [notes.each() for value in values if (notes := read_notes(value))]
    assert [note for notes in every for note in notes] == [Note(**NOTE | {"offset": offset}) for offset in offsets]


def test_a_note_that_counts_says_how_many_and_which() -> None:
    (value,) = quarantine_records(KIND, [*range(100, 2_100), 3_000])
    document = orjson.loads(value)
    assert document.pop("offsets") == [[100, 2_099], [3_000, 3_000]]
    assert document == {"v": 2, **KIND._asdict(), "count": 2_001}


def test_offsets_far_apart_fill_several_notes_that_each_fit_and_lose_none() -> None:
    offsets = [2**63 - 1 - 2 * number for number in reversed(range(MOST_STRETCHES * 2 + 1))]
    values = list(quarantine_records(KIND, offsets))
    assert len(values) == 3
    assert max(map(len, values)) < 32_768
    assert [note.offset for value in values if (notes := read_notes(value)) for note in notes.each()] == offsets


@pytest.mark.parametrize("offsets", [[5] * 20, [*range(20), 7], [-1, *range(20)], [*range(20), 2**63]], ids=range(4))
def test_offsets_that_do_not_ascend_or_that_kafka_has_not_are_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="as its offsets"):
        list(quarantine_records(KIND, offsets))


(COUNTED,) = quarantine_records(KIND, [*range(100, 2_100), 3_000])
FOREIGN_COUNTS = [
    COUNTED.replace(b'"v":2', b'"v":1'),
    COUNTED.replace(b'"v":2', b'"v":3'),
    COUNTED.replace(b'"v":2,', b""),
    COUNTED.replace(b"2001", b"2002"),
    COUNTED.replace(b"2001", b"2001.0"),
    COUNTED.replace(b"[3000,3000]", b"[2099,3000]"),
    COUNTED.replace(b"[3000,3000]", b"[2100,2100]"),
    COUNTED.replace(b"[3000,3000]", b"[3001,3000]"),
    COUNTED.replace(b"[3000,3000]", b"[3000,3000,3000]"),
    COUNTED.replace(b"[3000,3000]", b"[3000]"),
    COUNTED.replace(b"[3000,3000]", b"3000"),
    COUNTED.replace(b"[3000,3000]", b'"ab"'),
    COUNTED.replace(b"[3000,3000]", b"[true,true]"),
    COUNTED.replace(b"[3000,3000]", b"null"),
    COUNTED.replace(b"[100,2099]", b"[-1,2099]"),
    COUNTED.replace(b"[[100,2099],[3000,3000]]", b"[]").replace(b"2001", b"0"),
    COUNTED.replace(b"[[100,2099],[3000,3000]]", b"{}").replace(b"2001", b"0"),
    COUNTED.replace(b"3000]]", b"9223372036854775807]]").replace(b"2001", b"9223372036854774808"),
    COUNTED.replace(b"3000]]", b"%d]]" % (3_000 + MOST_COUNTED)).replace(b"2001", b"%d" % (2_001 + MOST_COUNTED)),
    COUNTED.replace(b"checks[].result", b"checks[3].result"),
    COUNTED[:-1] + b',"value":"SYNTHETIC-SECRET"}',
    b'{"v":2,"offsets":' + b"[" * 30_000,
]


@pytest.mark.parametrize("value", FOREIGN_COUNTS, ids=range(len(FOREIGN_COUNTS)))
def test_what_no_relay_wrote_is_no_note_that_counts(value: bytes) -> None:
    assert value != COUNTED
    assert read_notes(value) is None


@given(st.binary(max_size=300))
def test_bytes_by_chance_are_no_note(value: bytes) -> None:
    assert read_notes(value) is None
