"""Raw events as bytes: Avro single-object encoding under one version of an event type's schema (Avro 1.12).

fastavro's errors print values. They end here: what leaves names the event type, the version and the field.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastavro

from pipelines.contract.avro import FieldClass
from pipelines.contract.model import Event, RawSchema
from pipelines.sdk.misfit import misfit

MARKER: Final = b"\xc3\x01"


class Misfit(ValueError):  # noqa: N818 - the fields do not fit; nothing is broken
    """An event's fields do not fit its schema, or there is no such event type or version."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """One version of an event type: encodes fields, and finds the device that keys the record."""

    schema: RawSchema
    parsed: Any
    names: frozenset[str]
    device: str | None

    @classmethod
    def of(cls, schema: RawSchema) -> Encoder:
        """The encoder of a version."""
        devices = (field.name for field in schema.record.fields if field.class_ is FieldClass.DEVICE_IDENTIFIER)
        return cls(
            schema,
            fastavro.parse_schema(json.loads(schema.text)),
            frozenset(field.name for field in schema.record.fields),
            next(devices, None),
        )

    def encode(self, fields: Mapping[str, Any]) -> bytes:
        """C3 01, the schema's fingerprint, and the body.

        Raises:
            Misfit: a field is missing, unknown or of another type; the message names fields of the schema,
                the wanted and the given type, and no value.
        """
        unknown = len(fields.keys() - self.names)
        if unknown:
            raise Misfit(f"{self._name}: {unknown} of the fields are not in the schema")
        body = _encoded(self.parsed, fields)
        if body is None:
            raise Misfit(f"{self._name}: the field {misfit(self.schema.record, self._misfit(fields), fields)}")
        return MARKER + self.schema.fingerprint + body

    def key(self, fields: Mapping[str, Any]) -> bytes | None:
        """The device identifier at the top of the event, as Avro writes it without its length; None without one."""
        value = None if self.device is None else fields.get(self.device)
        return value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else None

    @property
    def _name(self) -> str:
        return f"{self.schema.event} version {self.schema.version}"

    def _misfit(self, fields: Mapping[str, Any]) -> str:
        """The first field that cannot be written: schemas of ever more fields, until one fails."""
        whole = json.loads(self.schema.text)
        for count, field in enumerate(whole["fields"], 1):
            known = whole["fields"][:count]
            given = {each["name"]: fields[each["name"]] for each in known if each["name"] in fields}
            if _encoded(fastavro.parse_schema({**whole, "fields": known}), given) is None:
                return str(field["name"])
        return "(unknown)"


def encoders(event: Event) -> dict[int, Encoder]:
    """An encoder for each version of an event type, by version, ascending."""
    return {schema.version: Encoder.of(schema) for schema in event.versions}


def _encoded(parsed: Any, fields: Mapping[str, Any]) -> bytes | None:
    body = io.BytesIO()
    try:
        fastavro.schemaless_writer(body, parsed, dict(fields), strict_allow_default=True, disable_tuple_notation=True)
    except Exception:  # noqa: BLE001 - fastavro raises what its Cython meets, with the value in its message
        return None
    return body.getvalue()
