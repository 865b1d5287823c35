"""The keyring's format against damage and forgery: Trouble with a hint, never a traceback, never key bytes."""

import contextlib
import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.contract.model import DAY_MS
from pipelines.keys import LocalKeyEncryption, RootId, document
from pipelines.keys.contents import LABELS_ALONE, OLD_VERSION, VERSION, Contents, PurposeState, WrappedRoot
from pipelines.trouble import Exit, Trouble

PATH = Path("keyring.json")
KEK = LocalKeyEncryption(bytes(range(32)))
ROOTS = {
    RootId("security-enforcement", DAY_MS, 0): bytes([1]) * 32,
    RootId("security-enforcement", DAY_MS, DAY_MS): bytes([2]) * 32,
    RootId("support", DAY_MS, 0): bytes([3]) * 32,
}


def _contents(version: int) -> Contents:
    purposes = {"security-enforcement": PurposeState(), "support": PurposeState(3, in_contract=False)}
    empty = Contents(version) if version == OLD_VERSION else Contents(version, bytes(range(16)), purposes)
    return replace(empty, roots={root_id: empty.wrap(root_id, root, KEK) for root_id, root in ROOTS.items()})


CONTENTS = {version: _contents(version) for version in (OLD_VERSION, VERSION)}
GOOD_OF = {version: document.dump(contents, KEK) for version, contents in CONTENTS.items()}
WRAPPED = CONTENTS[VERSION]
GOOD = GOOD_OF[VERSION]
both_versions = pytest.mark.parametrize("version", GOOD_OF)


def _refusal(content: bytes, kek: LocalKeyEncryption = KEK) -> Trouble:
    with pytest.raises(Trouble) as caught:
        document.parse(content, kek, PATH)
    trouble = caught.value
    assert trouble.exit_code is Exit.REFUSED
    assert trouble.hint
    assert trouble.__cause__ is None
    assert trouble.__context__ is None
    told = f"{trouble} {trouble.hint}"
    assert not any(root.hex() in told for root in ROOTS.values())
    assert not any(root.wrapped.hex() in told for each in CONTENTS.values() for root in each.roots.values())
    return trouble


def _signed(change: Callable[[dict[str, Any]], None], version: int = VERSION) -> bytes:
    """A document that somebody who does hold the integrity key wrote, with a change."""
    body = orjson.loads(GOOD_OF[version])
    change(body)
    body["integrity"]["mac"] = document._mac(_integrity_key(body), _without_integrity(body)).hex()
    return orjson.dumps(body)


def _integrity_key(body: dict[str, Any]) -> bytes:
    key = KEK.unwrap(bytes.fromhex(body["integrity"]["key"]))
    assert key is not None
    return key[:32]


def _without_integrity(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "integrity"}


def _unsigned(change: Callable[[dict[str, Any]], None], version: int = VERSION) -> bytes:
    body = orjson.loads(GOOD_OF[version])
    change(body)
    return orjson.dumps(body)


@both_versions
def test_what_is_dumped_is_parsed(version: int) -> None:
    assert document.parse(GOOD_OF[version], KEK, PATH) == CONTENTS[version]
    assert {i: CONTENTS[version].unwrap(i, KEK) for i in ROOTS} == ROOTS


def test_an_empty_keyring_is_one() -> None:
    empty = Contents.new()
    assert document.parse(document.dump(empty, KEK), KEK, PATH) == empty


@given(st.integers(0, len(GOOD) - 2))
def test_every_truncation_is_refused(length: int) -> None:
    _refusal(GOOD[:length])


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_changed_byte_gives_other_roots(at: int, flip: int) -> None:
    changed = GOOD[:at] + bytes([GOOD[at] ^ flip]) + GOOD[at + 1 :]
    parsed: Contents | None = None
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


@both_versions
@pytest.mark.parametrize("levels", [3, 300, 1_000])
@pytest.mark.parametrize("place", ["deployment", "purposes", "roots", "tombstones", "format and more"])
def test_a_document_that_is_nested_too_deep_is_refused_with_a_reason(place: str, levels: int, version: int) -> None:
    body = orjson.loads(GOOD_OF[version])
    opened, closed = ("[", "]") if levels % 2 else ('{"a":', "}")
    nested = opened * levels + "1" + closed * levels
    if place in body:
        body[place] = "HERE"
    else:
        body["roots"][0]["more"] = "HERE"
    refusal = str(_refusal(orjson.dumps(body).replace(b'"HERE"', nested.encode())))
    assert "nested deeper" in refusal or (levels == 1_000 and "no keyring" in refusal)


@both_versions
def test_a_swapped_root_between_two_purposes_is_noticed(version: int) -> None:
    def swap(body: dict[str, Any]) -> None:
        first, _, last = body["roots"]
        first["wrapped"], last["wrapped"] = last["wrapped"], first["wrapped"]

    assert "does not hold its key" in str(_refusal(_unsigned(swap, version)))


