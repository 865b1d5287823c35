"""The docs of derived schemas: in our own words, of what the view does, and without weight in any fingerprint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from pipelines.contract import build, load
from pipelines.contract.actions import Action
from pipelines.contract.derived import fingerprint
from pipelines.contract.describing import _WORDS, without_docs
from pipelines.contract.folder import DERIVED
from pipelines.contract.model import Contract
from tests.support.contract_folders import BASE, TODAY, edited

ROOT: Final = Path(__file__).parents[2]
BEFORE_DOCS: Final = {
    "audit.audit-correlation/ota.install": "aa714ddfae827aca",
    "audit.audit-correlation/posture.attestation": "07256a7e221733d3",
    "audit.network-policy-review/proxy.policy-decision": "91b7271b441ce8a3",
    "audit.network-policy-review/vpn.policy-decision": "ef949f47fe849653",
    "audit.ota-release-review/ota.eligibility-check": "e732a2e49ded6614",
    "audit.ota-release-review/ota.install": "0f6f56f980ebe290",
    "device-lifecycle.device-management/posture.report": "039bc0efd5afc759",
    "device-lifecycle.ota-eligibility/ota.eligibility-check": "fcb7d46ba1bad2f5",
    "device-lifecycle.ota-eligibility/posture.report": "a0d866fa9b91cf16",
    "device-lifecycle.policy-assignment/posture.report": "e3730d60955eb87a",
    "device-lifecycle.policy-assignment/vpn.policy-decision": "3ad32139287b5c5f",
    "device-lifecycle.remote-attestation/posture.attestation": "7c5d9f9baea544f8",
    "device-lifecycle.support/ota.install": "28ae943c867c2875",
    "network-metadata.circuit-health/tor.circuit": "29b649c32cf4c8cc",
    "network-metadata.security-enforcement/proxy.policy-decision": "1641ad2f454ca23c",
    "network-metadata.security-enforcement/proxy.request": "67d51139880778c2",
    "network-metadata.security-enforcement/vpn.policy-decision": "8e53f978f803e508",
    "network-metadata.security-enforcement/vpn.session": "582f72173d9157b4",
    "network-metadata.support/proxy.request": "6c552a7c02cf6f91",
    "network-metadata.support/vpn.session": "d95632475df4aaba",
    "os-security-state.device-management/ota.install": "c747b01d3a2f709f",
    "os-security-state.security-enforcement/posture.report": "fa7d1268d152c41e",
    "threat-intelligence.threat-detection/posture.attestation": "58c8bd32283335ba",
    "threat-intelligence.threat-detection/proxy.request": "0a4d41410a8e9f76",
    "threat-intelligence.threat-detection/vpn.session": "3f5a543c94152d3c",
}
"""Topic and event type -> the fingerprint of the schema before derived schemas had docs: records carry it."""


def written() -> dict[str, Any]:
    """Topic and event type -> the schema, of each derived schema that is shipped."""
    files = sorted((ROOT / DERIVED).glob("*/*.avsc"))
    return {f"{path.parent.name}/{path.name.rpartition('.v')[0]}": json.loads(path.read_text()) for path in files}


def docs_in(node: Any) -> list[str]:
    """Every `doc` of a schema."""
    if isinstance(node, list):
        return [doc for each in node for doc in docs_in(each)]
    if isinstance(node, dict):
        own = [node["doc"]] if "doc" in node else []
        return own + [doc for each in node.values() for doc in docs_in(each)]
    return []


def test_docs_change_no_fingerprint_of_a_shipped_schema(shipped: Contract) -> None:
    assert {name: fingerprint(schema).hex() for name, schema in written().items()} == BEFORE_DOCS
    assert {name: fingerprint(without_docs(schema)).hex() for name, schema in written().items()} == BEFORE_DOCS
    views = {f"{v.topic}/{v.event}": v.fingerprint.hex() for event in shipped.events.values() for v in event.views}
    assert views == BEFORE_DOCS


def test_every_record_and_field_of_a_shipped_schema_says_what_the_view_does() -> None:
    for name, schema in written().items():
        assert schema["doc"], name
        for field in schema["fields"]:
            assert field["doc"], (name, field["name"])
    fields = {field["name"]: field["doc"] for field in written()["network-metadata.support/vpn.session"]["fields"]}
    assert fields["occurred_at"] == "Truncated to 1 h"
    assert fields["account_id"] == "Handle for purpose support, rotates every 7 d"


def test_no_doc_of_a_raw_schema_comes_through() -> None:
    raw = {doc for path in (ROOT / "schemas/raw").rglob("*.avsc") for doc in docs_in(json.loads(path.read_text()))}
    assert raw
    assert not raw & {doc for schema in written().values() for doc in docs_in(schema)}


def test_every_action_has_words() -> None:
    assert set(_WORDS) == set(get_args(Action))


def test_schemas_from_before_docs_are_no_error_and_build_writes_the_docs(tmp_path: Path) -> None:
    folder = edited(tmp_path, {})
    schema = next((folder / DERIVED).rglob("*.avsc"))
    old = json.dumps(without_docs(json.loads(schema.read_text())), indent=2) + "\n"
    schema.write_text(old)
    loaded = load(folder, as_of=TODAY)
    assert loaded.findings == ()
    assert loaded.contract is not None
    built = build(folder, loaded.contract, as_of=TODAY)
    assert (built.changes, built.superseded) == (1, ())  # a doc supersedes no schema
    assert json.loads(schema.read_text())["doc"]


@pytest.mark.parametrize("change", [('"type": "long"', '"type": "int"'), ('  "fields"', ' "fields"')])
def test_what_is_not_a_doc_is_still_compared(tmp_path: Path, change: tuple[str, str]) -> None:
    shutil.copytree(BASE, tmp_path / "contract")
    schema = next((tmp_path / "contract" / DERIVED).rglob("*.avsc"))
    text = schema.read_text()
    schema.write_text(text.replace(*change, 1))
    assert schema.read_text() != text
    found = load(tmp_path / "contract", as_of=TODAY).findings
    assert [one.check for one in found] == ["derived-stale"]
