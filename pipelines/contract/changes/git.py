"""Git without the repository's own settings: reads history of a folder that somebody else wrote, and runs only git.

A repository's `config`, hooks and attributes can name programs: `core.fsmonitor`, `core.pager`, `core.hooksPath`,
`diff.*.textconv`, `diff.*.command`, `filter.*`, `gpg.program`, `credential.helper`, a remote to fetch missing objects
from. There is no option that switches all of them off, so git never sees them: `opened` makes an empty repository in a
temporary folder, with a `config` of ours, whose refs are links into the judged repository and whose objects are read
from there (GIT_OBJECT_DIRECTORY). Nothing is written to the judged repository. docs/decisions/0100 says more.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Final

from pipelines.contract.report import shown

_WAIT_S: Final = 120
_MOST_BYTES: Final = 4096  # of a file that holds one line: .git, HEAD, commondir
_MOST_ANSWER_BYTES: Final = 64 * 1024 * 1024
_MOST_FILES: Final = 1_000_000
_MOST_ALTERNATES: Final = 8
_ALTERNATES: Final = "info/alternates"
_LINKED: Final = ("refs", "packed-refs", "logs", "shallow", "reftable")
_FORMATS: Final = {"objectformat": ("sha1", "sha256"), "refstorage": ("files", "reftable")}
_OURS: Final = "[core]\n\trepositoryformatversion = {version}\n\tbare = true\n\tcommitGraph = false\n[extensions]\n"


class NoGit(Exception):  # noqa: N818 - expected: it is told as a sentence, or becomes trouble
    """Why git cannot say: it is not installed, the folder is in no repository, or there is no commit."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that is safe to read. `prefix` is where the opened folder lies in it: empty, or it ends in `/`."""

    prefix: str
    _program: str
    _environment: dict[str, str]

    def run(self, *words: str) -> bytes:
        """Run one git command and return its standard output; blocks for at most two minutes.

        Raises:
            NoGit: git failed and said why, did not end in time, or answered more than 64 MiB.
            subprocess.CalledProcessError: git failed without a word.
        """
        command = (self._program, "--no-pager", "--no-optional-locks", "--literal-pathspecs", *words)
        done = _ended(command, self._environment)
        if done.returncode and done.stderr:
            raise NoGit(f"git says {shown(done.stderr.decode(errors='replace').splitlines()[0])}")
        done.check_returncode()
        return done.stdout


def _ended(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run git in the repository of ours, and wait for its end, for two minutes and 64 MiB at most."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    with TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - no shell; words are ours, or follow --end-of-options
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd=environment["GIT_DIR"],
        )
        timer = threading.Timer(_WAIT_S, stop)
        timer.daemon = True
        timer.start()
        try:
            with process:
                # No more than this: a few kB of objects can name any number of files.
                answer = b"" if process.stdout is None else process.stdout.read(_MOST_ANSWER_BYTES + 1)
                if len(answer) > _MOST_ANSWER_BYTES:
                    process.kill()
        finally:
            timer.cancel()
        if late.is_set():
            raise NoGit(f"git did not answer within {_WAIT_S} s")
        if len(answer) > _MOST_ANSWER_BYTES:
            raise NoGit(f"git's answer has more than {_MOST_ANSWER_BYTES >> 20} MiB")
        errors.seek(0)
        return subprocess.CompletedProcess(command, process.returncode, answer, errors.read(_MOST_BYTES))


@contextmanager
def opened(folder: Path) -> Iterator[Repository]:
    """Open the repository that holds a folder, for as long as the context lasts.

    Raises:
        NoGit: git is not installed, or the folder is in no repository that can be read.
    """
    top, git_dir = _found(folder.resolve())
    program, path = _program(top)
    inside = folder.resolve().relative_to(top).as_posix()
    with TemporaryDirectory(prefix="pipelines-git-") as name:
        ours = Path(name)
        environment = _environment(ours, path)
        common = _common(git_dir)
        try:
            _refuse_special(common)
            _prepare(ours, git_dir, common, _formats(program, common / "config", environment))
        except OSError as error:
            raise NoGit(f"the repository cannot be read: {error.strerror}") from None
        environment |= {"GIT_DIR": str(ours), "GIT_OBJECT_DIRECTORY": str(common / "objects")}
        yield Repository("" if inside == "." else f"{inside}/", program, environment)


def _found(folder: Path) -> tuple[Path, Path]:
    """Return the top folder of the repository, and its git directory."""
    for top in (folder, *folder.parents):
        dot_git = top / ".git"
        if dot_git.is_dir():
            return top, dot_git
        if dot_git.is_file():  # a linked work tree or a submodule
            return top, top / _line(dot_git).removeprefix("gitdir: ")
    raise NoGit("this is not a git repository")