@both_versions
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
def test_a_change_by_somebody_without_the_key_is_noticed(
    change: Callable[[dict[str, Any]], None], version: int
) -> None:
    assert "does not hold its key" in str(_refusal(_unsigned(change, version)))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body["roots"][0].update(incarnation=2), id="a root in another incarnation"),
        pytest.param(lambda body: body["roots"][0].update(derivation=LABELS_ALONE), id="a root derived otherwise"),
        pytest.param(lambda body: body["purposes"][1].update(incarnation=1), id="a purpose in another incarnation"),
        pytest.param(lambda body: body["purposes"][1].update(in_contract=True), id="a purpose back"),
        pytest.param(lambda body: body["purposes"].pop(), id="a purpose dropped"),
    ],
)
def test_a_change_of_what_version_2_adds_is_noticed(change: Callable[[dict[str, Any]], None]) -> None:
    assert "does not hold its key" in str(_refusal(_unsigned(change)))


@both_versions
def test_a_wrapping_in_two_places_is_refused_by_the_names_of_the_places(version: int) -> None:
    """Who knows one root of version 1 would use its wrapping as the integrity key, and in every other place."""

    def use_root(body: dict[str, Any]) -> None:
        body["roots"][2]["wrapped"] = body["roots"][0]["wrapped"]

    said = str(_refusal(_signed(use_root, version)))
    assert "one wrapping stands in two places" in said
    assert "'security-enforcement', epoch of 1970-01-01" in said
    assert "'support', epoch of 1970-01-01" in said


@both_versions
def test_whoever_knows_a_root_cannot_use_its_wrapping_as_the_integrity_key(version: int) -> None:
    def forge(body: dict[str, Any]) -> None:
        body["integrity"]["key"] = body["roots"][0]["wrapped"]

    expected = "one wrapping stands in two places: the integrity key; and purpose" if version == 1 else "integrity key"
    assert expected in str(_refusal(_signed(forge, version)))


def test_a_wrapping_of_version_2_is_no_integrity_key_in_a_file_of_version_1() -> None:
    """Its content is known to whoever knows the root, and so would be the key that signs a forged file."""

    def forge(body: dict[str, Any]) -> None:
        body["integrity"]["key"] = CONTENTS[VERSION].roots[RootId("support", DAY_MS, 0)].wrapped.hex()
        body["roots"] = []

    body = orjson.loads(GOOD_OF[OLD_VERSION])
    forge(body)
    known = KEK.unwrap(bytes.fromhex(body["integrity"]["key"]))
    assert known is not None
    body["integrity"]["mac"] = document._mac(known, _without_integrity(body)).hex()
    assert "wrapped for another place" in str(_refusal(orjson.dumps(body)))


@both_versions
def test_an_integrity_key_of_another_length_is_refused(version: int) -> None:
    body = orjson.loads(GOOD_OF[version])
    body["integrity"]["key"] = KEK.wrap(bytes(16)).hex()
    body["integrity"]["mac"] = document._mac(bytes(16), _without_integrity(body)).hex()
    assert "integrity key" in str(_refusal(orjson.dumps(body)))


def test_an_integrity_key_of_another_deployment_is_refused() -> None:
    def move(body: dict[str, Any]) -> None:
        body["deployment"] = bytes(16).hex()

    assert "wrapped for another place" in str(_refusal(_signed(move)))


@pytest.mark.parametrize(
    "moved_to",
    [
        RootId("support", DAY_MS, 0),
        RootId("security-enforcement", DAY_MS, 7 * DAY_MS),
        RootId("security-enforcement", 7 * DAY_MS, 0),
        RootId("security-enforcement", DAY_MS, 0, 2),
    ],
    ids=["purpose", "epoch", "rotation", "incarnation"],
)
def test_a_wrapping_opens_in_its_own_place_only_even_for_whoever_signs_the_file(moved_to: RootId) -> None:
    home = RootId("security-enforcement", DAY_MS, 0)
    moved = replace(WRAPPED, roots={moved_to: WRAPPED.roots[home]})
    parsed = document.parse(document.dump(moved, KEK), KEK, PATH)
    with pytest.raises(Trouble) as caught:
        parsed.unwrap(moved_to, KEK)
    assert caught.value.exit_code is Exit.REFUSED
    assert str(caught.value) == f"the keyring's root for {moved_to} was wrapped for another place"
    assert ROOTS[home].hex() not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("other", ["deployment", "derivation", "version"])
