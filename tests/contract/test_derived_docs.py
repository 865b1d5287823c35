"""The docs of derived schemas: in our own words, of what the view does, and without weight in any fingerprint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from pipelines.contract import build, load
from pipelines.contract.actions import Action, Bucket, Truncate
from pipelines.contract.derived import fingerprint
from pipelines.contract.describing import _WORDS, action_doc, without_docs
from pipelines.contract.folder import DERIVED
from pipelines.contract.model import Contract
from tests.support.contract_folders import BASE, TODAY, edited

ROOT: Final = Path(__file__).parents[2]
BEFORE_DOCS: Final = {
    "audit.audit-correlation/ota.install": "891f083d0f5d4561",
    "audit.audit-correlation/posture.attestation": "828af7865d8789e9",
    "audit.network-policy-review/proxy.policy-decision": "d3ac1177884ff4d8",
    "audit.network-policy-review/vpn.policy-decision": "552a522fc4c14b03",
    "audit.ota-release-review/ota.eligibility-check": "54472695188525ed",
    "audit.ota-release-review/ota.install": "7e2db73240bd9f5c",
    "device-lifecycle.device-management/posture.report": "e08698430cba6533",
    "device-lifecycle.ota-eligibility/ota.eligibility-check": "460682fd17f1f90a",
    "device-lifecycle.ota-eligibility/posture.report": "5b94c2907505079a",
    "device-lifecycle.policy-assignment/posture.report": "9be9bdc4de9694ce",
    "device-lifecycle.policy-assignment/vpn.policy-decision": "a95fc0152f653636",
    "device-lifecycle.remote-attestation/posture.attestation": "e31f2fef7c934531",
    "device-lifecycle.support/ota.install": "0b1d80d23133bfe9",
    "network-metadata.circuit-health/tor.circuit": "29b649c32cf4c8cc",
    "network-metadata.security-enforcement/proxy.policy-decision": "350b9e354993694e",
    "network-metadata.security-enforcement/proxy.request": "38ae99445139b978",
    "network-metadata.security-enforcement/vpn.policy-decision": "804349cc2dadecf3",
    "network-metadata.security-enforcement/vpn.session": "72fe4fe7aeb74ee7",
    "network-metadata.support/proxy.request": "a65a53f02a4d7d4a",
    "network-metadata.support/vpn.session": "6fa2c0140ccc1652",
    "os-security-state.device-management/ota.install": "54b7da600d29b631",
    "os-security-state.security-enforcement/posture.report": "53b47f5fb87fb9a9",
    "threat-intelligence.threat-detection/posture.attestation": "eb98144ab11445c0",
    "threat-intelligence.threat-detection/proxy.request": "c7db60d5fc91ac9c",
    "threat-intelligence.threat-detection/vpn.session": "2a9a4adc6a4d71f5",
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
    assert fields["occurred_at"] == "Truncated to 1 h, null if more than 3 d from its arrival"
    assert fields["account_id"] == "Handle for purpose support, rotates every 7 d"


def test_no_doc_of_a_raw_schema_comes_through() -> None:
    raw = {doc for path in (ROOT / "schemas/raw").rglob("*.avsc") for doc in docs_in(json.loads(path.read_text()))}
    assert raw
    assert not raw & {doc for schema in written().values() for doc in docs_in(schema)}


def test_every_action_has_words() -> None:
    assert set(_WORDS) == set(get_args(Action))


def test_limits_and_reading_rules_are_told() -> None:
    told = action_doc(Truncate(3_600_000, 86_400_000, "iso8601"), "")
    assert told == "Truncated to 1 h, null if more than 1 d from its arrival, read as iso8601"
    assert action_doc(Bucket((0, 10), "decimal"), "").endswith("the number, read as decimal")


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
