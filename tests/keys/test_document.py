"""The keyring's format against damage and forgery: Trouble with a hint, never a traceback, never key bytes."""

import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.contract.model import DAY_MS
from pipelines.keys import LocalKeyEncryption, RootId, document
from pipelines.trouble import Exit, Trouble

PATH = Path("keyring.json")
KEK = LocalKeyEncryption(bytes(range(32)))
ROOTS = {
    RootId("security-enforcement", DAY_MS, 0): bytes([1]) * 32,
    RootId("security-enforcement", DAY_MS, DAY_MS): bytes([2]) * 32,
    RootId("support", DAY_MS, 0): bytes([3]) * 32,
}
WRAPPED = {root_id: KEK.wrap(root) for root_id, root in ROOTS.items()}
GOOD = document.dump(WRAPPED, KEK)


def _refusal(content: bytes, kek: LocalKeyEncryption = KEK) -> Trouble:
    with pytest.raises(Trouble) as caught:
        document.parse(content, kek, PATH)
    trouble = caught.value
    assert trouble.exit_code is Exit.REFUSED
    assert trouble.hint
    assert trouble.__cause__ is None
    assert trouble.__context__ is None
    told = f"{trouble} {trouble.hint}"
    assert not any(root.hex() in told or WRAPPED[i].hex() in told for i, root in ROOTS.items())
    return trouble


