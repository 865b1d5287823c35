"""The keyring's file format: JSON of wrapped roots under one message authentication code, in two versions.

Version 2:

    {"format": "telemetry-pipelines keyring", "version": 2, "deployment": hex,
     "purposes": [{"purpose": …, "incarnation": 1, "in_contract": true}, …],
     "roots": [{"purpose": …, "incarnation": 1, "rotate_ms": …, "epoch_start_ms": …, "generation": 1,
                "derivation": 2, "wrapped": hex}, …],
     "tombstones": [],
     "integrity": {"key": hex, "mac": hex}}

`integrity.key` is a random key, wrapped with a binding of its own; `mac` is HMAC-SHA256 under it over the rest of the
document as JSON with sorted keys. So somebody who cannot unwrap cannot drop a root or rename a purpose unnoticed, and
somebody who knows a root, or even the integrity key, still cannot use a wrapping in another place. An older, whole
file can still be put back: nothing inside a file can tell. Tombstones and higher generations are for a release that
destroys roots.

Version 1 has no `deployment`, `purposes` and `tombstones`, and no `incarnation`, `generation` and `derivation` of a
root; it wraps keys without bindings. Trouble names the path and the place, never content.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson

from pipelines.keys.binding import GENERATION, integrity_binding
from pipelines.keys.contents import (
    DEPLOYMENT_BYTES,
    LABELS_ALONE,
    LABELS_AND_PLACE,
    OLD_VERSION,
    VERSION,
    Contents,
    PurposeState,
    WrappedRoot,
)
from pipelines.keys.encryption import KeyEncryption
from pipelines.keys.epochs import RootId
from pipelines.trouble import Exit, Trouble

FORMAT: Final = "telemetry-pipelines keyring"
MOST_ROOTS: Final = 65_536
MOST_BYTES: Final = 64 * 1024 * 1024

_NAME_CHARACTERS: Final = 200
_INTEGRITY_KEY_BYTES: Final = 32
_LEVELS: Final = 3
"""The document, its lists, and an entry of a list."""
_SECTIONS: Final = {
    OLD_VERSION: {"format", "version", "roots"},
    VERSION: {"format", "version", "deployment", "purposes", "roots", "tombstones"},
}
_MOST: Final = 1 << 63
"""Numbers stay below this, so that a binding can hold them."""


def dump(contents: Contents, kek: KeyEncryption) -> bytes:
    """Return the file's content, in the version that the contents have."""
    body: dict[str, Any] = {"format": FORMAT, "version": contents.version}
    if contents.version != OLD_VERSION:
        body["deployment"] = contents.deployment.hex()
        body["purposes"] = [
            {"purpose": name, "incarnation": state.incarnation, "in_contract": state.in_contract}
            for name, state in sorted(contents.purposes.items())
        ]
        body["tombstones"] = []
    body["roots"] = [_entry(contents, root_id) for root_id in sorted(contents.roots)]
    key = secrets.token_bytes(_INTEGRITY_KEY_BYTES)
    wrapped = kek.wrap(key + _beside_integrity(contents))
    integrity = {"key": wrapped.hex(), "mac": _mac(key, body).hex()}
    return orjson.dumps(body | {"integrity": integrity}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def parse(content: bytes, kek: KeyEncryption, path: Path) -> Contents:
    """Return a file's content, authenticated by one `unwrap`. Roots are checked when they are unwrapped.

    Raises:
        Trouble: 4; it is not a whole keyring of a version this release reads, written under this key encryption.
    """
    body = _json(content)
    if body.get("format") != FORMAT:
        raise _damaged(path, "it is not a keyring, or was cut off")
    version = body.get("version")
    if type(version) is not int or version not in _SECTIONS:
        raise _newer(path, f"its version is not one of those that this release reads ({OLD_VERSION}, {VERSION})")
    integrity = body.pop("integrity", None)
    if not isinstance(integrity, dict) or body.keys() != _SECTIONS[version]:
        raise _damaged(path, "its outline is not a keyring's")
    wrapped_key, mac = _bytes(integrity.get("key")), _bytes(integrity.get("mac"))
    if wrapped_key is None or mac is None or integrity.keys() != {"key", "mac"}:
        raise _damaged(path, "its integrity section is not one")
    if not _is_shallow(body):
        raise _damaged(path, "it is nested deeper than any keyring")
    deployment = b"" if version == OLD_VERSION else _bytes(body["deployment"])
    if deployment is None or len(deployment) != (0 if version == OLD_VERSION else DEPLOYMENT_BYTES):
        raise _damaged(path, "its deployment is malformed")
    empty = Contents(version, deployment)
    if not hmac.compare_digest(mac, _mac(_integrity_key(wrapped_key, empty, kek, path), body)):
        raise _damaged(path, "it was changed by something that does not hold its key")
    if body.get("tombstones", []) != []:
        raise _newer(path, "roots of it were destroyed by a release that this release does not understand")
    roots = _roots(body["roots"], version, path)
    _refuse_repeated(roots, wrapped_key, path)
    return Contents(version, deployment, _purposes(body.get("purposes", []), path), roots)


def integrity_key(content: bytes, kek: KeyEncryption, path: Path) -> bytes:
    """Return the integrity key of a file's content that `parse` accepts. Trouble as in `parse`."""
    body = _json(content)
    deployment = _bytes(body.get("deployment", "")) or b""
    wrapped = _bytes(body["integrity"]["key"]) or b""
    return _integrity_key(wrapped, Contents(body["version"], deployment), kek, path)


def _beside_integrity(contents: Contents) -> bytes:
    return b"" if contents.version == OLD_VERSION else integrity_binding(contents.deployment)


def _integrity_key(wrapped: bytes, contents: Contents, kek: KeyEncryption, path: Path) -> bytes:
    opened = kek.unwrap(wrapped)
    if opened is None:
        raise Trouble(
            f"the keyring at {path} does not open: it was written under another key-encryption key, or was changed",
            hint="Point --kek-file (PIPELINES_KEK_FILE) at the key that belongs to it, or restore both.",
            exit_code=Exit.REFUSED,
        )
    beside = _beside_integrity(contents)
    # In a file of version 1, too: a wrapping made for version 2 must not pass as the integrity key.
    if len(opened) != _INTEGRITY_KEY_BYTES + len(beside) or not hmac.compare_digest(
        opened[_INTEGRITY_KEY_BYTES:], beside
    ):
        raise _damaged(path, "what stands in the place of its integrity key was wrapped for another place")
    return opened[:_INTEGRITY_KEY_BYTES]


def _refuse_repeated(roots: Mapping[RootId, WrappedRoot], wrapped_key: bytes, path: Path) -> None:
    """Refuse one wrapping in two places: no release writes that, and in version 1 it is how a keyring is forged."""
    places: dict[bytes, str] = {wrapped_key: "the integrity key"}
    for root_id, root in roots.items():
        first = places.setdefault(root.wrapped, str(root_id))
        if first != str(root_id):
            raise _damaged(path, f"one wrapping stands in two places: {first}; and {root_id}")


def _entry(contents: Contents, root_id: RootId) -> dict[str, Any]:
    root = contents.roots[root_id]
    entry: dict[str, Any] = {
        "purpose": root_id.purpose,
        "rotate_ms": root_id.rotate_ms,
        "epoch_start_ms": root_id.epoch_start_ms,
        "wrapped": root.wrapped.hex(),
    }
    if contents.version == OLD_VERSION:
        return entry
    more = {"incarnation": root_id.incarnation, "generation": GENERATION, "derivation": root.derivation}
    return entry | more


def _roots(entries: object, version: int, path: Path) -> dict[RootId, WrappedRoot]:
    if not isinstance(entries, list) or len(entries) > MOST_ROOTS:
        raise _damaged(path, "its roots are not a list, or too many")
    roots: dict[RootId, WrappedRoot] = {}
    for entry in entries:
        root_id, root = _root(entry, version)
        if root_id is None or root is None:
            raise _damaged(path, "one of its roots is malformed")
        if root_id in roots:
            raise _damaged(path, "one of its roots is there twice")
        roots[root_id] = root
    return roots


def _root(entry: object, version: int) -> tuple[RootId | None, WrappedRoot | None]:
    match entry:
        case {
            "purpose": str(purpose),
            "rotate_ms": int(rotate_ms),
            "epoch_start_ms": int(start_ms),
            "wrapped": str(hexadecimal),
            **other,
        } if (
            not isinstance(rotate_ms, bool)
            and not isinstance(start_ms, bool)
            and _is_name(purpose)
            and 0 < rotate_ms < _MOST
            and -_MOST <= start_ms < _MOST
            and start_ms % rotate_ms == 0
        ):
            wrapped, more = _bytes(hexadecimal), _more(other, version)
            if wrapped is not None and more is not None:
                incarnation, derivation = more
                return RootId(purpose, rotate_ms, start_ms, incarnation), WrappedRoot(wrapped, derivation)
    return None, None


def _more(entry: dict[Any, Any], version: int) -> tuple[int, int] | None:
    """The incarnation and derivation of a root; None if its entry does not say them as this version does."""
    if version == OLD_VERSION:
        return None if entry else (1, LABELS_ALONE)
    if entry.keys() != {"incarnation", "generation", "derivation"}:
        return None
    incarnation, generation, derivation = entry["incarnation"], entry["generation"], entry["derivation"]
    if not _is_incarnation(incarnation) or type(generation) is not int or generation != GENERATION:
        return None
    if type(derivation) is not int or derivation not in {LABELS_ALONE, LABELS_AND_PLACE}:
        return None
    return incarnation, derivation


def _purposes(entries: object, path: Path) -> dict[str, PurposeState]:
    if not isinstance(entries, list) or len(entries) > MOST_ROOTS:
        raise _damaged(path, "its purposes are not a list, or too many")
    states: dict[str, PurposeState] = {}
    for entry in entries:
        match entry:
            case {"purpose": str(name), "incarnation": int(incarnation), "in_contract": bool(in_contract), **other} if (
                not other and _is_incarnation(incarnation) and _is_name(name) and name not in states
            ):
                states[name] = PurposeState(incarnation, in_contract)
            case _:
                raise _damaged(path, "one of its purposes is malformed, or is there twice")
    return states


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _NAME_CHARACTERS and text.isprintable()


def _is_incarnation(number: object) -> bool:
    return type(number) is int and 0 < number < _MOST


def _json(content: bytes) -> dict[str, Any]:
    """The document, or {} if it is none: an orjson error would keep the whole content alive."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _is_shallow(value: object, levels: int = _LEVELS) -> bool:
    """Return whether a document has at most so many levels: deeper ones cannot be written as JSON to authenticate."""
    if not isinstance(value, dict | list):
        return True
    inside = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(one, levels - 1) for one in inside)


def _bytes(text: object) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _mac(key: bytes, body: Mapping[str, Any]) -> bytes:
    return hmac.digest(key, orjson.dumps(body, option=orjson.OPT_SORT_KEYS), sha256)


def _newer(path: Path, why: str) -> Trouble:
    return Trouble(
        f"the keyring at {path} cannot be used: {why}",
        hint="Run the release of pipelines that wrote it, or a newer one.",
        exit_code=Exit.REFUSED,
    )


def _damaged(path: Path, why: str) -> Trouble:
    return Trouble(
        f"the keyring at {path} cannot be used: {why}",
        hint="Restore it from your backup; never edit it by hand.",
        exit_code=Exit.REFUSED,
    )
