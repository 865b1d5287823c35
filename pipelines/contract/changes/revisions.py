"""Revisions: a contract as git has it. Runs the git command line to read, never to write; works without git, saying so.

Contents are taken blob by blob: `git archive` would follow attributes that leave files out, and a work tree would need
a place in the repository. Symbolic links are left out, as everywhere in a contract.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pipelines.contract.loading import load
from pipelines.contract.model import Contract
from pipelines.contract.received import recipe_of
from pipelines.trouble import Exit, Trouble

FILES: Final = ("schemas", "policies", "topics.yaml", "overlays")
MOST_COMMITS: Final = 100
_REGULAR: Final = (b"100644", b"100755")
_WAIT_S: Final = 120


class NoGit(Exception):  # noqa: N818 - expected: it is told as a sentence, or becomes trouble
    """Why git cannot say: it is not installed, the folder is in no repository, or there is no commit."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A commit whose contract has the digest that was signed."""

    commit: str
    day: date
    contract: Contract


def signed_states(root: Path, covers: Mapping[str, str], *, as_of: date) -> tuple[dict[str, Signed], str]:
    """A commit for each purpose in which it received what its digest says.

    Args:
        root: the contract's folder, in a repository or not.
        covers: purpose -> the digest that was signed.
        as_of: the day to load contracts for.

    Returns:
        The commits that were found, and why there are no more.
    """
    found: dict[str, Signed] = {}
    try:
        commits = _commits(root, covers.values())
        for tried, (commit, day) in enumerate(commits.items()):
            if found.keys() == covers.keys() or tried == MOST_COMMITS:
                break
            with _written(root, commit) as folder:
                contract = load(folder, as_of=as_of).contract
            for purpose in () if contract is None else covers.keys() & contract.purposes.keys() - found.keys():
                if contract is not None and recipe_of(contract, purpose, covers[purpose]) is not None:
                    found[purpose] = Signed(commit, day, contract)
    except NoGit as why:
        return found, str(why)
    return found, f"none of {min(len(commits), MOST_COMMITS)} commits that touched the contract holds it"


def _commits(root: Path, digests: Iterable[str]) -> dict[str, date]:
    """The commits that touched the contract: the two newest, then those that brought a digest, then the others."""
    newest_first = _log(root, FILES)
    brought = [pair for digest in digests if digest for pair in _log(root, ("policies/purposes.yaml",), f"-S{digest}")]
    return dict([*newest_first[:2], *brought, *newest_first[2:]])


def _log(root: Path, files: Sequence[str], *more: str) -> list[tuple[str, date]]:
    lines = _git(root, "log", f"--max-count={MOST_COMMITS}", "--format=%H %cs", *more, "--", *files).decode()
    return [(line.partition(" ")[0], date.fromisoformat(line.partition(" ")[2])) for line in lines.splitlines()]


@contextmanager
def checked_out(root: Path, revision: str) -> Iterator[Path]:
    """The contract's files of a revision, in a temporary folder.

    Raises:
        Trouble: there is no such revision, or git cannot say.
    """
    hint = "Name a folder, or a revision of the repository that holds the contract (`git log --oneline`)."
    try:
        asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        commit = _git(root, *asked).decode().strip()
        with _written(root, commit) as folder:
            yield folder
    except NoGit as why:
        what = f"{revision!r} is no folder with a contract, and no revision can be looked up: {why}"
        raise Trouble(what, hint=hint, exit_code=Exit.USAGE) from None
    except subprocess.CalledProcessError:
        what = f"{revision!r} is neither a folder nor a revision of the repository"
        raise Trouble(what, hint=hint, exit_code=Exit.USAGE) from None


@contextmanager
def _written(root: Path, commit: str) -> Iterator[Path]:
    with TemporaryDirectory(prefix="pipelines-revision-") as name:
        folder = Path(name)
        listed = _git(root, "ls-tree", "-r", "-z", commit, "--", *FILES).split(b"\0")
        for entry in filter(None, listed):
            facts, _, path = entry.partition(b"\t")
            mode, _, blob = facts.split(b" ")
            relative = Path(os.fsdecode(path))
            if mode in _REGULAR and not relative.is_absolute() and ".." not in relative.parts:
                (folder / relative).parent.mkdir(parents=True, exist_ok=True)
                (folder / relative).write_bytes(_git(root, "cat-file", "blob", blob.decode()))
        yield folder


def _git(root: Path, *words: str) -> bytes:
    program = shutil.which("git")
    if program is None:
        raise NoGit("git is not installed")
    command: Sequence[str] = (program, "--no-pager", "--no-optional-locks", "-C", str(root), *words)
    done = subprocess.run(  # noqa: S603 - no shell; words are ours, or follow --end-of-options
        command, capture_output=True, check=False, timeout=_WAIT_S, stdin=subprocess.DEVNULL, env=_environment()
    )
    if done.returncode and done.stderr:
        raise NoGit(f"git says '{done.stderr.decode(errors='replace').splitlines()[0]}'")
    done.check_returncode()  # without a word: `rev-parse --quiet` found nothing
    return done.stdout


def _environment() -> dict[str, str]:
    """This process's, without what would lead git to another repository than the folder's, and in English."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")}, "LC_ALL": "C"}
