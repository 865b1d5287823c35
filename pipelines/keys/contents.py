"""What a keyring file holds: wrapped roots, and which incarnation of each purpose they belong to.

Version 1 wraps a root alone. Version 2 wraps root ‖ binding (64 bytes), so that a wrapping opens in its own place only.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from pipelines.keys import binding
from pipelines.keys.encryption import KeyEncryption
from pipelines.keys.epochs import RootId
from pipelines.keys.subkeys import ROOT_BYTES, Subkeys
from pipelines.trouble import Exit, Trouble

OLD_VERSION: Final = 1
VERSION: Final = 2
DEPLOYMENT_BYTES: Final = 16

LABELS_ALONE: Final = 1
"""The derivation of roots that were made for version 1: HKDF's info is a label. They keep it, and so their handles."""
LABELS_AND_PLACE: Final = 2
"""The derivation of roots made for version 2: HKDF's info also names the place."""


@dataclass(frozen=True, slots=True)
class WrappedRoot:
    """A wrapped root and how keys are derived from it."""

    wrapped: bytes = field(repr=False)
    derivation: int = LABELS_AND_PLACE


@dataclass(frozen=True, slots=True)
class PurposeState:
    """A purpose's present incarnation, and whether the contract had the purpose when roots were last made."""

    incarnation: int = 1
    in_contract: bool = True


@dataclass(frozen=True, slots=True)
class Contents:
    """A keyring file's content, authenticated or to be written.

    `deployment` is a random id (none in version 1). `purposes` is empty in version 1, where every purpose is in its
    first incarnation.
    """

    version: int
    deployment: bytes = b""
    purposes: Mapping[str, PurposeState] = field(default_factory=dict)
    roots: Mapping[RootId, WrappedRoot] = field(default_factory=dict)

    @classmethod
    def new(cls) -> Self:
        """Return the content of an empty keyring of a new deployment."""
        return cls(VERSION, secrets.token_bytes(DEPLOYMENT_BYTES))

    def state_of(self, purpose: str) -> PurposeState | None:
        """Return a purpose's state; None if the keyring has never heard of it."""
        return PurposeState() if self.version == OLD_VERSION else self.purposes.get(purpose)

    def with_purposes(self, names: Iterable[str]) -> Self:
        """Return this content as of a contract with these purposes.

        A purpose that was away and is back begins its next incarnation. Version 1 has no place to keep that.
        """
        if self.version == OLD_VERSION:
            return self
        wanted = set(names)
        states = {name: replace(state, in_contract=name in wanted) for name, state in self.purposes.items()}
        for name in wanted:
            before = self.purposes.get(name)
            returns = before is not None and not before.in_contract
            states[name] = PurposeState((before.incarnation if before else 1) + returns)
        return replace(self, purposes=states)

    def wrap(self, root_id: RootId, root: bytes, kek: KeyEncryption, derivation: int | None = None) -> WrappedRoot:
        """Wrap a root for its place. Roots of version 1 have the one derivation of that version."""
        if self.version == OLD_VERSION:
            return WrappedRoot(kek.wrap(root), LABELS_ALONE)
        derivation = derivation or LABELS_AND_PLACE
        return WrappedRoot(kek.wrap(root + binding.root_binding(self.deployment, root_id, derivation)), derivation)

    def unwrap(self, root_id: RootId, kek: KeyEncryption) -> bytes:
        """Return a root; one `unwrap` of the key encryption.

        Raises:
            Trouble: 4, naming purpose and epoch, if it does not unwrap or was wrapped for another place.
        """
        wrapped = self.roots[root_id]
        opened = kek.unwrap(wrapped.wrapped)
        bound = self.version != OLD_VERSION
        if opened is None or len(opened) != (ROOT_BYTES + binding.BINDING_BYTES if bound else ROOT_BYTES):
            raise _unusable(root_id, "does not unwrap")
        root, beside = opened[:ROOT_BYTES], opened[ROOT_BYTES:]
        if bound and not hmac.compare_digest(
            beside, binding.root_binding(self.deployment, root_id, wrapped.derivation)
        ):
            raise _unusable(root_id, "was wrapped for another place")
        return root

    def subkeys(self, root_id: RootId, kek: KeyEncryption) -> Subkeys:
        """Return the keys that a root gives. Trouble as in `unwrap`."""
        named = self.roots[root_id].derivation == LABELS_AND_PLACE
        place = binding.place_of(self.deployment, root_id) if named else b""
        return Subkeys(root_id, self.unwrap(root_id, kek), place=place)


def _unusable(root_id: RootId, why: str) -> Trouble:
    return Trouble(
        f"the keyring's root for {root_id} {why}",
        hint="Restore the keyring and its key-encryption key from one backup.",
        exit_code=Exit.REFUSED,
    )
