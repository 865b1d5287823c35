"""A writer of keyring files in version 1, which shares no code with the product."""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.keywrap import aes_key_wrap


def write_version_1(
    path: Path,
    kek: bytes,
    roots: Mapping[tuple[str, int, int], bytes],
    *,
    integrity_key: bytes | None = None,
    wrap: Callable[[bytes], bytes] | None = None,
) -> None:
    """Write roots by purpose, rotation and start of the epoch (ms), as `keys init` did before version 2.

    `wrap` is AES key wrap under `kek` unless another one is given.
    """
    wrap = wrap or partial(aes_key_wrap, kek)
    entries = [
        {
            "purpose": purpose,
            "rotate_ms": rotate_ms,
            "epoch_start_ms": start_ms,
            "wrapped": wrap(root).hex(),
        }
        for (purpose, rotate_ms, start_ms), root in sorted(roots.items())
    ]
    body = {"format": "telemetry-pipelines keyring", "version": 1, "roots": entries}
    key = integrity_key or secrets.token_bytes(32)
    signed = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    integrity = {"key": wrap(key).hex(), "mac": hmac.digest(key, signed, sha256).hex()}
    path.touch(mode=0o600)
    path.write_text(json.dumps(body | {"integrity": integrity}, indent=2), encoding="utf-8")