def _common(git_dir: Path) -> Path:
    """Return the directory with the objects and refs: another one than the git directory in a linked work tree."""
    commondir = git_dir / "commondir"
    return git_dir / _line(commondir) if commondir.is_file() else git_dir


def _line(file: Path) -> str:
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # to open a pipe would wait for its other end
            raise NoGit(f"the repository's {file.name} is not a regular file")
        with file.open("rb") as opened_file:
            return os.fsdecode(opened_file.read(_MOST_BYTES)).strip("\r\n")
    except OSError as error:
        raise NoGit(f"the repository cannot be read: {error.strerror}") from None


def _program(top: Path) -> tuple[str, str]:
    """Return git, and the PATH to run it with: absolute folders that are not in the repository."""
    entries = [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    outside = [entry for entry in entries if entry.is_absolute() and not entry.resolve().is_relative_to(top)]
    path = os.pathsep.join(map(str, outside))
    program = shutil.which("git", path=path) if outside else None
    if program is None:
        raise NoGit("git is not installed")
    return program, path


def _environment(ours: Path, path: str) -> dict[str, str]:
    """Return a whole environment: of this process's, only PATH is passed on."""
    return {
        "PATH": path,
        "HOME": str(ours),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_DIR": str(ours),
    }


def _refuse_special(common: Path) -> None:
    """Refuse a repository with a FIFO or a device among the files that git opens: git would wait for its other end.

    Raises:
        NoGit: there is such a file, or more files than anybody has, as where a link leads to its own folder.
    """
    objects, seen = [common / "objects"], 0
    for one in objects:  # grows by the alternates that are found
        if len(objects) > _MOST_ALTERNATES:
            raise NoGit(f"the repository has more than {_MOST_ALTERNATES} object directories (objects/{_ALTERNATES})")
        for file in _files(one):
            seen += 1
            _refuse_unless_regular(file, seen)
        objects += _alternates(one)
    for name in ("config", *_LINKED):
        for file in _files(common / name):
            seen += 1
            _refuse_unless_regular(file, seen)


def _refuse_unless_regular(file: Path, seen: int) -> None:
    if seen > _MOST_FILES:
        raise NoGit(f"the repository has more than {_MOST_FILES:,} files")
    try:
        regular = stat.S_ISREG(file.stat().st_mode)
    except FileNotFoundError:  # a link to nothing, or a file that git has just packed
        return
    if not regular:
        raise NoGit(f"the repository's {file.parent.name}/{file.name} is not a regular file")


def _files(top: Path) -> Iterator[Path]:
    """Yield a file, or the files below a folder; folders that are links are followed, as git does."""
    if not top.is_dir():
        yield top
    for where, _, names in os.walk(top, followlinks=True):
        for name in names:
            yield Path(where, name)


def _alternates(objects: Path) -> list[Path]:
    """Return the object directories that an object directory names; git reads from them, too."""
    file = objects / _ALTERNATES
    if not file.is_file():
        return []
    with file.open("rb") as opened_file:
        lines = opened_file.read(_MOST_BYTES + 1)
    if len(lines) > _MOST_BYTES or b'"' in lines:  # a quoted path, which git writes for line ends in a name
        raise NoGit(f"the repository's objects/{_ALTERNATES} cannot be read")
    return [objects / os.fsdecode(line) for line in lines.split(b"\n") if line and not line.startswith(b"#")]


def _formats(program: str, config: Path, environment: dict[str, str]) -> dict[str, str]:
    """Return how the repository stores objects and refs, read from its `config` as a plain file, without includes."""
    found = {}
    for name, known in _FORMATS.items():
        command = (program, "config", "--file", str(config), "--no-includes", "--get", f"extensions.{name}")
        value = _ended(command, environment).stdout.decode(errors="replace").strip().lower()
        if value in known:
            found[name] = value
        elif value:
            raise NoGit(f"the repository has an unknown format: extensions.{name}")
    return found


def _prepare(ours: Path, git_dir: Path, common: Path, formats: dict[str, str]) -> None:
    """Write an empty repository whose refs are the judged one's."""
    head = git_dir / "HEAD"
    said = f"ref: {head.readlink()}" if head.is_symlink() else _line(head)
    if not re.fullmatch(r"ref: refs/[!-~]+|[0-9a-f]{40,64}", said):
        raise NoGit("the repository's HEAD cannot be read")
    (ours / "HEAD").write_text(f"{said}\n", encoding="ascii")
    config = _OURS.format(version=1 if formats else 0)
    config += "".join(f"\t{name} = {value}\n" for name, value in formats.items())
    (ours / "config").write_text(config, encoding="ascii")
    (ours / "objects").mkdir()
    for name in _LINKED:
        there = common / name
        if there.is_dir() or there.is_file():
            (ours / name).symlink_to(there.resolve(), target_is_directory=there.is_dir())
