"""Migrating a keyring from version 1 to version 2: once, by a person, while no worker runs."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from pipelines.keys import document, secretfile
from pipelines.keys.contents import LABELS_ALONE, OLD_VERSION, VERSION, Contents, PurposeState
from pipelines.keys.encryption import KeyEncryption
from pipelines.keys.epochs import RootId
from pipelines.keys.keyring import WHAT, absent, write_contents
from pipelines.keys.locking import LOCK_SECONDS, used_by_nobody, written_alone
from pipelines.keys.subkeys import ROOT_BYTES
from pipelines.trouble import Exit, Trouble

CLOCK_MARGIN_MS: Final = 5 * 60_000
"""An epoch that begins within this time counts as begun: a broker whose clock is ahead may have handles in it."""
_BACKUP: Final = "keyring's backup"


@dataclass(frozen=True, slots=True)
class Migration:
    """What `migrate` did: the roots that stayed and those made anew, and the backup. No backup: it had been done."""

    kept: tuple[RootId, ...] = ()
    made: tuple[RootId, ...] = ()
    backup: Path | None = None


def migrate(
    path: Path,
    kek: KeyEncryption,
    *,
    now_ms: int,
    check: Callable[[], None] = lambda: None,
    lock_s: float = LOCK_SECONDS,
) -> Migration:
    """Write a keyring of version 1 as version 2. Roots of epochs that have begun stay, and so do their handles.

    Roots of later epochs are made anew: nothing was made with the old ones, and one that leaked is worth nothing then.
    The old file is kept beside the new one. Interrupted at any moment, the keyring is whole in one of the two versions,
    and the migration may be repeated; a keyring of version 2 stays as it is.

    Args:
        path: the keyring file.
        kek: opens it, and wraps what is written.
        now_ms: the present (ms since 1970).
        check: called before anything is written, while no process of this machine can begin to use the keyring; raises
            Trouble if workers run elsewhere.
        lock_s: so long the keyring's lock is waited for (seconds).

    Raises:
        Trouble: 3 if there is no keyring, another process holds its lock, or the file cannot be written; 4 if a process
            uses it, the keyring cannot be used or has one key in two places, or another file is where its backup
            belongs. The keyring is left as it is.
    """
    if not path.exists():  # or the lock would make its folder
        raise absent(path)
    with used_by_nobody(path), written_alone(path, lock_s):
        content = secretfile.read(path, what=WHAT, most_bytes=document.MOST_BYTES)
        if content is None:
            raise absent(path)
        old = document.parse(content, kek, path)
        if old.version != OLD_VERSION:
            return Migration()
        check()
        roots = {root_id: old.unwrap(root_id, kek) for root_id in old.roots}
        _refuse_repeated(path, roots, document.integrity_key(content, kek, path))
        begun_ms = now_ms + CLOCK_MARGIN_MS
        kept = tuple(root_id for root_id in sorted(roots) if root_id.epoch_start_ms <= begun_ms)
        made = tuple(root_id for root_id in sorted(roots) if root_id.epoch_start_ms > begun_ms)
        new = Contents(
            VERSION, Contents.new().deployment, purposes={root_id.purpose: PurposeState() for root_id in roots}
        )
        wrapped = {root_id: new.wrap(root_id, roots[root_id], kek, LABELS_ALONE) for root_id in kept}
        wrapped |= {root_id: new.wrap(root_id, secrets.token_bytes(ROOT_BYTES), kek) for root_id in made}
        # Named after the content: a repetition finds the same file, and no backup takes another's place.
        backup = path.with_name(f"{path.name}.version-{OLD_VERSION}-{sha256(content).hexdigest()[:8]}")
        _back_up(backup, content)
        write_contents(path, kek, Contents(VERSION, new.deployment, new.purposes, wrapped))
    return Migration(kept, made, backup)


def _back_up(path: Path, content: bytes) -> None:
    """Write the backup, or find it whole from a migration that was interrupted."""
    if secretfile.create(path, content, what=_BACKUP):
        return
    there = secretfile.read(path, what=_BACKUP, most_bytes=document.MOST_BYTES)
    if there is None or not hmac.compare_digest(there, content):
        raise Trouble(
            f"{path}, the place of the keyring's backup, does not hold the keyring of version {OLD_VERSION}",
            hint="Find out who wrote that file, move it away, then run `pipelines keys migrate` again.",
            exit_code=Exit.REFUSED,
        )


def _refuse_repeated(path: Path, roots: dict[RootId, bytes], integrity_key: bytes) -> None:
    """Refuse one key in two places, also where a key service wraps the same key differently each time."""
    places = {integrity_key: "the integrity key"}
    for root_id, root in roots.items():
        first = places.setdefault(root, str(root_id))
        if first != str(root_id):
            raise Trouble(
                f"the keyring at {path} has one key in two places: {first}; and {root_id}",
                hint="It was forged or damaged: restore it from a backup that you trust.",
                exit_code=Exit.REFUSED,
            )
