import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.sdk.decoding import Decoder
from tests.support.avro import encoded

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


def test_a_record_is_decoded_under_the_schema_that_wrote_it(decoder: Decoder) -> None:
    assert decoder.decode(encoded(OLD, {"n": 7})) == {"n": 7}
    assert decoder.decode(encoded(NEW, {"n": 7, "on": True})) == {"n": 7, "on": True}


def test_a_record_of_another_schema_is_not_decoded(decoder: Decoder) -> None:
    stranger = {**OLD, "fields": [{"name": "url", "type": "string"}]}
    assert decoder.decode(encoded(stranger, {"url": "u"})) is None


def test_a_superseded_schema_decodes_until_it_is_removed(decoder: Decoder, tmp_path: Path) -> None:
    superseded = {**OLD, "fields": [{"name": "was", "type": "string"}]}
    value = encoded(superseded, {"was": "so"})
    file = tmp_path / "schemas/minimized" / TOPIC / f"superseded/a.b.{value[2:10].hex()}.avsc"
    file.parent.mkdir()
    file.write_text(json.dumps(superseded))
    found = Decoder.of(tmp_path, TOPIC)
    assert found is not None
    assert found.decode(value) == {"was": "so"}
    assert decoder.decode(value) is None


def test_what_is_not_decoded_is_explained_without_its_value(tmp_path: Path) -> None:
    stranger = encoded({**OLD, "fields": [{"name": "url", "type": "string"}]}, {"url": "SECRET"})
    under = {**OLD, "fields": [{"name": "less", "type": "long"}]}
    (tmp_path / "schemas/minimized" / TOPIC).mkdir(parents=True)
    (tmp_path / "schemas/minimized" / TOPIC / "a.b.v2.avsc").write_text(json.dumps(NEW))
    folder = tmp_path / "overlays/strict/schemas" / TOPIC
    folder.mkdir(parents=True)
    (folder / "a.b.v2.avsc").write_text(json.dumps(under))
    plain, strict = Decoder.of(tmp_path, TOPIC), Decoder.of(tmp_path, TOPIC, "strict")
    assert plain is not None
    assert strict is not None
    said = [plain.why_not(value) for value in (b"SECRET", stranger, encoded(NEW, {"n": 1, "on": None})[:-1])]
    assert "not in Avro single-object encoding" in said[0]
    assert stranger[2:10].hex() in said[1]
    assert "Update this folder" in said[1]
    assert "damaged" in said[2]
    assert "SECRET" not in "".join(said)
    record = encoded(under, {"less": 1})
    assert plain.decode(record) is None
    assert "--overlay strict" in plain.why_not(record)
    assert strict.decode(record) == {"less": 1}


@pytest.mark.parametrize("damage", [lambda value: value[:-1], lambda value: value + b"\0", lambda value: value[2:]])
def test_damaged_bytes_give_nothing_and_raise_nothing(decoder: Decoder, damage: Any) -> None:
    assert decoder.decode(damage(encoded(NEW, {"n": 300, "on": False}))) is None


@pytest.mark.parametrize("topic", ["raw.vpn.session", "..", "../minimized/audit.tests", ""])
def test_what_is_no_minimized_topic_has_no_decoder(decoder: Decoder, tmp_path: Path, topic: str) -> None:
    assert decoder.schemas
    assert Decoder.of(tmp_path, topic) is None
