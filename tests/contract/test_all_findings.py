"""One run finds all that is wrong: errors in different files do not hide each other, and bring no others about."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.contract import load
from pipelines.contract.changes import compare_readable
from pipelines.contract.deployments import under_each_overlay
from tests.support.contract_folders import BASE, TODAY, edited, overlaid
from tests.support.shipped import AS_OF, ROOT

_PURPOSES: Final = (ROOT / "policies/purposes.yaml").read_text()
# A purpose with no view of an event type that has another fault here.
_DIGEST: Final = _PURPOSES.partition("\nnetwork-policy-review:")[2].partition("covers: ")[2][:12]
FAULTS: Final = {
    # file -> (the check that finds the fault, a text of the file, what stands there instead)
    "topics.yaml": ("bad-value", "raw.tor.circuit: {ttl: 12h", "raw.tor.circuit: {ttl: soon"),
    "policies/purposes.yaml": ("review-signed", f"covers: {_DIGEST}", "covers: 000000000000"),
    "policies/ota/install.yaml": ("rule-action", "attempt: {bucket: [1, 2, 4, 8]}", "attempt: {buckets: [1]}"),
    "policies/posture/report.yaml": ("yaml-syntax", "event: posture.report\n", "event: [posture.report\n"),
    "policies/proxy/policy-decision.yaml": ("never-unknown", "  request_id: ", "  no_field: nothing\n  request_id: "),
    "policies/linkage.yaml": (
        "linkage-unknown",
        "accepted:\n",
        "accepted:\n  - {event: vpn.sesion, purposes: [support, threat-detection], up_to: 1, reason: A typing error}\n",
    ),
    "overlays/example-strict.yaml": (
        "overlay-unknown",
        "  gateway-regions:",
        "  gateway-region: [a]\n  gateway-regions:",
    ),
    "schemas/raw/vpn/session.v2.avsc": ("bad-value", '"class": "event_id"', '"class": "event_ids"'),
    "schemas/raw/tor/circuit.v1.avsc": ("class-doc", '{"name": "streams",', '{"name": "streams", "doc": "an email",'),
    "schemas/minimized/audit.network-policy-review/vpn.policy-decision.v1.avsc": (
        "derived-stale",
        '"record"',
        '"record" ',
    ),
    "schemas/minimized/device-lifecycle.support/tor.circuit.v1.avsc": ("derived-orphan", "", "{}"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the shipped contract."""
    to = tmp_path_factory.mktemp("shipped")
    for name in ("policies", "schemas", "overlays"):
        shutil.copytree(ROOT / name, to / name)
    shutil.copy(ROOT / "topics.yaml", to / "topics.yaml")
    return to


def found_with(folder: Path, faults: set[str]) -> list[tuple[str, str]]:
    """The file and the check of each finding, under the shipped overlay too, with these faults in the folder."""
    kept = {name: (folder / name).read_bytes() if (folder / name).exists() else None for name in faults}
    try:
        for name in faults:
            _, before, after = FAULTS[name]
            text = (kept[name] or b"").decode()
            assert before in text, f"{name} no longer holds {before!r}"
            (folder / name).write_text(text.replace(before, after, 1))
        loaded = load(folder, as_of=AS_OF)
        deployments = under_each_overlay(folder, loaded, as_of=AS_OF) or {}
        own = [found for one in deployments.values() for found in one.own]
        return sorted((found.position.file, found.check) for found in (*loaded.findings, *own))
    finally:
        for name, content in kept.items():
            if content is None:
                (folder / name).unlink()
            else:
                (folder / name).write_bytes(content)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.sets(st.sampled_from(sorted(FAULTS)), max_size=len(FAULTS)))
def test_faults_in_different_files_give_one_finding_each_in_one_run(folder: Path, faults: set[str]) -> None:
    assert found_with(folder, faults) == sorted((name, FAULTS[name][0]) for name in faults)


def test_all_faults_together_give_one_finding_each(folder: Path) -> None:
    assert found_with(folder, set(FAULTS)) == sorted((name, check) for name, (check, *_) in FAULTS.items())


def test_what_could_not_be_read_is_named_and_nothing_is_relayed_by_the_rest(tmp_path: Path) -> None:
    loaded = load(edited(tmp_path, {"policies/vpn/session.yaml": ("ok: keep", "ok: hash")}), as_of=TODAY)
    assert loaded.unread.spelled() == ("view vpn.session → network-metadata.support",)
    assert loaded.contract is None
    assert loaded.readable is not None
    assert (loaded.readable.events["vpn.session"].views, loaded.readable.digest) == ((), b"")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("policies/vpn/session.yaml", "ok: keep", "ok: hash"),
        ("policies/vpn/session.yaml", "event: vpn.session\n", "event: [\n"),
        ("policies/purposes.yaml", "rotate: 1d", "rotate: soon"),
        ("policies/purposes.yaml", "support:\n", "support: [\n"),
        ("topics.yaml", "quarantine: {", "quarantine: {wrong: 1, "),
        ("topics.yaml", "raw.vpn.session: {ttl: ", "raw.vpn.session: {ttl: x"),
        ("topics.yaml", "network-metadata.support:\n    ttl: ", "network-metadata.support:\n    ttl: x"),
        ("topics.yaml", "raw:\n", "raw: [\n"),
        ("schemas/raw/vpn/session.v1.avsc", '"class": "event_id"', '"class": "event_ids"'),
        ("schemas/raw/vpn/session.v1.avsc", '"type": "record"', '"type": "recrd"'),
    ],
)
def test_what_one_side_cannot_read_is_no_difference(name: str, before: str, after: str, tmp_path: Path) -> None:
    overlaid(tmp_path)
    text = (tmp_path / name).read_text()
    assert before in text
    (tmp_path / name).write_text(text.replace(before, after, 1))
    whole, broken = load(BASE, as_of=TODAY), load(tmp_path, as_of=TODAY)
    assert whole.readable is not None
    assert broken.readable is not None
    assert broken.contract is None
    sides = (whole.readable, whole.unread), (broken.readable, broken.unread)
    assert compare_readable(*sides) == ()
    assert compare_readable(*sides[::-1]) == ()
