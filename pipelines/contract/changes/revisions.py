"""Revisions: a contract as git has it. Reads by `git.opened`, never writes; works without git, saying so.

Contents are taken blob by blob: `git archive` would follow attributes that leave files out, and a work tree would need
a place in the repository. Symbolic links are left out, as everywhere in a contract.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pipelines.contract.changes.git import NoGit, Repository, opened
from pipelines.contract.folder import MAX_FILES, PIPELINE_TOPICS, PURPOSES
from pipelines.contract.loading import load
from pipelines.contract.model import Contract
from pipelines.contract.pipeline_reviews import is_covered
from pipelines.contract.reading import MAX_BYTES
from pipelines.contract.report import counted
from pipelines.trouble import Exit, Trouble

FILES: Final = ("schemas", "policies", "topics.yaml", "overlays")
MOST_COMMITS: Final = 100
_REGULAR: Final = (b"100644", b"100755")


@dataclass(frozen=True, slots=True)
class Signed:
    """A commit whose contract has the digest that was signed. `day` is None if the commit's date is no date."""

    commit: str
    day: date | None
    contract: Contract


def signed_states(root: Path, covers: Mapping[str, str], *, as_of: date) -> tuple[dict[str, Signed], str]:
    """A commit for each name in which its review covered what its digest says.

    Args:
        root: the contract's folder, in a repository or not.
        covers: a purpose, or `raw`, `quarantine` or `changes` -> the digest that was signed.
        as_of: the day to load contracts for.

    Returns:
        The commits that were found, and why there are no more.
    """
    found: dict[str, Signed] = {}
    try:
        with opened(root) as repository:
            commits = _commits(repository, covers.values())
            for tried, (commit, day) in enumerate(commits.items()):
                if found.keys() == covers.keys() or tried == MOST_COMMITS:
                    break
                with _written(repository, commit) as folder:
                    contract = load(folder, as_of=as_of).contract
                for name in covers.keys() - found.keys():
                    if contract is not None and is_covered(contract, name, covers[name]):
                        found[name] = Signed(commit, day, contract)
    except NoGit as why:
        return found, str(why)
    return found, f"not in the {counted(min(len(commits), MOST_COMMITS), 'commit')} that touched the contract"


def _commits(repository: Repository, digests: Iterable[str]) -> dict[str, date | None]:
    """The commits that touched the contract: the two newest, then those that brought a digest, then the others."""
    newest_first = _log(repository, FILES)
    reviews = (PURPOSES, PIPELINE_TOPICS)
    brought = [pair for digest in digests if digest for pair in _log(repository, reviews, f"-S{digest}")]
    return dict([*newest_first[:2], *brought, *newest_first[2:]])


def _log(repository: Repository, files: Sequence[str], *more: str) -> list[tuple[str, date | None]]:
    told = ("--no-textconv", "--no-ext-diff", "--no-show-signature", "--format=%H %cs")
    paths = [repository.prefix + file for file in files]
    lines = repository.run("log", f"--max-count={MOST_COMMITS}", *told, *more, "--", *paths).decode()
    return [(line.partition(" ")[0], _day(line.partition(" ")[2])) for line in lines.splitlines()]


def _day(text: str) -> date | None:
    """Read a commit's date. A commit may have any: none, one that is no number, or one after the year 9999."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@contextmanager
def checked_out(root: Path, revision: str) -> Iterator[Path]:
    """The contract's files of a revision, in a temporary folder.

    Raises:
        Trouble: there is no such revision, or git cannot say.
    """
    hint = "Name a folder, or a revision of the repository that holds the contract (`git log --oneline`)."
    try:
        with opened(root) as repository:
            asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
            commit = repository.run(*asked).decode().strip()
            with _written(repository, commit) as folder:
                yield folder
    except NoGit as why:
        what = f"{revision!r} is not a folder with a contract, and revisions cannot be read: {why}"
        raise Trouble(what, hint=hint, exit_code=Exit.USAGE) from None
    except subprocess.CalledProcessError:
        what = f"{revision!r} is neither a folder nor a revision of the repository"
        raise Trouble(what, hint=hint, exit_code=Exit.USAGE) from None


@contextmanager
def _written(repository: Repository, commit: str) -> Iterator[Path]:
    with TemporaryDirectory(prefix="pipelines-revision-") as name:
        folder = Path(name)
        paths = [repository.prefix + file for file in FILES]
        listed = repository.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", *paths).split(b"\0")
        if len(listed) > MAX_FILES:
            raise NoGit(f"the revision has more than {MAX_FILES:,} files")
        for entry in filter(None, listed):
            facts, _, path = entry.partition(b"\t")
            mode, _, blob, size = facts.split()
            relative = Path(os.fsdecode(path.removeprefix(os.fsencode(repository.prefix))))
            if mode in _REGULAR and not relative.is_absolute() and ".." not in relative.parts:
                small = size.isdigit() and int(size) <= MAX_BYTES
                content = repository.run("cat-file", "blob", blob.decode()) if small else b""
                try:
                    (folder / relative).parent.mkdir(parents=True, exist_ok=True)
                    (folder / relative).write_bytes(content)
                    if not small:  # loading says of the file that it is too large, and needs no more of it
                        os.truncate(folder / relative, MAX_BYTES + 1)
                except OSError as error:  # no space, or a tree that holds a file and a folder of one name
                    raise NoGit(f"the files of the revision cannot be written: {error.strerror}") from None
        yield folder
