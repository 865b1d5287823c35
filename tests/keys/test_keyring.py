from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.contract.model import DAY_MS, HOUR_MS, Purpose
from pipelines.keys import Keyring, LocalKeyEncryption, RootId, SubkeySource, epoch_start, extend, throwaway_keyring
from pipelines.keys.contents import Contents, WrappedRoot
from pipelines.keys.keyring import read_contents, write_contents
from pipelines.trouble import Exit, Trouble

MakePurpose = Callable[..., Purpose]
Check = Callable[[SubkeySource], None]


class HandClock:
    """A clock that is moved by hand, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def test_purposes_and_epochs_of_a_keyring_have_unrelated_keys(keyring: Keyring, check_roots_are_apart: Check) -> None:
    check_roots_are_apart(keyring)


def test_purposes_and_epochs_of_a_throwaway_keyring_have_unrelated_keys(check_roots_are_apart: Check) -> None:
    check_roots_are_apart(throwaway_keyring())


def test_two_openings_of_one_file_make_the_same_handles(
    keyring: Keyring, keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, now_ms: int
) -> None:
    again = Keyring.open(keyring_path, kek)
    subkeys = [ring.subkeys_at(make_purpose(), now_ms) for ring in (keyring, again)]
    assert len({each.handle_maker("device")(b"SYNTHETIC-device-0001") for each in subkeys}) == 1
    assert len({each.event_ids(bytes(16)) for each in subkeys}) == 1


def test_all_times_of_an_epoch_give_the_same_subkeys(keyring: Keyring, make_purpose: MakePurpose, now_ms: int) -> None:
    start = epoch_start(now_ms, DAY_MS)
    subkeys = keyring.subkeys_at(make_purpose(), start)
    assert keyring.subkeys_at(make_purpose(), start + DAY_MS - 1) is subkeys
    assert keyring.subkeys_at(make_purpose(), start + DAY_MS) is not subkeys
    assert subkeys.epoch_start_ms == start


def test_a_missing_root_is_trouble_that_names_purpose_epoch_and_the_way_out(
    keyring: Keyring, make_purpose: MakePurpose
) -> None:
    with pytest.raises(Trouble) as trouble:
        keyring.subkeys_at(make_purpose("support"), 0)
    assert trouble.value.exit_code is Exit.UNAVAILABLE
    assert "'support'" in str(trouble.value)
    assert "1970-01-01T00:00:00Z" in str(trouble.value)
    assert "pipelines keys init" in trouble.value.hint


def test_a_root_of_another_rotation_does_not_stand_in(keyring: Keyring, make_purpose: MakePurpose, now_ms: int) -> None:
    with pytest.raises(Trouble, match="no root"):
        keyring.subkeys_at(make_purpose(rotate_ms=DAY_MS // 2), now_ms)


def test_a_worker_never_makes_a_root(keyring: Keyring, keyring_path: Path, make_purpose: MakePurpose) -> None:
    before = keyring_path.read_bytes()
    with pytest.raises(Trouble):
        keyring.subkeys_at(make_purpose(), 0)
    assert keyring_path.read_bytes() == before


def test_roots_made_while_a_worker_lives_are_found(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, clock: HandClock
) -> None:
    purpose = make_purpose()
    extend(keyring_path, kek, [purpose], first_ms=0, last_ms=0)
    keyring = Keyring(keyring_path, kek, clock=clock)
    keyring.read()
    extend(keyring_path, kek, [purpose], first_ms=DAY_MS, last_ms=DAY_MS)
    clock.now = 1.0
    assert keyring.subkeys_at(purpose, DAY_MS).epoch_start_ms == DAY_MS


def test_the_file_is_read_again_at_most_once_a_second(
    keyring_path: Path,
    kek: LocalKeyEncryption,
    make_purpose: MakePurpose,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=0)
    readings: list[float] = []

    def counted(path: Path, kek: LocalKeyEncryption) -> Contents | None:
        readings.append(clock.now)
        return read_contents(path, kek)

    monkeypatch.setattr("pipelines.keys.keyring.read_contents", counted)
    keyring = Keyring(keyring_path, kek, clock=clock)
    keyring.read()
    for tenth in range(1, 31):
        clock.now = tenth / 10
        with pytest.raises(Trouble):
            keyring.subkeys_at(make_purpose(), DAY_MS)
    assert readings == [0.0, 1.0, 2.0, 3.0]


def test_a_root_that_is_there_needs_no_file(
    keyring: Keyring, keyring_path: Path, make_purpose: MakePurpose, now_ms: int
) -> None:
    keyring_path.unlink()
    assert keyring.subkeys_at(make_purpose(), now_ms).purpose == make_purpose().name


def test_a_root_that_is_gone_from_the_file_makes_no_more_handles(
    keyring: Keyring, keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, now_ms: int
) -> None:
    purpose = make_purpose("support")
    kept = keyring.subkeys_at(make_purpose(), now_ms)
    keyring.subkeys_at(purpose, now_ms)
    contents = read_contents(keyring_path, kek)
    assert contents is not None
    left = {root_id: root for root_id, root in contents.roots.items() if root_id.purpose != "support"}
    write_contents(keyring_path, kek, replace(contents, roots=left))
    keyring.read()
    with pytest.raises(Trouble, match="no root"):
        keyring.subkeys_at(purpose, now_ms)
    assert keyring.subkeys_at(make_purpose(), now_ms) is kept


def test_no_keyring_is_trouble_with_a_way_out(tmp_path: Path, kek: LocalKeyEncryption) -> None:
    with pytest.raises(Trouble, match="no keyring") as trouble:
        Keyring.open(tmp_path / "absent", kek)
    assert trouble.value.exit_code is Exit.UNAVAILABLE
    assert "keys init" in trouble.value.hint


def test_a_keyring_that_others_may_read_is_refused(
    keyring: Keyring, keyring_path: Path, kek: LocalKeyEncryption
) -> None:
    keyring_path.chmod(0o640)
    with pytest.raises(Trouble, match="open to others") as trouble:
        Keyring.open(keyring_path, kek)
    assert trouble.value.exit_code is Exit.REFUSED
    with pytest.raises(Trouble, match="open to others"):
        keyring.read()


@pytest.mark.parametrize("root", [b"", bytes(24), bytes(32), bytes(56), bytes(72)])
def test_a_root_of_another_length_is_refused(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, root: bytes
) -> None:
    wrapped = kek.wrap(root) if root else b""
    extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=0)
    contents = read_contents(keyring_path, kek)
    assert contents is not None
    roots = {RootId("security-enforcement", DAY_MS, 0): WrappedRoot(wrapped)}
    write_contents(keyring_path, kek, replace(contents, roots=roots))
    keyring = Keyring.open(keyring_path, kek)
    for use in (keyring.verify, lambda: keyring.subkeys_at(make_purpose(), 0)):
        with pytest.raises(Trouble, match="does not unwrap") as trouble:
            use()
        assert trouble.value.exit_code is Exit.REFUSED


def test_a_whole_keyring_verifies(keyring: Keyring) -> None:
    keyring.verify()
    assert len(keyring.roots) == 6


def test_the_runway_ends_where_the_first_epoch_without_a_root_begins(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    purpose = make_purpose()
    for first, last in ((0, 2), (4, 9)):
        extend(keyring_path, kek, [purpose], first_ms=first * DAY_MS, last_ms=last * DAY_MS)
    keyring = Keyring.open(keyring_path, kek)
    assert keyring.runway_ms(purpose, 0) == 3 * DAY_MS
    assert keyring.runway_ms(purpose, 3 * DAY_MS - 1) == 1
    assert keyring.runway_ms(purpose, 3 * DAY_MS) == 0
    assert keyring.runway_ms(purpose, 4 * DAY_MS + HOUR_MS) == 6 * DAY_MS - HOUR_MS
    assert keyring.runway_ms(make_purpose("support"), 0) == 0


def test_the_runway_shows_what_was_made_meanwhile_and_survives_a_bad_file(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, clock: HandClock
) -> None:
    purpose = make_purpose()
    extend(keyring_path, kek, [purpose], first_ms=0, last_ms=0)
    keyring = Keyring(keyring_path, kek, clock=clock)
    keyring.read()
    extend(keyring_path, kek, [purpose], first_ms=DAY_MS, last_ms=DAY_MS)
    clock.now = 1.0
    assert keyring.runway_ms(purpose, 0) == 2 * DAY_MS
    keyring_path.write_bytes(b"damaged")
    clock.now = 2.0
    assert keyring.runway_ms(purpose, 0) == 2 * DAY_MS