def _signed(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A document that somebody who does hold the key wrote, with a change."""
    body = orjson.loads(GOOD)
    change(body)
    body["integrity"]["mac"] = document._mac(_integrity_key(body), _without_integrity(body)).hex()
    return orjson.dumps(body)


def _integrity_key(body: dict[str, Any]) -> bytes:
    key = KEK.unwrap(bytes.fromhex(body["integrity"]["key"]))
    assert key is not None
    return key


def _without_integrity(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "integrity"}


def _unsigned(change: Callable[[dict[str, Any]], None]) -> bytes:
    body = orjson.loads(GOOD)
    change(body)
    return orjson.dumps(body)


def test_what_is_dumped_is_parsed() -> None:
    assert document.parse(GOOD, KEK, PATH) == WRAPPED


def test_an_empty_keyring_is_one() -> None:
    assert document.parse(document.dump({}, KEK), KEK, PATH) == {}


@given(st.integers(0, len(GOOD) - 2))
def test_every_truncation_is_refused(length: int) -> None:
    _refusal(GOOD[:length])


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_changed_byte_gives_other_roots(at: int, flip: int) -> None:
    changed = GOOD[:at] + bytes([GOOD[at] ^ flip]) + GOOD[at + 1 :]
    parsed = None
    with contextlib.suppress(Trouble):
        parsed = document.parse(changed, KEK, PATH)
    assert parsed is None or parsed == WRAPPED  # the same: white space, or the case of a hexadecimal digit of the code


@given(st.binary(max_size=200))
@example(b"")
@example(b"null")
@example(b"[]")
@example(b"\xff\xfe")
@example(b"[" * 100_000)
@example(b'{"format": "telemetry-pipelines keyring"}')
@example(b"{" + b'"a":{' * 2_000)
def test_what_is_no_keyring_is_refused(content: bytes) -> None:
    _refusal(content)


def test_a_swapped_root_between_two_purposes_is_noticed() -> None:
    def swap(body: dict[str, Any]) -> None:
        first, _, last = body["roots"]
        first["wrapped"], last["wrapped"] = last["wrapped"], first["wrapped"]

    assert "does not hold its key" in str(_refusal(_unsigned(swap)))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body["roots"].pop(), id="a root dropped"),
        pytest.param(lambda body: body["roots"].append(copy.copy(body["roots"][0])), id="a root repeated"),
        pytest.param(lambda body: body["roots"][0].update(purpose="support-2"), id="a purpose renamed"),
        pytest.param(lambda body: body["roots"][0].update(epoch_start_ms=5 * DAY_MS), id="an epoch moved"),
        pytest.param(lambda body: body["roots"][0].update(rotate_ms=DAY_MS // 2), id="a rotation changed"),
        pytest.param(lambda body: body["roots"].reverse(), id="the order turned"),
    ],
)
def test_a_change_by_somebody_without_the_key_is_noticed(change: Callable[[dict[str, Any]], None]) -> None:
    assert "does not hold its key" in str(_refusal(_unsigned(change)))


def test_a_root_in_the_place_of_the_integrity_key_does_not_help_a_forger() -> None:
    def use_root(body: dict[str, Any]) -> None:
        body["integrity"]["key"] = body["roots"][0]["wrapped"]

    assert "does not hold its key" in str(_refusal(_unsigned(use_root)))


def test_a_wrong_key_encryption_key_is_told_as_such() -> None:
    trouble = _refusal(GOOD, LocalKeyEncryption(bytes(32)))
    assert "another key-encryption key" in str(trouble)
    assert "PIPELINES_KEK_FILE" in trouble.hint


@pytest.mark.parametrize("version", [0, 2, True, "1", 1.0, None, 2**70])
def test_another_version_is_refused_before_anything_else(version: object) -> None:
    assert "version" in str(
        _refusal(
            orjson.dumps({"format": document.FORMAT}).replace(
                b"}",
                b',"version":%s}'
                % (
                    str(version).encode() if isinstance(version, int) and version is not True else orjson.dumps(version)
                ),
            )
        )
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body.pop("integrity"), id="no integrity"),
        pytest.param(lambda body: body.update(integrity=[]), id="integrity a list"),
        pytest.param(lambda body: body["integrity"].pop("mac"), id="no mac"),
        pytest.param(lambda body: body["integrity"].update(mac=7), id="mac a number"),
        pytest.param(lambda body: body["integrity"].update(mac="zz"), id="mac not hexadecimal"),
        pytest.param(lambda body: body["integrity"].update(key=""), id="key empty"),
        pytest.param(lambda body: body["integrity"].update(key="00" * 40), id="key made up"),
        pytest.param(lambda body: body["integrity"].update(more=1), id="integrity says more"),
        pytest.param(lambda body: body.update(more=1), id="the file says more"),
        pytest.param(lambda body: body.pop("roots"), id="no roots"),
    ],
)
def test_another_outline_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    _refusal(_unsigned(change))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body.update(roots={}), id="roots an object"),
        pytest.param(lambda body: body["roots"].append(None), id="a root null"),
        pytest.param(lambda body: body["roots"].append(copy.copy(body["roots"][0])), id="a root twice"),
        pytest.param(lambda body: body["roots"][0].update(purpose=7), id="purpose a number"),
        pytest.param(lambda body: body["roots"][0].update(purpose=""), id="purpose empty"),
        pytest.param(lambda body: body["roots"][0].update(purpose="a\nb"), id="purpose with a line end"),
        pytest.param(lambda body: body["roots"][0].update(purpose="a" * 201), id="purpose too long"),
        pytest.param(lambda body: body["roots"][0].update(rotate_ms=0), id="rotation 0"),
        pytest.param(lambda body: body["roots"][0].update(rotate_ms=True), id="rotation true"),
        pytest.param(lambda body: body["roots"][0].update(rotate_ms=1.5), id="rotation a fraction"),
        pytest.param(lambda body: body["roots"][0].update(epoch_start_ms=1), id="epoch off the grid"),
        pytest.param(lambda body: body["roots"][0].update(epoch_start_ms=False), id="epoch false"),
        pytest.param(lambda body: body["roots"][0].update(wrapped="0g"), id="not hexadecimal"),
        pytest.param(lambda body: body["roots"][0].update(wrapped=None), id="wrapped null"),
        pytest.param(lambda body: body["roots"][0].pop("wrapped"), id="nothing wrapped"),
        pytest.param(lambda body: body["roots"][0].update(note="x"), id="a root says more"),
    ],
)
def test_wrong_types_are_refused_though_the_code_is_right(change: Callable[[dict[str, Any]], None]) -> None:
    assert "root" in str(_refusal(_signed(change)))


def test_the_signing_in_these_tests_is_right() -> None:
    assert document.parse(_signed(lambda _: None), KEK, PATH) == WRAPPED


def test_too_many_roots_are_refused() -> None:
    def many(body: dict[str, Any]) -> None:
        body["roots"] = [None] * (document.MOST_ROOTS + 1)

    assert "too many" in str(_refusal(_signed(many)))


def test_the_largest_keyring_fits_the_largest_file() -> None:
    root = RootId("p" * 200, 400 * DAY_MS, -(2**53) // (400 * DAY_MS) * (400 * DAY_MS))
    entry = len(document.dump({root: bytes(72)}, KEK)) - len(document.dump({}, KEK))
    assert document.MOST_ROOTS * entry < document.MOST_BYTES
