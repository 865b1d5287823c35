"""The place of a root in a keyring as bytes: what its wrapping is bound to, and what its keys are derived for.

    place    = deployment, purpose, incarnation, rotation, start of the epoch, generation; one `field` after the other
    field(x) = u32be length ‖ x          (text in UTF-8; a number as 8 bytes, two's complement, big endian)
    binding  = SHA-256(field(label) ‖ place)

Every field has its length before it, so two different places never have the same bytes.
Each use has a label of its own.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from pipelines.keys.epochs import RootId

GENERATION: Final = 1
"""A root that is made anew after its epoch was destroyed will have a higher one. This release knows only 1."""

BINDING_BYTES: Final = 32

_INTEGRITY: Final = b"telemetry-pipelines/keyring-2/integrity"
_MARK: Final = b"telemetry-pipelines/keyring-2/mark"
_MARK_DIGITS: Final = 16
_ROOT: Final = b"telemetry-pipelines/keyring-2/root/derivation-%d"
_NUMBER_BYTES: Final = 8


def field(content: bytes) -> bytes:
    """Return the content with its length before it."""
    return len(content).to_bytes(4, "big") + content


def place_of(deployment: bytes, root_id: RootId) -> bytes:
    """Return the bytes that name a root's place and no other place in any keyring."""
    numbers = root_id.incarnation, root_id.rotate_ms, root_id.epoch_start_ms, GENERATION
    encoded = (number.to_bytes(_NUMBER_BYTES, "big", signed=True) for number in numbers)
    return b"".join(map(field, (deployment, root_id.purpose.encode(), *encoded)))


def root_binding(deployment: bytes, root_id: RootId, derivation: int) -> bytes:
    """Return what stands beside a root in its wrapping; it also fixes how keys are derived from the root."""
    return sha256(field(_ROOT % derivation) + place_of(deployment, root_id)).digest()


def deployment_mark(deployment: bytes) -> str:
    """Return what a deployment's keyring is known by in public: 16 hexadecimal digits, which say nothing of a key."""
    return sha256(field(_MARK) + field(deployment)).hexdigest()[:_MARK_DIGITS]


def integrity_binding(deployment: bytes) -> bytes:
    """Return what stands beside the integrity key in its wrapping, so that no root can be used in its place."""
    return sha256(field(_INTEGRITY) + field(deployment)).digest()
