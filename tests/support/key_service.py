"""A key encryption like a vault's or a KMS's: each wrapping of one key is different, and it may be away."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipelines.trouble import Trouble


class RemoteKeyEncryption:
    """AES-GCM with a random nonce. Counts what it unwraps; answers `answers_left` more times, if that is set."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.unwraps = 0
        self.answers_left: int | None = None

    def wrap(self, key: bytes) -> bytes:
        self._answer()
        nonce = secrets.token_bytes(12)
        return nonce + self._cipher.encrypt(nonce, key, None)

    def unwrap(self, wrapped: bytes) -> bytes | None:
        self._answer()
        self.unwraps += 1
        try:
            return self._cipher.decrypt(wrapped[:12], wrapped[12:], None)
        except (InvalidTag, ValueError):
            return None

    def _answer(self) -> None:
        if self.answers_left is not None:
            if not self.answers_left:
                raise Trouble("the key service does not answer", hint="Start it.")
            self.answers_left -= 1
