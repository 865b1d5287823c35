"""Local samples: what is read, and that a spoilt, cut, huge or wrong file is refused by place and never by content."""

from __future__ import annotations

import io
import json
import tracemalloc
import zlib
from pathlib import Path
from random import Random

import fastavro
import pytest

from pipelines.contract.model import Contract
from pipelines.explain import raw_file
from pipelines.explain.raw_file import Bounds, raw_values
from pipelines.sdk.encoding import encoders
from pipelines.simulate import Simulation
from pipelines.trouble import Exit, Trouble

EVENT = "vpn.session"
CANARY = "canary-51c0ffee"
MARK = bytes(range(16))
EXAMPLE = Path(__file__).parents[2] / "docs/examples/vpn.session.json"
LINE = json.dumps(json.loads(EXAMPLE.read_text())).encode()


def events(contract: Contract, count: int = 20) -> list[dict[str, object]]:
    newest = contract.events[EVENT].versions[-1].version
    made = Simulation(contract, seed=3, devices=9, only=[EVENT]).events(10 * count, start_ms=1_795_000_000_000)
    return [one.fields for one in made if one.version == newest][:count]


def values(contract: Contract, content: bytes) -> list[bytes]:
    return list(raw_values(content, contract.events[EVENT]))


def container(contract: Contract, codec: str = "null", count: int = 20) -> bytes:
    out = io.BytesIO()
    schema = fastavro.parse_schema(json.loads(contract.events[EVENT].versions[-1].text))
    fastavro.writer(out, schema, events(contract, count), codec=codec, sync_marker=MARK, sync_interval=500)
    return out.getvalue()


def frame(schema: bytes, blocks: bytes, codec: bytes = b"null") -> bytes:
    """A container of our own making, right or wrong."""
    meta = b"".join([long(2), text(b"avro.schema"), text(schema), text(b"avro.codec"), text(codec), long(0)])
    return b"Obj\x01" + meta + MARK + blocks


def block(count: int, items: bytes) -> bytes:
    return long(count) + text(items) + MARK


def text(some: bytes) -> bytes:
    return long(len(some)) + some


def long(number: int) -> bytes:
    rest, out = (number << 1) ^ (number >> 63), bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*out, rest])


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_container_gives_the_bytes_of_a_producer(shipped: Contract, codec: str) -> None:
    encoder = list(encoders(shipped.events[EVENT]).values())[-1]
    wanted = [encoder.encode(fields) for fields in events(shipped)]
    assert len(wanted) == 20
    assert values(shipped, container(shipped, codec)) == wanted


def test_json_lines_are_read_as_try_reads_them(shipped: Contract) -> None:
    assert len(values(shipped, LINE + b"\n\n" + LINE + b"\n")) == 2


def test_a_single_object_is_one_event(shipped: Contract) -> None:
    value = values(shipped, container(shipped, count=1))[0]
    assert values(shipped, value) == [value]


def test_a_single_object_that_is_cut_too_long_or_of_another_event_is_refused(shipped: Contract) -> None:
    value = values(shipped, container(shipped, count=1))[0]
    for bad in (value[:-1], value + b"\0", value[:2] + bytes(8) + value[10:], value[:6]):
        with pytest.raises(Trouble) as trouble:
            values(shipped, bad)
        assert trouble.value.exit_code is Exit.USAGE


