"""An event type with two versions and many shapes of field, built without files."""

import json
from typing import Any

import fastavro

from pipelines.contract.findings import Position
from pipelines.contract.model import Contract, Event, QuarantineTopic, RawSchema
from pipelines.contract.raw_schema import read_schema
from pipelines.contract.reading import read
from pipelines.contract.report import Report

HERE = Position("schemas/raw/sdk/ping.v1.avsc")
SECRET = "SYNTHETIC-SECRET"

V1: list[dict[str, Any]] = [
    {"name": "event_id", "type": "string"},
    {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "device_id", "type": ["null", "string"]},
    {"name": "level", "type": {"type": "enum", "name": "Level", "symbols": ["LOW", "HIGH"]}},
    {"name": "before", "type": ["null", "Level"]},
    {
        "name": "peers",
        "type": {
            "type": "array",
            "items": {"type": "record", "name": "Peer", "fields": [{"name": "port", "type": "int"}]},
        },
    },
    {"name": "notes", "type": {"type": "map", "values": "string"}},
]
V2 = [*V1, {"name": "digest", "type": {"type": "fixed", "name": "Digest", "size": 4}}]


def fields(version: int = 2, **changes: Any) -> dict[str, Any]:
    plain = {
        "event_id": "synthetic-event-1",
        "occurred_at": 1_793_000_000_000,
        "device_id": "synthetic-device-1",
        "level": "LOW",
        "before": None,
        "peers": [{"port": 1}],
        "notes": {"a": "b"},
        **({"digest": b"1234"} if version == 2 else {}),
    }
    return {**plain, **changes}


def schema(event: str, version: int) -> RawSchema:
    text = json.dumps({"type": "record", "name": "Ping", "fields": V1 if version == 1 else V2})
    canonical = fastavro.schema.to_parsing_canonical_form(json.loads(text))
    classed = json.loads(text)
    for field in classed["fields"]:
        if field["name"] != "peers":
            field["class"] = "device_identifier" if field["name"] == "device_id" else "metadata"
    classed["fields"][5]["type"]["items"]["fields"][0]["class"] = "metadata"
    report = Report()
    node = read(json.dumps(classed).encode(), HERE.file, report, strict_json=True)
    record = None if node is None else read_schema(node, report)
    assert record is not None, report.mistakes
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    return RawSchema(event, version, record, text, fingerprint, HERE)


def contract_of(event: str) -> Contract:
    """A contract with that one event type, and no views."""
    made = Event(event, (schema(event, 1), schema(event, 2)), (), ())
    return Contract({event: made}, {}, {}, {}, QuarantineTopic("quarantine", 1, 1, (), HERE), b"")
