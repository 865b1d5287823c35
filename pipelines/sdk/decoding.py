"""Minimized records as fields: each under the derived schema that its own fingerprint names.

Only committed schemas of `schemas/minimized/` and of an overlay decode, superseded ones included as long as records
that were written under them live. A raw schema is never looked at here, so raw bytes stay bytes. fastavro's errors hold
values and end here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import fastavro

from pipelines.contract.derived import fingerprint
from pipelines.sdk.encoding import MARKER

_HEADER: Final = 10


@dataclass(frozen=True, slots=True)
class Decoder:
    """The derived schemas of one topic, by fingerprint (8 bytes, as in a single-object header).

    `elsewhere` are fingerprints of the same topic under overlays that were not asked for -> the overlay's name.
    """

    schemas: Mapping[bytes, Any]
    elsewhere: Mapping[bytes, str] = field(default_factory=dict)

    @classmethod
    def of(cls, contract_dir: Path, topic: str, overlay: str | None = None) -> Decoder | None:
        """The decoder of a minimized topic; None when the contract has no such topic.

        With an overlay it knows both schemas of a view that the overlay changes: records from before it live on.
        """
        overlays = {entry.name: entry / "schemas" for entry in sorted((contract_dir / "overlays").glob("*"))}
        chosen = [overlays.pop(overlay)] if overlay is not None and overlay in overlays else []
        folders = _folders((contract_dir / "schemas" / "minimized", *chosen), topic)
        if not folders:
            return None
        known = _schemas(folders)
        others = {print_: name for name, root in overlays.items() for print_ in _schemas(_folders((root,), topic))}
        return cls(known, {print_: name for print_, name in others.items() if print_ not in known})

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

    def why_not(self, value: bytes) -> str:
        """Say why `decode` gave nothing for a value, and what to do. Shows a schema's fingerprint at most."""
        if not value.startswith(MARKER) or len(value) < _HEADER:
            return "no schema of this topic wrote this record: its value is not in Avro single-object encoding"
        name = value[len(MARKER) : _HEADER]
        if name in self.schemas:
            return f"the value's bytes are not what its schema {name.hex()} says: the record is damaged"
        if name in self.elsewhere:
            return f"written under the overlay {self.elsewhere[name]}: name it (--overlay {self.elsewhere[name]})"
        return (
            f"no schema of this topic wrote this record: {name.hex()} is neither in force nor superseded. Update this "
            "folder to the contract that the workers run; a superseded schema is removed when its records have expired"
        )


def _folders(roots: Iterable[Path], topic: str) -> list[Path]:
    """The topic's folders. Looked up among the roots' own entries: a name from outside is never made into a path."""
    return [entry for root in roots for entry in root.glob("*") if entry.name == topic and entry.is_dir()]


def _schemas(folders: Sequence[Path]) -> dict[bytes, Any]:
    """The schemas in topics' folders by fingerprint; what is in force comes last and prevails."""
    parts = ("superseded/*.avsc", "*.avsc")
    files = [file for part in parts for folder in folders for file in sorted(folder.glob(part))]
    schemas = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return {fingerprint(schema): fastavro.parse_schema(schema) for schema in schemas}
