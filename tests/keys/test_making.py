import multiprocessing
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.model import DAY_MS, HOUR_MS, Purpose
from pipelines.keys import Keyring, LocalKeyEncryption, RootId, extend, keyring, making, rewrap
from pipelines.keys.contents import WrappedRoot
from pipelines.keys.epochs import epoch_starts
from pipelines.keys.keyring import read_contents
from pipelines.trouble import Exit, Trouble
from tests.support.waiting import until

MakePurpose = Callable[..., Purpose]


def test_every_purpose_gets_a_root_for_every_epoch_of_the_span(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    purposes = [make_purpose("support"), make_purpose("audit-correlation", 7 * DAY_MS)]
    done = extend(keyring_path, kek, purposes, first_ms=-HOUR_MS, last_ms=DAY_MS)
    assert done.kept == 0
    assert done.made == (
        RootId("audit-correlation", 7 * DAY_MS, -7 * DAY_MS),
        RootId("audit-correlation", 7 * DAY_MS, 0),
        RootId("support", DAY_MS, -DAY_MS),
        RootId("support", DAY_MS, 0),
        RootId("support", DAY_MS, DAY_MS),
    )
    assert Keyring.open(keyring_path, kek).roots == done.made
    assert stat.S_IMODE(keyring_path.stat().st_mode) == 0o600


def test_doing_it_again_changes_nothing(keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose) -> None:
    first = extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=DAY_MS)
    before = keyring_path.read_bytes()
    again = extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=DAY_MS)
    assert again.made == ()
    assert again.kept == len(first.made) == 2
    assert keyring_path.read_bytes() == before


def test_a_root_that_is_there_is_kept_when_more_are_made(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=0)
    before = read_contents(keyring_path, kek)
    done = extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=2 * DAY_MS)
    after = read_contents(keyring_path, kek)
    assert done.kept == 1
    assert before is not None
    assert after is not None
    assert before.roots.items() <= after.roots.items()
    assert len(after.roots) == 3


def test_no_two_roots_are_equal(keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose) -> None:
    extend(keyring_path, kek, map(make_purpose, ("a", "b", "c")), first_ms=0, last_ms=99 * DAY_MS)
    contents = read_contents(keyring_path, kek)
    assert contents is not None
    assert len({contents.unwrap(root_id, kek) for root_id in contents.roots}) == 300


def test_no_root_stands_in_the_file_in_clear(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=9 * DAY_MS)
    content, contents = keyring_path.read_bytes(), read_contents(keyring_path, kek)
    assert contents is not None
    for root_id in contents.roots:
        assert contents.unwrap(root_id, kek).hex().encode() not in content


def test_a_contract_without_purposes_still_gets_a_keyring(keyring_path: Path, kek: LocalKeyEncryption) -> None:
    extend(keyring_path, kek, [], first_ms=0, last_ms=DAY_MS)
    assert Keyring.open(keyring_path, kek).roots == ()


@pytest.mark.parametrize("content", [b"", b"{}", b"damaged"])
def test_a_keyring_that_cannot_be_used_is_left_as_it_is(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, content: bytes
) -> None:
    keyring_path.write_bytes(content)
    keyring_path.chmod(0o600)
    with pytest.raises(Trouble):
        extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=0)
    assert keyring_path.read_bytes() == content


def test_a_keyring_under_another_key_is_left_as_it_is(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=0)
    before = keyring_path.read_bytes()
    with pytest.raises(Trouble, match="another key-encryption key"):
        extend(keyring_path, LocalKeyEncryption(bytes(32)), [make_purpose()], first_ms=0, last_ms=0)
    assert keyring_path.read_bytes() == before


def test_a_keyring_in_a_links_place_is_refused(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, tmp_path: Path
) -> None:
    keyring_path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Trouble, match="symbolic link"):
        extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=0)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("last_ms", [1_000_000 * DAY_MS, 2**63, 2**200])
def test_more_roots_than_a_keyring_holds_are_refused_before_any_is_made(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, last_ms: int
) -> None:
    with pytest.raises(Trouble, match="more than") as trouble:
        extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=last_ms)
    assert trouble.value.exit_code is Exit.USAGE
    assert not keyring_path.exists()


def test_roots_pile_up_to_what_a_keyring_holds_and_no_further(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=2 * DAY_MS, most_roots=3)
    before = keyring_path.read_bytes()
    with pytest.raises(Trouble, match="come to hold more than 3"):
        extend(keyring_path, kek, [make_purpose()], first_ms=2 * DAY_MS, last_ms=3 * DAY_MS, most_roots=3)
    assert keyring_path.read_bytes() == before


