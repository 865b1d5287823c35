"""Key encryption: what stands between the keyring file and the roots in it.

`KeyEncryption` is the place for a vault or a KMS. The one that comes along keeps 32 random bytes in a file.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final, NoReturn, Protocol, Self

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from pipelines.keys import secretfile
from pipelines.trouble import Exit, Trouble

KEK_BYTES: Final = 32
WHAT: Final = "key-encryption key"


class KeyEncryption(Protocol):
    """Wraps secrets of 32 and 64 bytes, so that they can lie in a file; the wrapping must be authenticated.

    `unwrap` runs once when a keyring is read and once for each epoch of a purpose that is used. A service that cannot
    be reached raises Trouble with exit code 3.
    """

    def wrap(self, key: bytes) -> bytes:
        """The key, readable to none but `unwrap`."""

    def unwrap(self, wrapped: bytes) -> bytes | None:
        """The key; None if these bytes were not wrapped by this key encryption, or were changed since."""


class LocalKeyEncryption:
    """AES key wrap (RFC 3394) under a key of 256 bits that lies in a file of mode 0600."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEK_BYTES:
            raise ValueError("a key-encryption key has 32 bytes")
        self._key = key

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the key from its file.

        Raises:
            Trouble: 3 if there is none; 4 if others may read it, or it is no file of 32 bytes.
        """
        found = cls.find(path)
        if found is None:
            raise Trouble(
                f"there is no key-encryption key at {path}",
                hint="Mount or restore the file, or point --kek-file (PIPELINES_KEK_FILE) at it; "
                "in a new deployment, run `pipelines keys init`.",
            )
        return found

    @classmethod
    def find(cls, path: Path) -> Self | None:
        """Read the key from its file; None if there is no such file."""
        key = secretfile.read(path, what=WHAT, most_bytes=KEK_BYTES)
        if key is None:
            return None
        if len(key) != KEK_BYTES:
            raise Trouble(
                f"the key-encryption key at {path} has {len(key)} bytes instead of {KEK_BYTES}",
                hint="It is 32 raw bytes, not hexadecimal and not base64; restore it from your backup.",
                exit_code=Exit.REFUSED,
            )
        return cls(key)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a random key in a new file, or read the one that is there: a key is never overwritten."""
        secretfile.create(path, secrets.token_bytes(KEK_BYTES), what=WHAT)
        return cls.open(path)

    def wrap(self, key: bytes) -> bytes:
        """The key under AES key wrap: 8 bytes longer."""
        return aes_key_wrap(self._key, key)

    def unwrap(self, wrapped: bytes) -> bytes | None:
        """The key, or None if the wrapping does not open."""
        try:
            return aes_key_unwrap(self._key, wrapped)
        except (InvalidUnwrap, ValueError):
            return None

    def __repr__(self) -> str:
        return "LocalKeyEncryption(…)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key-encryption key stays in its process")
