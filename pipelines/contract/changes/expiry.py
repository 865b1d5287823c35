"""Expiry of superseded schemas, held against git: a date in the index alone does not make `build` remove a schema.

Anybody who edits `superseded.json` can write an earlier date, and no record tells when its schema was replaced. The
commits that list the schema do: a schema that a commit added on a day was not superseded long before that day.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from pipelines.contract.changes.git import NoGit, Repository, opened
from pipelines.contract.model import DAY_MS, Contract
from pipelines.contract.reading import MAX_BYTES
from pipelines.contract.superseded import Superseded, read_superseded, ttl_days
from pipelines.contract.topics import MAX_TTL_MS

MOST_COMMITS: Final = 100


def doubts_in(
    root: Path, index: str, contract: Contract, day: date
) -> Callable[[Sequence[Superseded]], dict[str, str]]:
    """Return a function that says which expired schemas must be kept all the same: fingerprint → why.

    Args:
        root: the contract's folder.
        index: the path of the index in it.
        contract: names the TTLs; the longest is assumed for a topic that it lacks.
        day: the day of the build.

    The function runs git and may block for minutes; it runs nothing when it is given no schemas. It never raises for
    what git says: without an answer, each schema is kept.
    """

    def doubts(expired: Sequence[Superseded]) -> dict[str, str]:
        if not expired:
            return {}
        try:
            with opened(root) as repository:
                committed = _committed(repository, index)
                why = {one.fingerprint: _why(repository, index, one, committed, contract, day) for one in expired}
        except NoGit as no_git:
            return dict.fromkeys((one.fingerprint for one in expired), f"its date cannot be checked: {no_git}")
        except subprocess.CalledProcessError:
            return dict.fromkeys(
                (one.fingerprint for one in expired), "its date cannot be checked: git gives no answer"
            )
        return {name: reason for name, reason in why.items() if reason is not None}

    return doubts


def _why(
    repository: Repository,
    index: str,
    one: Superseded,
    committed: Sequence[Mapping[str, Superseded]],
    contract: Contract,
    day: date,
) -> str | None:
    if not committed or one.fingerprint not in committed[0]:
        return "its date cannot be checked: the newest commit of the index does not list it"
    added = _added(repository, index, one.fingerprint)
    if added is None:
        return "its date cannot be checked: no commit adds it to the index"
    listed = [version[one.fingerprint] for version in committed if one.fingerprint in version]
    superseded = max(added, *(entry.superseded for entry in listed))
    days = ttl_days(contract, one.topic)
    days = -(-MAX_TTL_MS // DAY_MS) if days is None else days
    try:
        needed = max(replace(one, superseded=superseded).needed_until(days), *(entry.until for entry in listed))
    except OverflowError:
        needed = date.max
    return None if needed < day else f"the commits of the index say that it is needed until {needed}, not {one.until}"


def _committed(repository: Repository, index: str) -> list[dict[str, Superseded]]:
    """The entries of the index in the commits that changed it, the newest first; HEAD's own first of all."""
    path = repository.prefix + index
    told = repository.run("log", "--full-history", f"--max-count={MOST_COMMITS}", "--format=%H", "--", path)
    versions = []
    for commit in ("HEAD", *told.decode().split()):
        listed = repository.run("ls-tree", "-l", "-z", "--full-tree", commit, "--", path).split(b"\0")[0]
        _, kind, blob, size, *_ = [*listed.partition(b"\t")[0].split(), b"", b"", b"", b""]
        small = kind == b"blob" and size.isdigit() and int(size) <= MAX_BYTES
        content = repository.run("cat-file", "blob", blob.decode()) if small else b"{}"
        # No schemas are given, so each entry is among the lost ones.
        versions.append({one.fingerprint: one for one in read_superseded({index: content}, index).lost})
    return versions


def _added(repository: Repository, index: str, fingerprint: str) -> date | None:
    """The day of the newest commit that added a fingerprint to the index, or of a later one that it builds on."""
    path, told = repository.prefix + index, ("--no-textconv", "--no-ext-diff", "--no-show-signature")
    found = repository.run(
        "log", "--full-history", "--max-count=1", *told, "--format=%H", f"-S{fingerprint}", "--", path
    )
    commit = found.decode().strip()
    if not commit:
        return None
    # A commit with a date before those that it builds on has a wrong one.
    times = repository.run("log", f"--max-count={MOST_COMMITS}", *told, "--format=%ct", commit, "--").decode().split()
    try:
        return max(datetime.fromtimestamp(int(one), UTC).date() for one in times)
    except (ValueError, OverflowError, OSError):  # a date that is none: nothing can be told from it
        return date.max