def test_a_wrapping_opens_in_its_own_deployment_derivation_and_version_only(other: str) -> None:
    home = RootId("support", DAY_MS, 0)
    root = WRAPPED.roots[home]
    moved = {
        "deployment": replace(WRAPPED, deployment=bytes(16)),
        "derivation": replace(WRAPPED, roots={home: replace(root, derivation=LABELS_ALONE)}),
        "version": Contents(OLD_VERSION, roots={home: root}),
    }[other]
    with pytest.raises(Trouble, match="does not unwrap" if other == "version" else "wrapped for another place"):
        moved.unwrap(home, KEK)
    old = Contents(VERSION, WRAPPED.deployment, WRAPPED.purposes, CONTENTS[OLD_VERSION].roots)
    with pytest.raises(Trouble, match="does not unwrap"):
        old.unwrap(home, KEK)


def test_a_wrong_key_encryption_key_is_told_as_such() -> None:
    trouble = _refusal(GOOD, LocalKeyEncryption(bytes(32)))
    assert "another key-encryption key" in str(trouble)
    assert "PIPELINES_KEK_FILE" in trouble.hint


@pytest.mark.parametrize("version", [0, 3, True, "1", 1.0, None, 2**70])
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


@both_versions
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
def test_another_outline_is_refused(change: Callable[[dict[str, Any]], None], version: int) -> None:
    _refusal(_unsigned(change, version))


@both_versions
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
def test_wrong_types_are_refused_though_the_code_is_right(
    change: Callable[[dict[str, Any]], None], version: int
) -> None:
    assert "root" in str(_refusal(_signed(change, version)))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body["roots"][0].update(incarnation=0), id="incarnation 0"),
        pytest.param(lambda body: body["roots"][0].update(incarnation=True), id="incarnation true"),
        pytest.param(lambda body: body["roots"][0].update(incarnation=2**63), id="incarnation too large"),
        pytest.param(lambda body: body["roots"][0].update(generation=2), id="another generation"),
        pytest.param(lambda body: body["roots"][0].update(generation=True), id="generation true"),
        pytest.param(lambda body: body["roots"][0].update(derivation=3), id="an unknown derivation"),
        pytest.param(lambda body: body["roots"][0].update(derivation=True), id="derivation true"),
        pytest.param(lambda body: body["roots"][0].pop("derivation"), id="no derivation"),
        pytest.param(lambda body: body["roots"][0].update(epoch_start_ms=2**63, rotate_ms=1), id="epoch too late"),
        pytest.param(lambda body: body.update(purposes={}), id="purposes an object"),
        pytest.param(lambda body: body["purposes"].append(None), id="a purpose null"),
        pytest.param(lambda body: body["purposes"].append(body["purposes"][0]), id="a purpose twice"),
        pytest.param(lambda body: body["purposes"][0].update(incarnation=0), id="a purpose's incarnation 0"),
        pytest.param(lambda body: body["purposes"][0].update(in_contract=1), id="in_contract a number"),
        pytest.param(lambda body: body["purposes"][0].update(purpose=""), id="a purpose without a name"),
        pytest.param(lambda body: body["purposes"][0].update(more=1), id="a purpose says more"),
        pytest.param(lambda body: body.update(deployment="00"), id="deployment too short"),
        pytest.param(lambda body: body.update(deployment=None), id="deployment null"),
        pytest.param(lambda body: body.update(deployment="zz" * 16), id="deployment not hexadecimal"),
        pytest.param(lambda body: body.update(tombstones=[{}]), id="a tombstone"),
        pytest.param(lambda body: body.update(tombstones={}), id="tombstones an object"),
    ],
)
def test_wrong_types_in_what_version_2_adds_are_refused(change: Callable[[dict[str, Any]], None]) -> None:
    _refusal(_signed(change))


def test_a_keyring_with_destroyed_roots_names_the_release_that_reads_it() -> None:
    trouble = _refusal(_signed(lambda body: body.update(tombstones=[{"purpose": "support"}])))
    assert "a newer one" in trouble.hint


@both_versions
def test_the_signing_in_these_tests_is_right(version: int) -> None:
    assert document.parse(_signed(lambda _: None, version), KEK, PATH) == CONTENTS[version]


def test_too_many_roots_are_refused() -> None:
    def many(body: dict[str, Any]) -> None:
        body["roots"] = [None] * (document.MOST_ROOTS + 1)

    assert "too many" in str(_refusal(_signed(many)))


def test_the_largest_keyring_fits_the_largest_file() -> None:
    root = RootId("p" * 200, 400 * DAY_MS, -(2**53) // (400 * DAY_MS) * (400 * DAY_MS))
    most = replace(Contents.new(), roots={root: WrappedRoot(bytes(128))})
    entry = len(document.dump(most, KEK)) - len(document.dump(replace(most, roots={}), KEK))
    assert document.MOST_ROOTS * entry < document.MOST_BYTES