@given(st.integers(-(2**70), 2**70), st.integers(0, 2**70), st.integers(1, 2**40))
def test_the_length_of_a_span_is_counted_even_where_len_gives_up(first: int, more: int, rotate: int) -> None:
    starts = epoch_starts(first, first + more, rotate)
    assert making._count(starts) == (starts[-1] - starts[0]) // rotate + 1


def test_a_lock_that_another_process_holds_is_trouble(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    with FileLock(f"{keyring_path}.lock"), pytest.raises(Trouble, match="lock") as trouble:
        extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=0, lock_s=0)
    assert trouble.value.exit_code is Exit.UNAVAILABLE


def test_a_folder_that_cannot_be_is_trouble(tmp_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose) -> None:
    (tmp_path / "plain").write_bytes(b"")
    with pytest.raises(Trouble, match="cannot be made"):
        extend(tmp_path / "plain" / "keyring.json", kek, [make_purpose()], first_ms=0, last_ms=0)


def _extend_by_one(path: Path, purpose: Purpose, day: int) -> None:
    extend(path, LocalKeyEncryption(bytes(range(32))), [purpose], first_ms=day * DAY_MS, last_ms=day * DAY_MS)


def test_several_processes_that_extend_at_once_lose_no_root(
    keyring_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    workers = [
        multiprocessing.get_context("fork").Process(target=_extend_by_one, args=(keyring_path, make_purpose(), day))
        for day in range(6)
    ]
    for worker in workers:
        worker.start()
    until(lambda: not any(worker.is_alive() for worker in workers), "the end of every process")
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert [root.epoch_start_ms // DAY_MS for root in Keyring.open(keyring_path, kek).roots] == list(range(6))


@pytest.fixture
def another(tmp_path: Path) -> LocalKeyEncryption:
    return LocalKeyEncryption.create(tmp_path / "another-kek")


def test_a_keyring_under_another_key_has_the_same_roots_and_opens_under_that_alone(
    keyring_path: Path, kek: LocalKeyEncryption, another: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    purpose = make_purpose()
    extend(keyring_path, kek, [purpose], first_ms=0, last_ms=3 * DAY_MS)
    before = Keyring.open(keyring_path, kek)
    ids = [before.subkeys_at(purpose, day * DAY_MS).event_ids(bytes(16)) for day in range(4)]
    assert rewrap(keyring_path, kek, another) == 4
    after = Keyring.open(keyring_path, another)
    after.verify()
    assert [after.subkeys_at(purpose, day * DAY_MS).event_ids(bytes(16)) for day in range(4)] == ids
    assert stat.S_IMODE(keyring_path.stat().st_mode) == 0o600
    with pytest.raises(Trouble, match="does not open") as trouble:
        Keyring.open(keyring_path, kek)
    assert trouble.value.exit_code is Exit.REFUSED


def test_wrapping_anew_may_be_interrupted_and_repeated(
    keyring_path: Path, kek: LocalKeyEncryption, another: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=0)
    assert rewrap(keyring_path, kek, another) == 1
    before = keyring_path.read_bytes()
    assert rewrap(keyring_path, kek, another) == 0
    assert keyring_path.read_bytes() == before


def test_what_does_not_open_is_not_wrapped_anew_and_stays(
    tmp_path: Path, keyring_path: Path, kek: LocalKeyEncryption, another: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    with pytest.raises(Trouble, match="no keyring") as missing:
        rewrap(keyring_path, kek, another)
    assert missing.value.exit_code is Exit.UNAVAILABLE
    extend(keyring_path, kek, [make_purpose()], first_ms=0, last_ms=0)
    before, third = keyring_path.read_bytes(), LocalKeyEncryption.create(tmp_path / "third-kek")
    with pytest.raises(Trouble, match="does not open") as foreign:
        rewrap(keyring_path, third, another)
    assert foreign.value.exit_code is Exit.REFUSED
    contents = read_contents(keyring_path, kek)
    assert contents is not None
    foreign_roots = {root_id: WrappedRoot(third.wrap(bytes(64))) for root_id in contents.roots}
    keyring.write_contents(keyring_path, kek, replace(contents, roots=foreign_roots))
    damaged = keyring_path.read_bytes()
    with pytest.raises(Trouble, match="does not unwrap") as inside:
        rewrap(keyring_path, kek, another)
    assert inside.value.exit_code is Exit.REFUSED
    assert keyring_path.read_bytes() == damaged != before
