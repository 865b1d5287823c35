"""Derived schemas: a view's outputs as an Avro schema, and fingerprints.

Names: the record of view `vpn.session` in topic `network-metadata.support` is
`minimized.network_metadata.support.vpn.session`, and every type inside it lives in that name's namespace under the
name of its output. Nothing of the raw schema's docs, defaults, aliases or names comes through.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fastavro.schema import fingerprint as fastavro_fingerprint
from fastavro.schema import to_parsing_canonical_form

from pipelines.contract.avro import AvroType, Enum, Fixed, Nullable, Primitive
from pipelines.contract.model import OutputArray, OutputField


@dataclass(frozen=True, slots=True)
class Naming:
    """The full names in one view's schema."""

    topic: str
    event: str

    @property
    def root(self) -> str:
        """The record's full name."""
        return f"minimized.{self.topic}.{self.event}".replace("-", "_")

    def inside(self, *outputs: str) -> str:
        """The full name of the type of an output, or of an output in an array's items."""
        return ".".join((self.root, *outputs))


def schema_text(naming: Naming, outputs: tuple[OutputField | OutputArray, ...]) -> str:
    """The derived schema, as JSON text that ends in a line break; the same for the same outputs."""
    fields = [{"name": output.name, "type": _output(output)} for output in outputs]
    return json.dumps(_record(naming.root, fields), indent=2) + "\n"


def fingerprint(schema: Any) -> bytes:
    """A schema's CRC-64-AVRO (Avro 1.12, "Single-object encoding"), 8 bytes in the order of the header.

    Args:
        schema: the schema as parsed JSON.

    Raises:
        ValueError: it is no Avro schema; says no more.
    """
    try:
        return bytes.fromhex(fastavro_fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
    except Exception:  # noqa: BLE001 - whatever it is, it is that the schema is none
        raise ValueError("not an Avro schema") from None


def fingerprint_of_text(text: str) -> bytes:
    """The fingerprint of a schema's JSON text."""
    return fingerprint(json.loads(text))


def _output(output: OutputField | OutputArray) -> Any:
    if isinstance(output, OutputField):
        return _type(output.type)
    fields = [{"name": field.name, "type": _type(field.type)} for field in output.fields]
    array = {"type": "array", "items": _record(output.item_name, fields)}
    return ["null", array] if output.nullable else array


def _record(full_name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "record", **_named(full_name), "fields": fields}


def _named(full_name: str) -> dict[str, str]:
    namespace, _, name = full_name.rpartition(".")
    return {"name": name, "namespace": namespace}


def _type(avro_type: AvroType) -> Any:
    match avro_type:
        case Nullable(inner=inner):
            return ["null", _type(inner)]
        case Primitive(name, None):
            return name
        case Primitive(name, logical):
            return {"type": name, "logicalType": logical}
        case Enum(name, symbols):
            return {"type": "enum", **_named(name), "symbols": list(symbols)}
        case Fixed(name, size):
            return {"type": "fixed", **_named(name), "size": size}
        case _:
            raise TypeError("a view gives scalars and arrays of records, nothing else")
