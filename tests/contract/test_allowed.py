"""What stands just inside a rule is allowed: each case is a refused one, fixed as its finding says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.contract import load
from tests.support.contract_folders import FIXTURES, TODAY, freshened, overlaid

POLICY, SCHEMA, TOPICS = "policies/vpn/session.yaml", "schemas/raw/vpn/session.v1.avsc", "topics.yaml"
METADATA, REVIEWED = '"class": "metadata"', '"class": "metadata", "class_review": "PR-9"'
MODEL = '{"name": "model", "type": "string", "class": "metadata"}, '
OF_DETECTION = "threat-intelligence.detection:\n    ttl: 72h\n    late: 24h\n    partitions: 2\n    consumers: "
ACROSS = """across_epochs:
  - purpose: support
    up_to: 1000
    reason: This fixture is about something else
"""
MENDED = {
    "an entry of a map whose keys are metadata": (
        "class-map-key",
        [(SCHEMA, '"peers", "class": "device_identifier"', f'"peers", {METADATA}')],
    ),
    "a map of identifiers that nobody looks into": (
        "class-map-key",
        [(POLICY, "    'peers{\"5eed\"}.up': keep\n", ""), (POLICY, "'peers{}'", "peers")],
    ),
    "whether a protected map has an entry": (
        "class-map-key+presence",
        [(SCHEMA, '"routes", "class": "network_identifier"', '"routes", "class": "content"')],
    ),
    "an entry, its map's keys under never": (
        "leaf-undecided+map-keys",
        [(POLICY, "'peers{\"other\"}'", "'peers{}'")],
    ),
    "an entry, its map counted": (
        "leaf-undecided+map-keys",
        [
            (POLICY, "  'peers{\"other\"}': not needed\n", ""),
            (POLICY, "    ok: keep\n", "    ok: keep\n    peers: count\n"),
        ],
    ),
    "the presence of items that are metadata": (
        "class-in-array+record",
        [(SCHEMA, '{"name": "name", "type": "string", "class": "content"}', MODEL.rstrip(", "))],
    ),
    "a count of what holds more than identifiers": (
        "class-identifier+array",
        [(SCHEMA, '{"name": "serial"', MODEL + '{"name": "serial"')],
    ),
    "the presence of what holds content beside an identifier": (
        "class-identifier+record",
        [
            (
                SCHEMA,
                '"phone_id", "type": "string", "class": "device_identifier"',
                '"x", "type": "string", "class": "content"',
            )
        ],
    ),
    "another time as coarse as the view's": ("time-finer+metadata", [(POLICY, "{truncate: 1m}", "{truncate: 6h}")]),
    "a telling key that was reviewed": (
        "class-name-in-view",
        [(SCHEMA, f'"values": "string"}}, {METADATA}', f'"values": "string"}}, {REVIEWED}')],
    ),
    "a telling key of what cannot tell": (
        "class-name-in-view",
        [(SCHEMA, '"values": "string"}', '"values": "boolean"}'), (POLICY, "{one_of: [free, paid]}", "keep")],
    ),
    "a telling name that was reviewed": (
        "class-name-in-view+as",
        [(SCHEMA, f'"region", "type": "string", {METADATA}', f'"region", "type": "string", {REVIEWED}')],
    ),
    "a telling doc that was reviewed": (
        "class-doc",
        [(SCHEMA, f'never empty.", {METADATA}', f'never empty.", {REVIEWED}')],
    ),
    "a telling doc of what cannot tell": (
        "class-doc",
        [(SCHEMA, '"peer", "type": "string"', '"peer", "type": "boolean"')],
    ),
    "two purposes with a principal each": (
        "principal-links-purposes",
        [(TOPICS, OF_DETECTION + "[support-desk]", OF_DETECTION + "[detector]")],
    ),
    "two purposes of which neither has handles": (
        "principal-links-purposes",
        [
            (POLICY, "  network-metadata.support:\n    device_id: handle\n", "  network-metadata.support:\n"),
            (POLICY, "  threat-intelligence.detection:\n    device_id: handle\n", "  threat-intelligence.detection:\n"),
            (POLICY, "never:\n", "never:\n  device_id: nobody needs it\n"),
            # Both are live, so that they still share when the event came.
            ("policies/linkage.yaml", "up_to: event", "up_to: 29"),
            ("policies/linkage.yaml", ACROSS, ""),
        ],
    ),
}


@pytest.mark.parametrize(("fixture", "edits"), MENDED.values(), ids=MENDED)
def test_what_is_mended_as_a_finding_says_is_valid(
    fixture: str, edits: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    folder = overlaid(tmp_path / "contract", FIXTURES / "invalid" / fixture)
    assert load(folder, as_of=TODAY).findings
    for name, old, new in edits:
        text = (folder / name).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        (folder / name).write_text(text.replace(old, new))
    assert [f"{one.position} {one.check}" for one in load(freshened(folder), as_of=TODAY).findings] == []


@pytest.mark.slow
def test_an_event_type_has_as_many_views_as_the_finding_says(tmp_path: Path) -> None:
    folder = overlaid(tmp_path / "contract", FIXTURES / "invalid/too-many-views")
    (found,) = load(freshened(folder), as_of=TODAY).findings
    assert "; 30 fit." in found.message
    policy, _, never = (folder / POLICY).read_text().partition("never:")
    kept = policy.splitlines(keepends=True)[: found.position.line - 1]
    (folder / POLICY).write_text("".join(kept) + "never:" + never)
    assert {one.check for one in load(freshened(folder), as_of=TODAY).findings} == {"topic-without-view"}
