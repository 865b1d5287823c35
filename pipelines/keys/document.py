"""The keyring's file format, version 1: JSON of wrapped roots under one message authentication code.

    {"format": "telemetry-pipelines keyring", "version": 1,
     "roots": [{"purpose": …, "rotate_ms": …, "epoch_start_ms": …, "wrapped": hex}, …],
     "integrity": {"key": hex, "mac": hex}}

`integrity.key` is a random key, wrapped like a root; `mac` is HMAC-SHA256 under it over the rest of the document as
JSON with sorted keys. So whoever cannot unwrap cannot swap two roots, rename or drop one, or change an epoch unnoticed
(an older, whole file can still be put back: nothing inside a file can tell). Trouble names the path and never content.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson

from pipelines.keys.encryption import KeyEncryption
from pipelines.keys.epochs import RootId
from pipelines.trouble import Exit, Trouble

FORMAT: Final = "telemetry-pipelines keyring"
VERSION: Final = 1
MOST_ROOTS: Final = 65_536
MOST_BYTES: Final = 32 * 1024 * 1024

WrappedRoots = Mapping[RootId, bytes]

_NAME_CHARACTERS: Final = 200
_INTEGRITY_KEY_BYTES: Final = 32


def dump(roots: WrappedRoots, kek: KeyEncryption) -> bytes:
    """The file's content for these wrapped roots, in the order of purpose, rotation and epoch."""
    body = {
        "format": FORMAT,
        "version": VERSION,
        "roots": [
            {
                "purpose": root_id.purpose,
                "rotate_ms": root_id.rotate_ms,
                "epoch_start_ms": root_id.epoch_start_ms,
                "wrapped": roots[root_id].hex(),
            }
            for root_id in sorted(roots)
        ],
    }
    key = secrets.token_bytes(_INTEGRITY_KEY_BYTES)
    integrity = {"key": kek.wrap(key).hex(), "mac": _mac(key, body).hex()}
    return orjson.dumps(body | {"integrity": integrity}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def parse(content: bytes, kek: KeyEncryption, path: Path) -> dict[RootId, bytes]:
    """The wrapped roots in a file's content, authenticated.

    Raises:
        Trouble: 4; it is no whole keyring of this version, written under this key encryption.
    """
    body = _json(content)
    if body.get("format") != FORMAT:
        raise _damaged(path, "it is no keyring, or was cut off")
    version = body.get("version")
    if type(version) is not int or version != VERSION:
        raise Trouble(
            f"the keyring at {path} has another version than {VERSION}, the one that this release reads",
            hint="Run the release of pipelines that wrote it, or a newer one.",
            exit_code=Exit.REFUSED,
        )
    integrity = body.pop("integrity", None)
    if not isinstance(integrity, dict) or body.keys() != {"format", "version", "roots"}:
        raise _damaged(path, "its outline is not a keyring's")
    wrapped_key, mac = _bytes(integrity.get("key")), _bytes(integrity.get("mac"))
    if wrapped_key is None or mac is None or integrity.keys() != {"key", "mac"}:
        raise _damaged(path, "its integrity section is not one")
    key = kek.unwrap(wrapped_key)
    if key is None:
        raise Trouble(
            f"the keyring at {path} does not open: it was written under another key-encryption key, or was changed",
            hint="Point --kek-file (PIPELINES_KEK_FILE) at the key that belongs to it, or restore both.",
            exit_code=Exit.REFUSED,
        )
    if not hmac.compare_digest(mac, _mac(key, body)):
        raise _damaged(path, "it was changed by something that does not hold its key")
    return _roots(body["roots"], path)


def _roots(entries: object, path: Path) -> dict[RootId, bytes]:
    if not isinstance(entries, list) or len(entries) > MOST_ROOTS:
        raise _damaged(path, "its roots are no list, or too many")
    roots: dict[RootId, bytes] = {}
    for entry in entries:
        root_id, wrapped = _root(entry)
        if root_id is None or wrapped is None:
            raise _damaged(path, "one of its roots is malformed")
        if root_id in roots:
            raise _damaged(path, "one of its roots is there twice")
        roots[root_id] = wrapped
    return roots


def _root(entry: object) -> tuple[RootId | None, bytes | None]:
    match entry:
        case {
            "purpose": str(purpose),
            "rotate_ms": int(rotate_ms),
            "epoch_start_ms": int(start_ms),
            "wrapped": str(wrapped),
            **other,
        } if (
            not other
            and not isinstance(rotate_ms, bool)
            and not isinstance(start_ms, bool)
            and 0 < len(purpose) <= _NAME_CHARACTERS
            and purpose.isprintable()
            and rotate_ms > 0
            and start_ms % rotate_ms == 0
        ):
            return RootId(purpose, rotate_ms, start_ms), _bytes(wrapped)
    return None, None


def _json(content: bytes) -> dict[str, Any]:
    """The document, or {} if it is none: an orjson error would keep the whole content alive."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _bytes(text: object) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _mac(key: bytes, body: Mapping[str, Any]) -> bytes:
    return hmac.digest(key, orjson.dumps(body, option=orjson.OPT_SORT_KEYS), sha256)


def _damaged(path: Path, why: str) -> Trouble:
    return Trouble(
        f"the keyring at {path} cannot be used: {why}",
        hint="Restore it from your backup; never edit it by hand.",
        exit_code=Exit.REFUSED,
    )