def spoilt(contract: Contract) -> dict[str, bytes]:
    version = contract.events[EVENT].versions[-1]
    schema, other = version.text.encode(), contract.events["tor.circuit"].versions[-1].text.encode()
    good = container(contract)
    body = values(contract, good)[0][10:]
    return {
        "nothing": b"",
        "blanks": b" \n ",
        "no Avro": CANARY.encode(),
        "text": b'{"event_id": "' + CANARY.encode(),
        "another event's schema": frame(other, b""),
        "a schema that is none": frame(CANARY.encode(), b""),
        "a schema nested without end": frame(b'{"type":"array","items":' * 100_000, b""),
        "no schema": b"Obj\x01" + long(0) + MARK,
        "an unknown codec": frame(schema, b"", CANARY.encode()),
        "cut in the middle": good[: len(good) // 2],
        "cut by one": good[:-1],
        "a magic number alone": b"Obj\x01",
        "metadata without end": b"Obj\x01" + long(2**62) + text(b"k") * 9,
        "a negative length": b"Obj\x01" + long(1) + long(-5),
        "a length beyond the end": b"Obj\x01" + long(1) + long(2**62),
        "too few items": frame(schema, block(2, body)),
        "too many items": frame(schema, block(1, body + body)),
        "a negative count": frame(schema, block(-1, body)),
        "another mark": frame(schema, long(1) + text(body) + bytes(16)),
        "not deflated": frame(schema, block(1, body), b"deflate"),
        "a spoilt event": frame(schema, block(1, CANARY.encode() * 9)),
        "a bomb": frame(schema, block(1, _deflated(bytes(300 * 1024 * 1024))), b"deflate"),
    }


def _deflated(data: bytes) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return machine.compress(data) + machine.flush()


def test_what_is_no_sample_is_refused_and_nothing_of_it_is_told(shipped: Contract) -> None:
    for name, content in spoilt(shipped).items():
        with pytest.raises(Trouble) as trouble:
            values(shipped, content)
        told = f"{trouble.value} {trouble.value.hint}"
        assert CANARY not in told, name
        assert trouble.value.__cause__ is None, name
        assert trouble.value.__suppress_context__ or trouble.value.__context__ is None, name
        assert trouble.value.exit_code is Exit.USAGE, name


def test_a_file_with_a_byte_changed_anywhere_is_read_or_refused_but_nothing_else(shipped: Contract) -> None:
    good = container(shipped, "deflate", 6)
    rng = Random(1)
    refused = 0
    for _ in range(400):
        at = rng.randrange(len(good))
        bad = good[:at] + bytes([rng.randrange(256)]) + good[at + 1 :]
        try:
            values(shipped, bad)
        except Trouble:
            refused += 1
    assert refused > 200


def test_a_file_that_is_too_large_is_refused_unread(shipped: Contract) -> None:
    content = b"{" * (raw_file.MOST_BYTES + 1)
    tracemalloc.start()
    with pytest.raises(Trouble, match="more than 64 MiB"):
        values(shipped, content)
    assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    tracemalloc.stop()


def test_a_bomb_is_not_unpacked_beyond_the_bound(shipped: Contract) -> None:
    content = frame(
        shipped.events[EVENT].versions[-1].text.encode(), block(1, _deflated(bytes(64 * 1024 * 1024))), b"deflate"
    )
    tracemalloc.start()
    with pytest.raises(Trouble, match="unpacks to more than 1 MiB"):
        list(raw_values(content, shipped.events[EVENT], bounds=Bounds(unpacked=1024 * 1024)))
    assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    tracemalloc.stop()


def test_too_many_events_are_refused(shipped: Contract) -> None:
    for content in (container(shipped), b"\n".join([LINE] * 6)):
        with pytest.raises(Trouble, match="more than 5 events"):
            list(raw_values(content, shipped.events[EVENT], bounds=Bounds(events=5)))


def test_a_version_that_is_not_there_is_named(shipped: Contract) -> None:
    with pytest.raises(Trouble, match="no version 9"):
        list(raw_values(b"{}", shipped.events[EVENT], 9))


@pytest.mark.parametrize("line", [b'{"x": "%s"}', b"[]", b'{"event_id": 5, "y": "%s"}'])
def test_a_line_that_does_not_fit_is_told_by_its_number(shipped: Contract, line: bytes) -> None:
    with pytest.raises(Trouble, match="line 1") as trouble:
        values(shipped, line.replace(b"%s", CANARY.encode()))
    assert CANARY not in str(trouble.value)
