from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.envelope import Note, quarantine_record, read_note

NOTE: dict[str, Any] = {
    "topic": "raw.vpn.session",
    "partition": 3,
    "offset": 1_234,
    "event": "vpn.session",
    "view": "network-metadata.security-enforcement",
    "code": "bound",
    "path": "checks[].result",
}
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


def test_a_note_has_these_keys_and_no_more() -> None:
    assert orjson.loads(quarantine_record(**NOTE)) == NOTE


def test_a_structural_fault_belongs_to_no_view_and_may_belong_to_no_field() -> None:
    note = NOTE | {"view": None, "path": ""}
    assert orjson.loads(quarantine_record(**note)) == note


@pytest.mark.parametrize("path", ["client_ip", "tls.sni", "checks[]", "headers{}", "a[].b{}.c", "a[][]", "_a1{}[]"])
def test_a_path_as_the_schema_spells_it_is_told(path: str) -> None:
    assert orjson.loads(quarantine_record(**NOTE | {"path": path}))["path"] == path


@pytest.mark.parametrize("path", VALUES, ids=range(len(VALUES)))
def test_what_no_schema_spells_is_refused_as_a_path_without_repeating_it(path: str) -> None:
    with pytest.raises(ValueError, match="as its path") as refused:
        quarantine_record(**NOTE | {"path": path})
    assert path not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize("place", ["topic", "event", "view", "code"])
@pytest.mark.parametrize("text", ["", "a b", "a/b", "a@b", "a\n", "ä", "a..b", "a" * 300], ids=range(8))
def test_names_and_codes_have_their_alphabet_too(place: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"as its {place}"):
        quarantine_record(**NOTE | {place: text})


@pytest.mark.parametrize(
    ("place", "number"), [("partition", -1), ("partition", 2**31), ("offset", -1), ("offset", 2**63)]
)
def test_coordinates_are_kafkas(place: str, number: int) -> None:
    with pytest.raises(ValueError, match=f"as its {place}"):
        quarantine_record(**NOTE | {place: number})


@given(st.text(max_size=40))
def test_a_path_that_passes_has_no_index_no_key_and_no_other_character(path: str) -> None:
    try:
        quarantine_record(**NOTE | {"path": path})
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
    assert read_note(quarantine_record(**said)) == Note(**said)


WRITTEN = quarantine_record(**NOTE)
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
    assert read_note(value) is None


@given(st.binary(max_size=300))
def test_bytes_by_chance_are_no_note(value: bytes) -> None:
    assert read_note(value) is None
