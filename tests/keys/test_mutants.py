"""Faults put in on purpose: each must be caught by the check that the named test runs.

`check_roots_are_apart` is what `test_purposes_and_epochs_of_a_keyring_have_unrelated_keys` runs.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from pipelines.contract.model import DAY_MS, Purpose
from pipelines.keys import Keyring, LocalKeyEncryption, RootId, Subkeys, SubkeySource, extend
from pipelines.keys import subkeys as subkeys_module

MakePurpose = Callable[..., Purpose]
Check = Callable[[SubkeySource], None]
MakeKeyring = Callable[[], Keyring]


@pytest.fixture
def fresh_keyring(keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, now_ms: int) -> MakeKeyring:
    def make() -> Keyring:
        purposes = [make_purpose("security-enforcement"), make_purpose("support")]
        extend(keyring_path, kek, purposes, first_ms=now_ms - DAY_MS, last_ms=now_ms + DAY_MS)
        return Keyring.open(keyring_path, kek)

    return make


def test_without_a_fault_the_check_passes(fresh_keyring: MakeKeyring, check_roots_are_apart: Check) -> None:
    check_roots_are_apart(fresh_keyring())


def test_one_root_made_for_two_purposes_still_gives_unrelated_keys_because_of_the_place(
    fresh_keyring: MakeKeyring, check_roots_are_apart: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.keys.making.secrets.token_bytes", bytes)
    check_roots_are_apart(fresh_keyring())


def test_one_root_made_for_two_purposes_is_caught_where_keys_are_derived_without_the_place(
    fresh_keyring: MakeKeyring, check_roots_are_apart: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.keys.making.secrets.token_bytes", bytes)
    monkeypatch.setattr(subkeys_module, "info_of", lambda use, _place: use)
    with pytest.raises(AssertionError):
        check_roots_are_apart(fresh_keyring())


def test_one_root_used_for_two_purposes_is_caught(fresh_keyring: MakeKeyring, check_roots_are_apart: Check) -> None:
    class OnePurposeForAll(Keyring):
        __slots__ = ()

        def subkeys_at(self, purpose: Purpose, timestamp_ms: int) -> Subkeys:
            return super().subkeys_at(replace(purpose, name="support"), timestamp_ms)

    sound = fresh_keyring()
    mutant = OnePurposeForAll(sound._path, sound._kek)
    mutant.read()
    with pytest.raises(AssertionError):
        check_roots_are_apart(mutant)


def test_one_root_used_for_two_epochs_is_caught(fresh_keyring: MakeKeyring, check_roots_are_apart: Check) -> None:
    class OneEpochForAll(Keyring):
        __slots__ = ()

        def subkeys_at(self, purpose: Purpose, timestamp_ms: int) -> Subkeys:
            return super().subkeys_at(purpose, min(timestamp_ms, self.roots[0].epoch_start_ms))

    sound = fresh_keyring()
    mutant = OneEpochForAll(sound._path, sound._kek)
    mutant.read()
    with pytest.raises(AssertionError):
        check_roots_are_apart(mutant)


def _check_keys_come_from_the_root(place: bytes) -> None:
    root_id = RootId("support", DAY_MS, 0)
    one, other = (Subkeys(root_id, bytes([n]) * 32, place=place) for n in (1, 2))
    assert one.handle_maker("device")(b"SYNTHETIC-device-0001") != other.handle_maker("device")(
        b"SYNTHETIC-device-0001"
    )
    assert one.event_ids(bytes(16)) != other.event_ids(bytes(16))


@pytest.mark.parametrize("place", [b"", b"a place"])
def test_handle_keys_that_do_not_come_from_the_root_are_caught(place: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    _check_keys_come_from_the_root(place)
    monkeypatch.setattr(subkeys_module, "expand", lambda _root, info: sha256(info).digest())
    with pytest.raises(AssertionError):
        _check_keys_come_from_the_root(place)
