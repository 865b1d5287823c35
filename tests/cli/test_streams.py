"""Standard streams and disks as they come: no encoding, full disk or folder is a fault of the program."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.cli import app
from pipelines.cli.app import main
from pipelines.trouble import Exit
from tests.support.contract_folders import BASE

CONTRACT = ["--contract", str(BASE)]
COMMANDS = {
    "help": ["--help"],
    "help of a command": ["validate", "--help"],
    "validate": ["validate", "--as-of", "2026-06-01", *CONTRACT],
    "validate --bits": ["validate", "--as-of", "2026-06-01", "--bits", *CONTRACT],
    "validate --json": ["validate", "--as-of", "2026-06-01", "--json", *CONTRACT],
    "explain": ["explain", "vpn.session", *CONTRACT],
    "review": ["review", "support", *CONTRACT],
    "review of all": ["review", *CONTRACT],
    "linkage": ["linkage", *CONTRACT],
    "diff": ["diff", str(BASE), *CONTRACT],
    "build": ["build", "--check", *CONTRACT],
    "test": ["test", *CONTRACT],
}


def ended(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command as the shell does, on the streams that sys has now; its exit code."""
    monkeypatch.setattr(sys, "argv", ["pipelines", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_terminal_that_is_not_utf8_is_written_to_in_ascii(
    name: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    assert ended(COMMANDS[name], monkeypatch) == Exit.DONE
    assert written.getvalue()
    assert "\N{RIGHTWARDS ARROW}" not in written.getvalue().decode(encoding)


def test_arrows_and_ticks_have_a_spelling_in_ascii_and_other_signs_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(app, "pipelines", lambda **_: print("a → b ✓ … ж \udcff"))  # noqa: T201 - what is tested
    assert ended([], monkeypatch) == Exit.DONE
    assert written.getvalue() == b"a -> b v ... \\u0436 \\udcff\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_closed_pipe_ends_with_a_code_of_its_own_and_without_a_word(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert ended(COMMANDS[name], monkeypatch) == Exit.CLOSED_PIPE
    assert capsys.readouterr().err == ""


def test_the_readme_has_each_exit_code_and_no_other() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert [int(code) for code in re.findall(r"^\| ([0-9]+) \| ", readme, re.MULTILINE)] == sorted(Exit)


def test_every_command_prints_to_the_one_console() -> None:
    """Rich's own class turns a closed pipe into exit 1, and folds names in pipes."""
    own = Path(__file__).parents[2] / "pipelines/cli"
    users = [path.name for path in own.glob("*.py") if re.search(r"\bConsole\(", path.read_text(encoding="utf-8"))]
    assert users == []


def test_every_command_prints_json_with_the_one_that_leaves_no_control_character() -> None:
    users = [path.name for path in Path(app.__file__).parent.glob("*.py") if "orjson.dumps" in path.read_text()]
    assert users == ["printing.py"]


@pytest.fixture
def full() -> Iterator[io.TextIOWrapper]:
    """A disk with no room, to write to."""
    stream = io.TextIOWrapper(io.FileIO("/dev/full", "w"), encoding="utf-8")
    yield stream
    stream.detach().close()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/full elsewhere")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_an_error_that_says_so(
    name: str, full: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", full)
    assert ended(COMMANDS[name], monkeypatch) == Exit.USAGE
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/full elsewhere")
def test_a_full_disk_for_errors_ends_with_the_same_code(
    full: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", full)
    assert ended(["no-such-command"], monkeypatch) == Exit.USAGE


@pytest.mark.parametrize("words", [["broker", "start"], ["broker", "stop"]])
def test_a_folder_that_cannot_be_made_is_named(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".pipelines").write_text("a file is in the way")
    monkeypatch.chdir(tmp_path)
    assert ended(words, monkeypatch) == Exit.USAGE
    said = capsys.readouterr().err
    assert ".pipelines" in said
    assert "cannot be used" in said


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE])
def test_what_the_system_refuses_is_named_with_its_place_and_without_the_errors_own_words(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(number, "canary-7f3a", "/some/place")

    monkeypatch.setattr(app, "pipelines", refuse)
    assert ended([], monkeypatch) == Exit.USAGE
    said = capsys.readouterr().err
    assert f"/some/place cannot be used: {os.strerror(number)}" in said
    assert "canary" not in said


def test_an_error_of_the_system_that_may_be_a_mistake_of_ours_stays_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.EBADF, "bad file descriptor")

    monkeypatch.setattr(app, "pipelines", refuse)
    assert ended([], monkeypatch) == Exit.FAULT


@pytest.mark.parametrize("words", [["explain", "vpn.session"], ["review"], ["linkage"], ["validate", "--bits"]])
def test_in_a_pipe_lines_are_whole_and_no_name_is_broken(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="utf-8"))
    assert ended([*words, "--contract", str(Path(__file__).parents[2])], monkeypatch) == Exit.DONE
    text = written.getvalue().decode()
    names = ["network-metadata.security-enforcement"] if words[0] == "explain" else ["security-enforcement"]
    assert all(name in text for name in names)
    assert max(map(len, text.splitlines())) > 40
