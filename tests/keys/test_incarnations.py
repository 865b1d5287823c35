"""A purpose that was removed from the contract and comes back has other roots, so that nothing links its two lives."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.contract.model import DAY_MS, Purpose
from pipelines.keys import Keyring, LocalKeyEncryption, RootId, Subkeys, extend
from pipelines.trouble import Exit, Trouble

MakePurpose = Callable[..., Purpose]
Init = Callable[..., None]


@pytest.fixture
def init(keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose) -> Init:
    """Makes roots for days 0 to 9 as `keys init` does, for a contract with these purposes."""

    def run(*names: str) -> None:
        extend(keyring_path, kek, map(make_purpose, names), first_ms=0, last_ms=9 * DAY_MS)

    return run


def _handle(subkeys: Subkeys) -> bytes:
    return subkeys.handle_maker("device")(b"SYNTHETIC-device-0001")


def test_a_purpose_that_comes_back_within_an_epoch_has_other_handles_and_event_ids(
    init: Init, keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    purpose, other = make_purpose("support"), make_purpose("audit")
    init("support", "audit")
    before = Keyring.open(keyring_path, kek)
    lives = [before.subkeys_at(purpose, 0)]
    for _ in range(2):
        init("audit")
        init("support", "audit")
        lives.append(Keyring.open(keyring_path, kek).subkeys_at(purpose, 0))
    assert len({_handle(each) for each in lives}) == 3
    assert len({each.event_ids(bytes(16)) for each in lives}) == 3
    after = Keyring.open(keyring_path, kek)
    after.verify()
    assert _handle(after.subkeys_at(other, 0)) == _handle(before.subkeys_at(other, 0))
    assert RootId("support", DAY_MS, 0, 3) in after.roots
    assert after.root_count(purpose) == 10
    assert len(after.roots) == 40


def test_extend_says_which_purposes_went_away_and_came_back(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    changes = []
    for names in (["support", "audit"], ["audit"], ["audit"], ["support", "audit"], ["support", "audit"]):
        done = extend(keyring_path, kek, map(make_purpose, names), first_ms=0, last_ms=0)
        changes.append((len(done.made), done.away, done.returned))
    assert changes == [(2, (), ()), (0, ("support",), ()), (0, (), ()), (1, (), ("support",)), (0, (), ())]


def test_a_process_does_not_begin_with_a_purpose_that_was_away_before_its_next_incarnation_is_made(
    init: Init, keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    init("support", "audit")
    init("audit")
    keyring = Keyring.open(keyring_path, kek)
    with pytest.raises(Trouble, match="the contract did not have this purpose when `keys init` last ran") as trouble:
        keyring.subkeys_at(make_purpose("support"), 0)
    assert trouble.value.exit_code is Exit.UNAVAILABLE
    assert "keys init" in trouble.value.hint
    assert keyring.runway_ms(make_purpose("support"), 0) == 0
    assert keyring.runway_ms(make_purpose("audit"), 0) == 10 * DAY_MS


def test_a_process_that_uses_a_purpose_goes_on_while_the_contract_no_longer_has_it(
    init: Init, keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    purpose = make_purpose("support")
    init("support", "audit")
    keyring = Keyring.open(keyring_path, kek)
    before = _handle(keyring.subkeys_at(purpose, 0))
    init("audit")
    keyring.read()
    assert _handle(keyring.subkeys_at(purpose, 0)) == before
    assert keyring.subkeys_at(purpose, DAY_MS).epoch_start_ms == DAY_MS
    assert keyring.runway_ms(purpose, 0) == 10 * DAY_MS
    init("support", "audit")
    keyring.read()
    assert _handle(keyring.subkeys_at(purpose, 0)) == _handle(Keyring.open(keyring_path, kek).subkeys_at(purpose, 0))
    assert _handle(keyring.subkeys_at(purpose, 0)) != before


def test_a_replay_knows_the_event_ids_of_the_earlier_incarnation(
    init: Init, keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    purpose = make_purpose("support")
    init("support", "audit")
    before = Keyring.open(keyring_path, kek).subkeys_at(purpose, DAY_MS)
    init("audit")
    init("support", "audit")
    keyring = Keyring.open(keyring_path, kek)
    former = keyring.former_subkeys(purpose, DAY_MS, 2 * DAY_MS - 1)
    assert [each.event_ids(bytes(16)) for each in former] == [before.event_ids(bytes(16))]
