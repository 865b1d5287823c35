"""Purposes, keyrings in a temporary folder, and the checks that both the tests and the mutants run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.contract.findings import Position
from pipelines.contract.model import DAY_MS, Answers, Purpose
from pipelines.keys import Keyring, LocalKeyEncryption, SubkeySource, event_block, extend

NOW_MS = 1_793_000_000_000
KEK = bytes(range(32))

MakePurpose = Callable[..., Purpose]
Check = Callable[[SubkeySource], None]


def _purpose(name: str = "security-enforcement", rotate_ms: int = DAY_MS) -> Purpose:
    return Purpose(
        name=name,
        description="",
        objective="security",
        iri="dpv:EnforceSecurity",
        legal_basis="dpv:LegitimateInterest",
        answers=Answers("", "", "", "", "", ""),
        handle="device",
        rotate_ms=rotate_ms,
        max_bits=24,
        review=None,
        position=Position("policies/purposes.yaml"),
    )


@pytest.fixture(scope="session")
def make_purpose() -> MakePurpose:
    return _purpose


@pytest.fixture
def kek() -> LocalKeyEncryption:
    return LocalKeyEncryption(KEK)


@pytest.fixture
def keyring_path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


@pytest.fixture
def keyring(keyring_path: Path, kek: LocalKeyEncryption) -> Keyring:
    """Roots of two purposes for three days around NOW_MS."""
    purposes = [_purpose("security-enforcement"), _purpose("support")]
    extend(keyring_path, kek, purposes, first_ms=NOW_MS - DAY_MS, last_ms=NOW_MS + DAY_MS)
    return Keyring.open(keyring_path, kek)


def _check_roots_are_apart(source: SubkeySource) -> None:
    """Fails unless purposes and epochs share neither handles nor event ids, for one identifier and one record."""
    identifier, block = b"SYNTHETIC-device-0001", event_block(b"\0" * 4, 3, 14)
    handles, event_ids = set(), set()
    places = [(name, day) for name in ("security-enforcement", "support") for day in (-1, 0, 1)]
    for name, day in places:
        subkeys = source.subkeys_at(_purpose(name), NOW_MS + day * DAY_MS)
        handles.add(subkeys.handle_maker("device")(identifier))
        event_ids.add(subkeys.event_ids(block))
    assert len(handles) == len(places)
    assert len(event_ids) == len(places)


@pytest.fixture(scope="session")
def check_roots_are_apart() -> Check:
    return _check_roots_are_apart


@pytest.fixture(scope="session")
def now_ms() -> int:
    return NOW_MS
