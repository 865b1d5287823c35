"""A keyring file that the release before version 2 wrote: it is read, extended, wrapped anew and migrated."""

import errno
import hmac
import json
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.contract.model import DAY_MS, Purpose
from pipelines.keys import (
    Keyring,
    LocalKeyEncryption,
    RootId,
    Subkeys,
    SubkeySource,
    extend,
    migrate,
    rewrap,
)
from pipelines.keys.contents import LABELS_ALONE, LABELS_AND_PLACE
from pipelines.keys.keyring import read_contents
from pipelines.trouble import Exit, Trouble
from tests.support.key_service import RemoteKeyEncryption
from tests.support.old_keyring import write_version_1

MakePurpose = Callable[..., Purpose]
HERE = Path(__file__).parent
DEVICE = b"SYNTHETIC-device-0001"
NOW_MS = 20 * DAY_MS + DAY_MS // 2
ROTATIONS = {"security-enforcement": DAY_MS, "support": 7 * DAY_MS}
FIRST_DAY, LAST_DAY = 18, 22


@pytest.fixture
def old_path(tmp_path: Path) -> Path:
    """A copy of the committed keyring of version 1: daily roots for days 18 to 22, weekly ones for days 14 to 27."""
    path = tmp_path / "keyring.json"
    shutil.copy(HERE / "keyring_version_1.json", path)
    path.chmod(0o600)
    return path


Answers = list[tuple[str, int, str, str]]


def _answers(source: SubkeySource, make_purpose: MakePurpose, days: range) -> Answers:
    """Purpose, day, handle of one device and event id of one record."""
    answers = []
    for name, rotate_ms in ROTATIONS.items():
        for day in days:
            subkeys = source.subkeys_at(make_purpose(name, rotate_ms), day * DAY_MS)
            handle, event_id = subkeys.handle_maker("device")(DEVICE), subkeys.event_ids(bytes(16))
            answers.append((name, day, handle.hex(), event_id.hex()))
    return answers


def _committed() -> Answers:
    answers = json.loads((HERE / "keyring_version_1_answers.json").read_text("ascii"))
    return [(each["purpose"], each["day"], each["handle"], each["event_id"]) for each in answers]


