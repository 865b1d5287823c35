import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fastavro
import pytest

from pipelines.sdk.decoding import Decoder

TOPIC = "audit.tests"
OLD: dict[str, Any] = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "long"}]}
NEW: dict[str, Any] = {**OLD, "fields": [*OLD["fields"], {"name": "on", "type": ["null", "boolean"]}]}


@pytest.fixture
def decoder(tmp_path: Path) -> Decoder:
    folder = tmp_path / "schemas" / "minimized" / TOPIC
    folder.mkdir(parents=True)
    for version, schema in ((1, OLD), (2, NEW)):
        (folder / f"a.b.v{version}.avsc").write_text(json.dumps(schema))
    found = Decoder.of(tmp_path, TOPIC)
    assert found is not None
    return found


def encoded(schema: Mapping[str, Any], fields: Mapping[str, Any]) -> bytes:
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, dict(fields))
    return b"\xc3\x01" + fingerprint + body.getvalue()


def test_a_record_is_decoded_under_the_schema_that_wrote_it(decoder: Decoder) -> None:
    assert decoder.decode(encoded(OLD, {"n": 7})) == {"n": 7}
    assert decoder.decode(encoded(NEW, {"n": 7, "on": True})) == {"n": 7, "on": True}


def test_a_record_of_another_schema_is_not_decoded(decoder: Decoder) -> None:
    stranger = {**OLD, "fields": [{"name": "url", "type": "string"}]}
    assert decoder.decode(encoded(stranger, {"url": "u"})) is None


@pytest.mark.parametrize("damage", [lambda value: value[:-1], lambda value: value + b"\0", lambda value: value[2:]])
def test_damaged_bytes_give_nothing_and_raise_nothing(decoder: Decoder, damage: Any) -> None:
    assert decoder.decode(damage(encoded(NEW, {"n": 300, "on": False}))) is None


@pytest.mark.parametrize("topic", ["raw.vpn.session", "..", "../minimized/audit.tests", ""])
def test_what_is_no_minimized_topic_has_no_decoder(decoder: Decoder, tmp_path: Path, topic: str) -> None:
    assert decoder.schemas
    assert Decoder.of(tmp_path, topic) is None
