import os
import stat
from pathlib import Path

import pytest

from pipelines.keys import secretfile
from pipelines.trouble import Exit, Trouble

SECRET = b"SYNTHETIC-secret-content"


def _read(path: Path) -> bytes | None:
    return secretfile.read(path, what="keyring", most_bytes=100)


def _put(path: Path, content: bytes = SECRET, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_what_is_written_is_read_back_and_only_the_owner_may(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "secret"
    secretfile.replace(path, SECRET, what="keyring")
    assert _read(path) == SECRET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_generous_umask_does_not_open_a_secret_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        secretfile.replace(tmp_path / "secret", SECRET, what="keyring")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_no_file_is_none_and_no_trouble(tmp_path: Path) -> None:
    assert _read(tmp_path / "absent") is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o610, 0o777])
def test_a_file_that_others_may_touch_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    path = _put(tmp_path / "it is open", mode=mode)
    with pytest.raises(Trouble) as trouble:
        _read(path)
    assert trouble.value.exit_code is Exit.REFUSED
    assert f"chmod 600 '{path}'" in trouble.value.hint


def test_a_link_is_refused_even_to_a_good_file(tmp_path: Path) -> None:
    _put(tmp_path / "target")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(Trouble, match="symbolic link") as trouble:
        _read(tmp_path / "link")
    assert trouble.value.exit_code is Exit.REFUSED


def test_a_folder_and_a_fifo_are_refused_and_neither_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("fifo", "folder"):
        with pytest.raises(Trouble, match="not a regular file"):
            _read(tmp_path / name)


def test_nothing_is_made_over_what_is_no_file_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert not secretfile.create(tmp_path / "fifo", SECRET, what="key")
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


def test_another_users_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, me = _put(tmp_path / "theirs", b"old"), os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(Trouble, match="belongs to another user") as trouble:
        secretfile.replace(path, SECRET, what="keyring")
    assert trouble.value.exit_code is Exit.REFUSED
    assert path.read_bytes() == b"old"


def test_another_users_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, me = _put(tmp_path / "theirs"), os.geteuid()
    tmp_path.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    _as_if_of(monkeypatch, tmp_path, 0)
    with pytest.raises(Trouble, match=f"theirs belongs to another user \\(uid {me}\\)") as trouble:
        _read(path)
    assert trouble.value.exit_code is Exit.REFUSED
    assert "chown" in trouble.value.hint


@pytest.mark.parametrize("mode", [0o770, 0o720, 0o702, 0o777, 0o775])
def test_a_file_that_others_can_replace_in_its_folder_is_refused_with_the_command_that_fixes_it(
    tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "shared folder"
    folder.mkdir()
    path = _put(folder / "secret")
    folder.chmod(mode)
    with pytest.raises(Trouble, match="others may write to the folder") as trouble:
        _read(path)
    assert trouble.value.exit_code is Exit.REFUSED
    assert f"chmod go-w '{folder}'" in trouble.value.hint
    folder.chmod(0o755)
    assert _read(path) == SECRET


def test_a_folder_whose_sticky_bit_keeps_others_from_replacing_a_file_is_accepted(tmp_path: Path) -> None:
    path = _put(tmp_path / "secret")
    tmp_path.chmod(0o1777)
    assert _read(path) == SECRET


def test_a_folder_of_another_user_is_refused_and_one_of_root_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stranger = _put(tmp_path / "secret"), os.geteuid() + 1
    _as_if_of(monkeypatch, tmp_path, stranger)
    with pytest.raises(Trouble, match=f"folder .* belongs to another user \\(uid {stranger}\\)") as trouble:
        _read(path)
    assert trouble.value.exit_code is Exit.REFUSED
    _as_if_of(monkeypatch, tmp_path, 0)
    assert _read(path) == SECRET


def _as_if_of(monkeypatch: pytest.MonkeyPatch, folder: Path, owner: int) -> None:
    """Let a folder seem to belong to a user, as only root could arrange."""
    fstat, inode = os.stat, folder.stat().st_ino

    def seen(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        fields = list(status)
        if status.st_ino == inode:
            fields[stat.ST_UID] = owner
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", seen)


def test_a_huge_file_is_refused_without_reading_all_of_it(tmp_path: Path) -> None:
    path = _put(tmp_path / "huge", b"")
    os.truncate(path, 1 << 40)
    with pytest.raises(Trouble, match="more than 100 bytes"):
        _read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_file_that_this_user_may_not_read_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="cannot be read"):
        _read(_put(tmp_path / "closed", mode=0))


def test_a_path_through_a_file_is_trouble_both_ways(tmp_path: Path) -> None:
    path = _put(tmp_path / "plain") / "below"
    with pytest.raises(Trouble, match="cannot be read"):
        _read(path)
    with pytest.raises(Trouble, match="cannot be written"):
        secretfile.replace(path, SECRET, what="keyring")


def test_creating_never_takes_the_place_of_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    assert secretfile.create(path, SECRET, what="key")
    assert not secretfile.create(path, b"another", what="key")
    assert _read(path) == SECRET


def test_nothing_temporary_stays_behind(tmp_path: Path) -> None:
    secretfile.replace(tmp_path / "secret", SECRET, what="keyring")
    secretfile.create(tmp_path / "secret", SECRET, what="keyring")
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_write_that_fails_leaves_the_old_file_whole_and_no_half_one(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _put(tmp_path / "secret")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(*{"fsync": (os, "fsync", fail), "rename": (Path, "replace", fail)}[step])
        with pytest.raises(Trouble, match="No space left") as trouble:
            secretfile.replace(path, b"new content", what="keyring")
    assert "new content" not in str(trouble.value)
    assert _read(path) == SECRET
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_the_content_is_on_disk_before_it_takes_the_files_place_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(descriptor: int) -> None:
        seen.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def watched_replace(self: Path, target: Path) -> Path:
        seen.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    secretfile.replace(tmp_path / "secret", SECRET, what="keyring")
    assert seen == ["file", "rename", "folder"]
