"""Minimized records as fields: each under the derived schema that its own fingerprint names.

Only committed schemas of `schemas/minimized/` and of an overlay decode; a raw schema is never looked at here, so raw
bytes stay bytes. fastavro's errors hold values and end here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import fastavro

from pipelines.sdk.encoding import MARKER

_HEADER: Final = 10


@dataclass(frozen=True, slots=True)
class Decoder:
    """The derived schemas of one topic, by fingerprint (8 bytes, as in a single-object header)."""

    schemas: Mapping[bytes, Any]

    @classmethod
    def of(cls, contract_dir: Path, topic: str, overlay: str | None = None) -> Decoder | None:
        """The decoder of a minimized topic; None when the contract has no such topic.

        With an overlay it knows both schemas of a view that the overlay changes: records from before it live on.
        """
        roots = [contract_dir / "schemas" / "minimized"]
        if overlay is not None:
            roots += [entry / "schemas" for entry in (contract_dir / "overlays").glob("*") if entry.name == overlay]
        # Looked up among the folders' own entries: a name from outside is never made into a path.
        folders = [entry for root in roots for entry in root.glob("*") if entry.name == topic and entry.is_dir()]
        if not folders:
            return None
        files = [file for folder in folders for file in sorted(folder.glob("*.avsc"))]
        schemas = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        return cls({_fingerprint(schema): fastavro.parse_schema(schema) for schema in schemas})

    def decode(self, value: bytes) -> Mapping[str, Any] | None:
        """The fields of a record; None when no schema of the topic wrote it or its bytes are not what it says."""
        schema = self.schemas.get(value[len(MARKER) : _HEADER]) if value.startswith(MARKER) else None
        if schema is None:
            return None
        body = io.BytesIO(value[_HEADER:])
        try:
            fields = fastavro.schemaless_reader(body, schema, None)
        except Exception:  # noqa: BLE001 - fastavro raises what its Cython meets, with the value in its message
            return None
        return fields if isinstance(fields, dict) and not body.read(1) else None


def _fingerprint(schema: Any) -> bytes:
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
