"""The digest of a contract: SHA-256 over what it means. Places, comments and the order of lines do not enter it.

Raw schemas enter as resolved types and fingerprints, not as text, so that a `doc` can be fixed without a new version
of the policy. Every dataclass enters with its name and fields, so that a new field of the model enters by itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum as PythonEnum
from typing import Any, Final

from pipelines.contract.actions import Bucket, Matches, Truncate
from pipelines.contract.avro import Field
from pipelines.contract.findings import Position
from pipelines.contract.model import Never, RawSchema, Rule, Topic, View

_LEFT_OUT: Final = {Field: {"doc"}, RawSchema: {"text"}, View: {"schema"}, Matches: {"strings"}}
# Fields that the model got later. One that is None does not enter, so that the digests of existing contracts stay.
_LATER: Final[Mapping[type, set[str]]] = {Topic: {"compression"}, Bucket: {"read"}, Truncate: {"within_ms", "read"}}


def digest(*parts: Any) -> bytes:
    """32 bytes that change when anything that matters in the parts does."""
    text = json.dumps([_plain(part) for part in parts], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).digest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        later = {name for name in _LATER.get(type(value), ()) if getattr(value, name) is None}
        skipped = _LEFT_OUT.get(type(value), set()) | later
        said = {
            field.name: _plain(getattr(value, field.name))
            for field in fields(value)
            if field.name not in skipped and not isinstance(getattr(value, field.name), Position)
        }
        return [type(value).__name__, said]
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case tuple() if value and isinstance(value[0], (Rule, Never, View)):
            return sorted((_plain(item) for item in value), key=json.dumps)
        case tuple() | list():
            return [_plain(item) for item in value]
        case bytes():
            return value.hex()
        case date():
            return value.isoformat()
        case PythonEnum():
            return value.value
        case _:
            return value
