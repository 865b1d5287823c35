"""Avro single-object encoding, written by fastavro alone, to check what the product writes and reads."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import fastavro


def encoded(schema: Mapping[str, Any], fields: Mapping[str, Any]) -> bytes:
    """C3 01, the fingerprint of a schema as parsed JSON, and the fields under it."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, dict(fields))
    return b"\xc3\x01" + fingerprint + body.getvalue()
