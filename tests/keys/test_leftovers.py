"""A writer of a key file that is killed at any moment leaves no other name of a key behind, or one that is deleted."""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pipelines.keys import LocalKeyEncryption, find_leftovers, kek_for_making, secretfile, sweep

FILES = {"secretfile.py", "leftovers.py", "atomic.py"}
WHAT = "key"


def killed_at(act: Callable[[], object], number: int) -> bool:
    """Run `act` in a process of its own that SIGKILL ends at its n-th line; False if it had fewer lines."""
    pid = os.fork()
    if pid == 0:
        lines = 0

        def trace(frame: FrameType, event: str, _arg: Any) -> Any:
            nonlocal lines
            if Path(frame.f_code.co_filename).name not in FILES:
                return None
            lines += event == "line"
            if lines == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            act()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def each_moment(tmp_path: Path, act: Callable[[Path], object]) -> list[Path]:
    """Kill `act` at each of its lines, in a folder each; it gets the path of the file to write."""
    folders: list[Path] = []
    while True:
        folder = tmp_path / str(len(folders))
        folder.mkdir(mode=0o700)
        folders.append(folder)
        if not killed_at(partial(act, folder / "kek"), len(folders)):
            break
    assert len(folders) > 20
    return folders


def test_making_a_key_that_is_killed_at_any_moment_leaves_the_key_alone_or_nothing(tmp_path: Path) -> None:
    if not _has_nameless_files(tmp_path):
        pytest.skip("this file system has no O_TMPFILE")
    for folder in each_moment(tmp_path, LocalKeyEncryption.create):
        assert names(folder) in ([], ["kek"])


def test_without_nameless_files_the_next_command_deletes_what_a_killed_one_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secretfile, "NAMELESS", 0)
    left = 0
    for folder in each_moment(tmp_path, LocalKeyEncryption.create):
        path = folder / "kek"
        found = find_leftovers(path)
        left += bool(found)
        assert sorted([*found, *([path] if path.exists() else [])]) == sorted(folder.iterdir())
        if path.exists():
            kek_for_making(kek_file=path)
        else:
            LocalKeyEncryption.create(path)
        assert names(folder) == ["kek"]
        assert path.stat().st_nlink == 1
    assert left


def test_a_replacement_that_was_killed_leaves_no_copy_after_the_next_one(tmp_path: Path) -> None:
    left = 0
    for folder in each_moment(tmp_path, lambda path: secretfile.replace(path, b"new", what=WHAT)):
        left += bool(find_leftovers(folder / "kek"))
        secretfile.replace(folder / "kek", b"newer", what=WHAT)
        assert names(folder) == ["kek"]
    assert left


def test_the_file_of_a_writer_that_lives_is_not_swept_away(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    with secretfile._temporary(path, b"content") as temporary:
        assert sweep(path) == [temporary]
    assert sweep(path) == []


def test_a_temporary_file_that_is_swept_before_its_writer_claims_it_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    opened = secretfile.open_new

    def swept_once(path: Path, *, mode: int) -> int:
        made.append(path)
        descriptor = opened(path, mode=mode)
        if len(made) == 1:
            path.unlink()
        return descriptor

    monkeypatch.setattr(secretfile, "open_new", swept_once)
    secretfile.replace(tmp_path / "kek", b"content", what=WHAT)
    assert len(made) == 2
    assert (tmp_path / "kek").read_bytes() == b"content"


def test_names_that_no_writer_gives_are_told_and_stay(tmp_path: Path) -> None:
    path, link, stranger = tmp_path / "kek", tmp_path / "my copy", tmp_path / ".kekkk.0123456789abcdef"
    secretfile.create(path, b"content", what=WHAT)
    link.hardlink_to(path)
    stranger.touch()
    (tmp_path / ".kek.0123456789abcdef").symlink_to(path)
    assert sweep(path) == [link]
    assert stranger.exists()


def test_what_is_left_of_a_key_that_was_moved_to_its_place_is_swept_with_it(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    secretfile.create(path, b"content", what=WHAT)
    for name in (".kek.new.0123456789abcdef", ".other.0123456789abcdef"):
        (tmp_path / name).hardlink_to(path)
    assert len(find_leftovers(path)) == 2
    assert sweep(path) == []


def test_a_folder_that_cannot_be_listed_says_nothing(tmp_path: Path) -> None:
    assert find_leftovers(tmp_path / "none" / "kek") == []
    assert sweep(tmp_path / "none" / "kek") == []


def _has_nameless_files(folder: Path) -> bool:
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600))
    except OSError:
        return False
    return True
