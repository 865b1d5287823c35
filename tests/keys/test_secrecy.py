"""No object that holds a key shows it, and none leaves its process."""

import copy
import logging
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.contract.model import Purpose
from pipelines.keys import Keyring, LocalKeyEncryption, RootId, Subkeys, extend, throwaway_keyring
from pipelines.keys.contents import Contents
from pipelines.keys.keyring import read_contents
from pipelines.trouble import Trouble

MakePurpose = Callable[..., Purpose]
ROOT = b"SYNTHETIC-root-of-32-bytes-in-all"[:32]
IDENTIFIER = b"SYNTHETIC-device-0001"


def _holders(keyring: Keyring, kek: LocalKeyEncryption, purpose: Purpose, now_ms: int) -> list[object]:
    throwaway = throwaway_keyring()
    subkeys = Subkeys(RootId("support", 86_400_000, 0), ROOT)
    subkeys.handle_maker("device")(IDENTIFIER)
    return [
        keyring,
        keyring._cache,
        keyring.subkeys_at(purpose, now_ms),
        kek,
        throwaway,
        throwaway._cache,
        throwaway.subkeys_at(purpose, now_ms),
        subkeys,
        subkeys.handle_maker("device"),
    ]


def _contents(path: Path, kek: LocalKeyEncryption) -> Contents:
    contents = read_contents(path, kek)
    assert contents is not None
    return contents


def _roots(path: Path, kek: LocalKeyEncryption) -> list[bytes]:
    contents = _contents(path, kek)
    return [contents.unwrap(root_id, kek) for root_id in contents.roots]


def test_no_text_of_a_key_holder_shows_a_key_or_an_identifier(
    keyring: Keyring, keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, now_ms: int
) -> None:
    secrets = [ROOT, IDENTIFIER, bytes(range(32)), *_roots(keyring_path, kek)]
    for holder in _holders(keyring, kek, make_purpose(), now_ms):
        for text in (repr(holder), str(holder), f"{holder}", f"{holder!a}"):
            assert not any(secret.hex() in text or str(secret)[2:-1] in text for secret in secrets)
        assert not hasattr(holder, "__dict__") or "cache_info" in dir(holder)


def test_no_key_holder_can_be_pickled_or_copied(
    keyring: Keyring, kek: LocalKeyEncryption, make_purpose: MakePurpose, now_ms: int
) -> None:
    for holder in _holders(keyring, kek, make_purpose(), now_ms):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(holder)
        if "cache_info" not in dir(holder):
            with pytest.raises(TypeError, match="process"):
                copy.deepcopy(holder)


def test_keys_are_never_logged(
    keyring_path: Path,
    kek: LocalKeyEncryption,
    make_purpose: MakePurpose,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=0)
        keyring = Keyring.open(keyring_path, kek)
        keyring.subkeys_at(make_purpose(), 0).handle_maker("device")(IDENTIFIER)
    assert [record for record in caplog.records if record.name.startswith("pipelines")] == []
    (root,) = _roots(keyring_path, kek)
    assert root.hex() not in caplog.text
    assert capfd.readouterr() == ("", "")


def test_a_traceback_of_trouble_carries_no_content_of_the_file(keyring: Keyring, keyring_path: Path) -> None:
    content = keyring_path.read_bytes()
    keyring_path.write_bytes(content[:-20])
    with pytest.raises(Trouble) as caught:
        keyring.read()
    told = "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert not any(line.strip() in told for line in content.decode().splitlines() if "wrapped" in line)