def test_an_old_keyring_gives_the_handles_and_event_ids_that_the_old_release_gave(
    old_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    keyring = Keyring.open(old_path, kek)
    keyring.verify()
    assert keyring.version == 1
    assert _answers(keyring, make_purpose, range(FIRST_DAY, LAST_DAY + 1)) == _committed()


def test_the_writer_of_old_keyrings_in_the_tests_is_right(
    tmp_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    root = b"SYNTHETIC-root-of-32-bytes-in-all"[:32]
    write_version_1(tmp_path / "ring", bytes(range(32)), {("purpose-é", DAY_MS, 0): root})
    made = Keyring.open(tmp_path / "ring", kek).subkeys_at(make_purpose("purpose-é"), 0)
    assert made.event_ids(bytes(16)) == Subkeys(RootId("x", DAY_MS, 0), root).event_ids(bytes(16))


def test_an_old_keyring_stays_in_version_1_until_it_is_migrated(
    old_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, tmp_path: Path
) -> None:
    purposes = [make_purpose(name, rotate_ms) for name, rotate_ms in ROTATIONS.items()]
    done = extend(old_path, kek, purposes, first_ms=FIRST_DAY * DAY_MS, last_ms=24 * DAY_MS)
    assert len(done.made) == 2
    another = LocalKeyEncryption.create(tmp_path / "another")
    assert rewrap(old_path, kek, another) == 9
    body = orjson.loads(old_path.read_bytes())
    assert body["version"] == 1
    assert body.keys() == {"format", "version", "roots", "integrity"}
    assert {tuple(sorted(root)) for root in body["roots"]} == {("epoch_start_ms", "purpose", "rotate_ms", "wrapped")}
    keyring = Keyring.open(old_path, another)
    assert _answers(keyring, make_purpose, range(FIRST_DAY, LAST_DAY + 1)) == _committed()


def test_migration_keeps_the_handles_of_begun_epochs_and_makes_later_ones_anew(
    old_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    before, old = old_path.read_bytes(), read_contents(old_path, kek)
    assert old is not None
    done = migrate(old_path, kek, now_ms=NOW_MS)
    keyring = Keyring.open(old_path, kek)
    keyring.verify()
    assert keyring.version == 2
    now = dict.fromkeys(_answers(keyring, make_purpose, range(FIRST_DAY, LAST_DAY + 1)))
    changed = [(name, day) for name, day, *rest in _committed() if (name, day, *rest) not in now]
    # The week that holds day 20 began on day 14, and the next begins on day 21.
    assert changed == [("security-enforcement", 21), ("security-enforcement", 22), ("support", 21), ("support", 22)]
    assert (len(done.kept), len(done.made)) == (4, 3)
    contents = read_contents(old_path, kek)
    assert contents is not None
    old_roots = {old.unwrap(root_id, kek) for root_id in old.roots}
    assert {contents.unwrap(root_id, kek) for root_id in done.kept} < old_roots
    assert old_roots.isdisjoint(contents.unwrap(root_id, kek) for root_id in done.made)
    assert {contents.roots[root_id].derivation for root_id in done.kept} == {LABELS_ALONE}
    assert {contents.roots[root_id].derivation for root_id in done.made} == {LABELS_AND_PLACE}
    assert done.backup is not None
    assert done.backup.read_bytes() == before
    assert done.backup.stat().st_mode & 0o777 == 0o600


def test_a_rollback_to_the_backup_gives_the_old_handles_again(
    old_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    backup = migrate(old_path, kek, now_ms=NOW_MS).backup
    assert backup is not None
    backup.replace(old_path)
    assert _answers(Keyring.open(old_path, kek), make_purpose, range(FIRST_DAY, LAST_DAY + 1)) == _committed()


def test_migrating_again_changes_nothing(old_path: Path, kek: LocalKeyEncryption) -> None:
    migrate(old_path, kek, now_ms=NOW_MS)
    before = old_path.read_bytes()
    done = migrate(old_path, kek, now_ms=NOW_MS)
    assert (done.kept, done.made, done.backup) == ((), (), None)
    assert old_path.read_bytes() == before


def test_an_epoch_that_begins_within_minutes_counts_as_begun(old_path: Path, kek: LocalKeyEncryption) -> None:
    done = migrate(old_path, kek, now_ms=21 * DAY_MS - 5 * 60_000)
    assert RootId("security-enforcement", DAY_MS, 21 * DAY_MS) in done.kept


def test_the_migrated_keyring_is_extended_wrapped_anew_and_keeps_its_handles(
    old_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose, tmp_path: Path
) -> None:
    migrate(old_path, kek, now_ms=NOW_MS)
    days = range(FIRST_DAY, LAST_DAY + 1)
    before = _answers(Keyring.open(old_path, kek), make_purpose, days)
    purposes = [make_purpose(name, rotate_ms) for name, rotate_ms in ROTATIONS.items()]
    assert len(extend(old_path, kek, purposes, first_ms=18 * DAY_MS, last_ms=24 * DAY_MS).made) == 2
    another = LocalKeyEncryption.create(tmp_path / "another")
    assert rewrap(old_path, kek, another) == 9
    keyring = Keyring.open(old_path, another)
    keyring.verify()
    assert _answers(keyring, make_purpose, days) == before


def _forge(body: dict[str, Any], wrapped: str, signed_with: bytes) -> bytes:
    """Write what somebody can who knows one root and may write the file: its wrapping in every place."""
    body = {name: value for name, value in body.items() if name != "integrity"}
    body["roots"] = [root | {"wrapped": wrapped} for root in body["roots"]]
    mac = hmac.digest(signed_with, orjson.dumps(body, option=orjson.OPT_SORT_KEYS), sha256).hex()
    return orjson.dumps(body | {"integrity": {"key": wrapped, "mac": mac}})


@pytest.mark.parametrize("known_bytes", [32, 64])
@pytest.mark.parametrize("written_as", [1, 2])
@pytest.mark.parametrize("leaked_from", [1, 2])
def test_one_leaked_root_forges_no_keyring(
    old_path: Path, kek: LocalKeyEncryption, leaked_from: int, written_as: int, known_bytes: int
) -> None:
    old = orjson.loads(old_path.read_bytes())
    migrate(old_path, kek, now_ms=NOW_MS)
    bodies = {1: old, 2: orjson.loads(old_path.read_bytes())}
    leaked = bodies[leaked_from]["roots"][0]["wrapped"]
    known = kek.unwrap(bytes.fromhex(leaked))
    assert known is not None
    old_path.write_bytes(_forge(bodies[written_as], leaked, known[:known_bytes]))
    with pytest.raises(Trouble) as trouble:
        Keyring.open(old_path, kek)
    assert trouble.value.exit_code is Exit.REFUSED


def test_a_forged_keyring_of_version_1_is_not_migrated(old_path: Path, kek: LocalKeyEncryption) -> None:
    body = orjson.loads(old_path.read_bytes())
    leaked = body["roots"][0]["wrapped"]
    old_path.write_bytes(forged := _forge(body, leaked, kek.unwrap(bytes.fromhex(leaked)) or b""))
    with pytest.raises(Trouble, match="two places: the integrity key; and purpose 'security-enforcement'"):
        migrate(old_path, kek, now_ms=NOW_MS)
    assert old_path.read_bytes() == forged


@pytest.mark.parametrize("with_integrity_key", [False, True])
def test_one_key_in_two_places_is_not_migrated_even_if_a_service_wrapped_it_differently(
    tmp_path: Path, *, with_integrity_key: bool
) -> None:
    remote, path, root = RemoteKeyEncryption(bytes(32)), tmp_path / "ring", bytes(range(32))
    places = [("support", DAY_MS, 0), ("support", DAY_MS, DAY_MS)]
    roots = dict.fromkeys(places, root) if not with_integrity_key else {places[0]: root}
    write_version_1(path, bytes(32), roots, integrity_key=root if with_integrity_key else None, wrap=remote.wrap)
    before = path.read_bytes()
    with pytest.raises(Trouble, match="one key in two places") as trouble:
        migrate(path, remote, now_ms=NOW_MS)
    assert trouble.value.exit_code is Exit.REFUSED
    assert ("the integrity key; and" in str(trouble.value)) is with_integrity_key
    assert root.hex() not in f"{trouble.value} {trouble.value.hint}"
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir() if "version-1" in each.name] == []


def test_a_root_that_does_not_unwrap_stops_the_migration_before_anything_is_written(
    tmp_path: Path, kek: LocalKeyEncryption
) -> None:
    path = tmp_path / "ring"
    write_version_1(path, bytes(range(32)), {("support", DAY_MS, 0): bytes(40)})
    before = path.read_bytes()
    with pytest.raises(Trouble, match=r"epoch of 1970-01-01T00:00:00Z .* does not unwrap"):
        migrate(path, kek, now_ms=NOW_MS)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*version-1*"))


def test_no_keyring_is_not_migrated_and_leaves_no_file(tmp_path: Path, kek: LocalKeyEncryption) -> None:
    with pytest.raises(Trouble, match="no keyring") as trouble:
        migrate(tmp_path / "absent" / "keyring.json", kek, now_ms=NOW_MS)
    assert trouble.value.exit_code is Exit.UNAVAILABLE
    assert list(tmp_path.iterdir()) == []


def _hold(path: Path, says: Connection) -> None:
    keyring = Keyring(path, LocalKeyEncryption(bytes(range(32))))
    keyring.hold()
    says.send("held")
    signal.pause()


def test_a_process_that_uses_the_keyring_stops_the_migration_until_it_is_gone(
    old_path: Path, kek: LocalKeyEncryption
) -> None:
    before = old_path.read_bytes()
    hears, says = multiprocessing.Pipe(duplex=False)
    user = multiprocessing.get_context("fork").Process(target=_hold, args=(old_path, says))
    user.start()
    try:
        assert hears.recv() == "held"
        with pytest.raises(Trouble, match="a process on this machine uses the keyring") as trouble:
            migrate(old_path, kek, now_ms=NOW_MS)
        assert trouble.value.exit_code is Exit.REFUSED
        assert old_path.read_bytes() == before
    finally:
        user.kill()
        user.join()
    assert migrate(old_path, kek, now_ms=NOW_MS).kept


def test_no_process_begins_to_use_a_keyring_while_it_is_migrated(old_path: Path, kek: LocalKeyEncryption) -> None:
    def check() -> None:
        with pytest.raises(Trouble, match="is being migrated") as trouble:
            Keyring(old_path, kek).hold()
        assert trouble.value.exit_code is Exit.UNAVAILABLE

    migrate(old_path, kek, now_ms=NOW_MS, check=check)
    Keyring(old_path, kek).hold()


def test_workers_elsewhere_stop_the_migration(old_path: Path, kek: LocalKeyEncryption) -> None:
    def check() -> None:
        raise Trouble("workers run", hint="stop them", exit_code=Exit.REFUSED)

    before = old_path.read_bytes()
    with pytest.raises(Trouble, match="workers run"):
        migrate(old_path, kek, now_ms=NOW_MS, check=check)
    assert old_path.read_bytes() == before


def test_a_read_only_folder_does_not_keep_a_worker_from_its_keys(
    old_path: Path, kek: LocalKeyEncryption, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def read_only(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if str(path).endswith(".in-use"):
            raise OSError(errno.EROFS, path)
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", read_only)
    keyring = Keyring(old_path, kek)
    keyring.hold()
    assert keyring.roots


def test_a_running_process_does_not_take_a_step_back_to_version_1(old_path: Path, kek: LocalKeyEncryption) -> None:
    backup = migrate(old_path, kek, now_ms=NOW_MS).backup
    keyring = Keyring.open(old_path, kek)
    assert backup is not None
    backup.replace(old_path)
    with pytest.raises(Trouble, match="older version") as trouble:
        keyring.read()
    assert trouble.value.exit_code is Exit.REFUSED
    assert keyring.version == 2


@pytest.mark.slow
def test_a_migration_that_is_killed_at_any_moment_leaves_a_whole_keyring_and_may_be_repeated(
    old_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    """A child is killed before the n-th call that opens, links, renames or deletes a file, for every n."""
    old = old_path.read_bytes()
    killed, versions = 0, set[int]()
    while True:
        old_path.write_bytes(old)
        for backup in old_path.parent.glob("*version-1*"):
            backup.unlink()
        child = multiprocessing.get_context("fork").Process(target=_migrate_until, args=(old_path, killed))
        child.start()
        child.join(30)
        keyring = Keyring.open(old_path, kek)
        keyring.verify()
        versions.add(keyring.version)
        assert keyring.version == 2 or old_path.read_bytes() == old
        assert set(_committed()[:3]) <= set(_answers(keyring, make_purpose, range(FIRST_DAY, LAST_DAY + 1)))
        migrate(old_path, kek, now_ms=NOW_MS)
        assert Keyring.open(old_path, kek).version == 2
        (backup,) = old_path.parent.glob("keyring.json.version-1-*")
        assert backup.read_bytes() == old
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        killed += 1
    assert killed > 10
    assert versions == {1, 2}


def _migrate_until(path: Path, calls: int) -> None:
    left = calls

    def count(event: str, _arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "fcntl.flock"}:
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    kek = LocalKeyEncryption(bytes(range(32)))
    sys.addaudithook(count)
    migrate(path, kek, now_ms=NOW_MS)
    os._exit(0)


def test_a_key_service_is_asked_once_for_a_keyring_and_once_for_each_epoch_that_is_used(
    tmp_path: Path, make_purpose: MakePurpose
) -> None:
    remote, path = RemoteKeyEncryption(bytes(32)), tmp_path / "ring"
    roots = {("support", DAY_MS, day * DAY_MS): sha256(bytes([day])).digest() for day in range(30)}
    write_version_1(path, bytes(32), roots, wrap=remote.wrap)
    for version in (1, 2):
        remote.unwraps = 0
        keyring = Keyring.open(path, remote)
        assert (keyring.version, remote.unwraps) == (version, 1)
        for hour in range(48):
            keyring.subkeys_at(make_purpose("support"), hour * 3_600_000)
        assert remote.unwraps == 3
        migrate(path, remote, now_ms=NOW_MS)


def test_a_key_service_that_is_away_stops_the_migration_with_its_own_trouble(tmp_path: Path) -> None:
    remote, path = RemoteKeyEncryption(bytes(32)), tmp_path / "ring"
    write_version_1(path, bytes(32), {("support", DAY_MS, 0): bytes(32)}, wrap=remote.wrap)
    before = path.read_bytes()
    remote.answers_left = 1
    with pytest.raises(Trouble, match="does not answer") as trouble:
        migrate(path, remote, now_ms=NOW_MS)
    assert trouble.value.exit_code is Exit.UNAVAILABLE
    assert path.read_bytes() == before


def test_a_keyring_moves_between_a_local_key_and_a_key_service(
    old_path: Path, kek: LocalKeyEncryption, make_purpose: MakePurpose
) -> None:
    migrate(old_path, kek, now_ms=NOW_MS)
    days = range(FIRST_DAY, LAST_DAY + 1)
    before, remote = _answers(Keyring.open(old_path, kek), make_purpose, days), RemoteKeyEncryption(bytes(32))
    assert rewrap(old_path, kek, remote) == 7
    assert rewrap(old_path, kek, remote) == 0
    assert _answers(Keyring.open(old_path, remote), make_purpose, days) == before
    assert rewrap(old_path, remote, kek) == 7
    assert _answers(Keyring.open(old_path, kek), make_purpose, days) == before


def _backup_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.version-1-{sha256(path.read_bytes()).hexdigest()[:8]}")


@pytest.mark.parametrize("there", ["another content", "half of it", "link", "fifo", "open to others"])
def test_migration_refuses_when_its_backup_could_not_be_written(
    there: str, old_path: Path, kek: LocalKeyEncryption, tmp_path: Path
) -> None:
    before, backup = old_path.read_bytes(), _backup_of(old_path)
    match there:
        case "link":
            (tmp_path / "copy").write_bytes(before)
            backup.symlink_to(tmp_path / "copy")
        case "fifo":
            os.mkfifo(backup, 0o600)
        case _:
            backup.write_bytes({"another content": b"SYNTHETIC", "half of it": before[:99]}.get(there, before))
            backup.chmod(0o644 if there == "open to others" else 0o600)
    with pytest.raises(Trouble, match="backup") as trouble:
        migrate(old_path, kek, now_ms=NOW_MS)
    assert trouble.value.exit_code is Exit.REFUSED
    assert trouble.value.hint
    assert old_path.read_bytes() == before
    assert read_contents(old_path, kek) is not None


def test_migration_goes_on_from_a_backup_that_an_interrupted_one_left(old_path: Path, kek: LocalKeyEncryption) -> None:
    before, backup = old_path.read_bytes(), _backup_of(old_path)
    backup.write_bytes(before)
    backup.chmod(0o600)
    assert migrate(old_path, kek, now_ms=NOW_MS).backup == backup
    assert backup.read_bytes() == before
    assert Keyring.open(old_path, kek).version == 2
