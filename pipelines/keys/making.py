"""Making roots ahead of need, and wrapping them anew: the only code that writes a keyring, run by people, not workers.

A root that exists is never made again, and never changed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.keys.contents import Contents
from pipelines.keys.document import MOST_ROOTS
from pipelines.keys.encryption import KeyEncryption
from pipelines.keys.epochs import RootId, epoch_starts
from pipelines.keys.keyring import absent, read_contents, write_contents
from pipelines.keys.leftovers import sweep
from pipelines.keys.locking import LOCK_SECONDS, provide_use_lock, written_alone
from pipelines.keys.subkeys import ROOT_BYTES
from pipelines.trouble import Exit, Trouble

if TYPE_CHECKING:
    from pipelines.contract.model import Purpose


@dataclass(frozen=True, slots=True)
class Extension:
    """What `extend` did.

    `made` are the new roots, `kept` counts the wanted ones that were there before. `away` are the purposes that the
    contract no longer has, `returned` those that it has again, each with a new incarnation; only what changed now.
    """

    made: tuple[RootId, ...]
    kept: int
    away: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()


def extend(
    path: Path,
    kek: KeyEncryption,
    purposes: Iterable[Purpose],
    *,
    first_ms: int,
    last_ms: int,
    most_roots: int = MOST_ROOTS,
    lock_s: float = LOCK_SECONDS,
) -> Extension:
    """Make the roots that are missing for every epoch of every purpose that touches [first, last].

    Args:
        path: the keyring file; it is made if there is none.
        kek: wraps the new roots and opens those that are there.
        purposes: whose roots.
        first_ms: the oldest broker time that a raw event may still have: now - raw TTL.
        last_ms: how far ahead of need to reach.
        most_roots: so many roots a keyring holds at most.
        lock_s: so long the keyring's lock is waited for (seconds).

    Raises:
        Trouble: 2 if that is more roots than a keyring holds; 3 if another process holds the lock, or the file cannot
            be written; 4 if the keyring that is there cannot be used (it is left as it is).
    """
    spans = [(purpose, epoch_starts(first_ms, last_ms, purpose.rotate_ms)) for purpose in purposes]
    if sum(_count(starts) for _, starts in spans) > most_roots:
        raise Trouble(
            f"this would take more than {most_roots} roots",
            hint="Look less far ahead, or let purposes rotate less often.",
            exit_code=Exit.USAGE,
        )
    with written_alone(path, lock_s):
        provide_use_lock(path)
        sweep(path)
        found = read_contents(path, kek)
        before = found or Contents.new()
        present = before.with_purposes(purpose.name for purpose, _ in spans)
        wanted = {
            RootId(purpose.name, purpose.rotate_ms, start, _incarnation(present, purpose.name))
            for purpose, starts in spans
            for start in starts
        }
        made = tuple(sorted(wanted.difference(present.roots)))
        if len(present.roots) + len(made) > most_roots:
            raise Trouble(
                f"the keyring at {path} would come to hold more than {most_roots} roots",
                hint="Look less far ahead.",
                exit_code=Exit.USAGE,
            )
        if made or found is None or present != before:
            new = {root_id: present.wrap(root_id, secrets.token_bytes(ROOT_BYTES), kek) for root_id in made}
            write_contents(path, kek, replace(present, roots={**present.roots, **new}))
    return Extension(made, len(wanted) - len(made), *_changes(before, present))


def _incarnation(contents: Contents, name: str) -> int:
    state = contents.state_of(name)
    assert state is not None  # noqa: S101 - the contents are as of a contract that has it
    return state.incarnation


def _changes(before: Contents, after: Contents) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The purposes that went away, and those that came back."""
    changed = {
        name: state for name, state in sorted(after.purposes.items()) if before.purposes.get(name, state) != state
    }
    return (
        tuple(name for name, state in changed.items() if not state.in_contract),
        tuple(name for name, state in changed.items() if state.in_contract),
    )


def rewrap(path: Path, old: KeyEncryption, new: KeyEncryption) -> int:
    """Wrap every root of a keyring under another key encryption; the roots, and so all handles, stay as they are.

    The file is replaced whole, once every root has been unwrapped; a keyring that is wholly under `new` already stays.

    Returns:
        How many roots were wrapped anew.

    Raises:
        Trouble: 3 if there is no keyring, another process holds the lock, or the file cannot be written; 4 if the
            keyring, or one of its roots, opens under neither (it is left as it is).
    """
    with written_alone(path):
        try:
            contents = read_contents(path, old)
        except Trouble:
            if _opens(path, new):
                return 0
            raise
        if contents is None:
            raise absent(path)
        roots = {
            root_id: contents.wrap(root_id, contents.unwrap(root_id, old), new, root.derivation)
            for root_id, root in contents.roots.items()
        }
        write_contents(path, new, replace(contents, roots=roots))
    return len(roots)


def _opens(path: Path, kek: KeyEncryption) -> bool:
    try:
        return read_contents(path, kek) is not None
    except Trouble:
        return False


def _count(starts: range) -> int:
    """The length of a range that may be too long for `len`."""
    return max(0, -((starts.start - starts.stop) // starts.step))
