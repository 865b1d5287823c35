"""Superseded schemas: whoever edits a policy takes from nobody the means to read records that are still alive."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import build, load, load_for_building
from pipelines.contract.building import Built, Under
from pipelines.contract.findings import Severity
from pipelines.contract.model import Contract, View
from pipelines.contract.superseded import ROLLOUT_DAYS, fingerprint_in
from pipelines.contract.superseding import superseding
from pipelines.sdk.decoding import Decoder
from tests.support.contract_folders import TODAY, edited, overlaid

POLICY: Final = "policies/vpn/session.yaml"
TOPIC: Final = "network-metadata.support"
INDEX: Final = "schemas/minimized/superseded.json"
TTL_DAYS: Final = 3
LAST: Final = timedelta(days=TTL_DAYS + ROLLOUT_DAYS)
NAMES: Final = ("good", "fine", "well")


@cache
def contract_with(name: str) -> Contract:
    """The base contract, with another name for one output."""
    with tempfile.TemporaryDirectory() as folder:
        edited(Path(folder), {POLICY: ("ok: keep", f"ok: {{do: keep, as: {name}}}")})
        return load_for_building(Path(folder), as_of=TODAY)


def print_of(contract: Contract) -> bytes:
    return contract.events["vpn.session"].views[0].fingerprint


def known(folder: Path) -> set[bytes]:
    decoder = Decoder.of(folder, TOPIC)
    assert decoder is not None
    return set(decoder.schemas)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 40)), min_size=1, max_size=8))
def test_every_schema_is_kept_for_the_ttl_after_it_was_replaced_and_is_then_removed(
    steps: list[tuple[str, int]],
) -> None:
    derived, there, day = f"schemas/minimized/{TOPIC}/vpn.session.v1.avsc", dict[str, bytes](), TODAY
    replaced: dict[str, date] = {}
    current: View | None = None
    for name, days in steps:
        day += timedelta(days=days)
        contract = contract_with(name)
        (view,) = contract.events["vpn.session"].views
        before = {} if current is None or current.schema == view.schema else {derived: current.schema.encode()}
        if current is not None and before:
            replaced[current.fingerprint.hex()] = day
        current, force = view, {view.fingerprint.hex()}
        replaced.pop(view.fingerprint.hex(), None)
        done = superseding(INDEX, there, before, force, contract, day)
        assert all(replaced[one.fingerprint] + LAST < day for one in done.expired)
        there = {path: content for path, content in {**there, **done.written}.items() if path not in done.removed}
        replaced = {one: then for one, then in replaced.items() if day <= then + LAST}
        assert {fingerprint_in(content) for path, content in there.items() if path != INDEX} == replaced.keys()
        again = superseding(INDEX, there, {}, force, contract, day)
        assert (again.written, again.removed, again.changed) == ({}, (), False)
        assert not superseding(INDEX, there, {}, force, contract, day + timedelta(days=999)).changed


def changed(folder: Path, *, day: date = TODAY) -> Built:
    """Rename an output and build."""
    policy = folder / POLICY
    policy.write_text(policy.read_text().replace("ok: keep", "ok: {do: keep, as: good}"))
    return build(folder, load_for_building(folder, as_of=TODAY), as_of=day)


def test_a_longer_ttl_keeps_what_was_superseded_before_for_longer(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (one,) = changed(folder).superseded
    assert one.until == TODAY + LAST
    topics = folder / "topics.yaml"
    topics.write_text(topics.read_text().replace("ttl: 72h", "ttl: 90d"))
    assert "derived-unlisted" in {found.check for found in load(folder, as_of=TODAY).findings}
    build(folder, load_for_building(folder, as_of=TODAY), as_of=TODAY + timedelta(days=1))
    assert f"{TODAY + timedelta(days=90 + ROLLOUT_DAYS)}" in (folder / INDEX).read_text()
    topics.write_text(topics.read_text().replace("ttl: 90d", "ttl: 72h"))
    assert build(folder, load_for_building(folder, as_of=TODAY), as_of=TODAY).changes == 0


def test_schemas_of_a_removed_topic_are_kept(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    contract = load_for_building(folder, as_of=TODAY)
    without = contract_with("good")
    assert print_of(contract) != print_of(without)
    gone = build(folder, _without_views(contract), as_of=TODAY)
    assert gone.removed == (f"schemas/minimized/{TOPIC}/vpn.session.v1.avsc",)
    assert known(folder) == {print_of(contract)}
    assert gone.superseded[0].until >= TODAY + timedelta(days=3_660)


def _without_views(contract: Contract) -> Contract:
    return replace(contract, events={}, topics={})


@pytest.mark.parametrize("fault", ["missing", "no JSON", "conflict"])
def test_an_index_that_was_lost_in_a_merge_is_made_again_and_nothing_is_removed(fault: str, tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (one,) = changed(folder).superseded
    index = folder / INDEX
    if fault == "missing":
        index.unlink()
    else:
        index.write_text("<<<<<<<" if fault == "conflict" else "[1]")
    assert {found.check for found in load(folder, as_of=TODAY).findings} >= {"derived-unlisted"}
    later = TODAY + timedelta(days=10)
    build(folder, load_for_building(folder, as_of=TODAY), as_of=later)
    assert (folder / one.file).exists()
    assert f"{later + LAST}" in index.read_text()
    findings = load(folder, as_of=TODAY).findings
    assert {found.check for found in findings if found.severity is Severity.ERROR} <= {"review-signed"}


@pytest.mark.parametrize("files", range(3))
def test_a_build_that_is_broken_off_leaves_every_schema_somewhere(
    files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = overlaid(tmp_path)
    before, after = known(folder), print_of(contract_with("good"))
    move, moved = os.replace, 0

    def limited(old: str, new: str, **folders: int) -> None:
        nonlocal moved
        if moved == files:
            raise KeyboardInterrupt
        moved += 1
        move(old, new, **folders)

    monkeypatch.setattr(os, "replace", limited)
    with pytest.raises(KeyboardInterrupt):
        changed(folder)
    assert before <= known(folder)
    monkeypatch.undo()
    changed(folder)
    assert known(folder) == {*before, after}


def test_an_overlay_keeps_its_own_and_the_contract_its_own(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    overlay = folder / "overlays/less.yaml"
    overlay.parent.mkdir()
    overlay.write_text(f"description: less\nviews: {{vpn.session: {{{TOPIC}: {{ok: remove}}}}}}\n")

    def build_overlay() -> Built:
        base = load_for_building(folder, as_of=TODAY)
        laid = load_for_building(folder, as_of=TODAY, overlay="less")
        return build(folder, laid, as_of=TODAY, under=Under("less", base))

    build_overlay()
    first = Decoder.of(folder, TOPIC, "less")
    overlay.write_text(f"description: less\nviews: {{vpn.session: {{{TOPIC}: {{ok: remove, dns_names: remove}}}}}}\n")
    built = build_overlay()
    assert [one.file.split("/")[:3] for one in built.superseded] == [["overlays", "less", "schemas"]]
    second = Decoder.of(folder, TOPIC, "less")
    assert first is not None
    assert second is not None
    assert set(first.schemas) < set(second.schemas)
    errors = {one.check for one in load(folder, as_of=TODAY, overlay="less").findings if one.severity is Severity.ERROR}
    assert errors == set()
    assert not (folder / INDEX).exists()


def redated(folder: Path, superseded: str, until: str) -> None:
    """Give the one entry of the index other dates."""
    index = json.loads((folder / INDEX).read_text())
    (entry,) = index.values()
    entry |= {"superseded": superseded, "until": until}
    (folder / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


@pytest.mark.parametrize("superseded", ["9999-12-31", "9999-01-01", "2028-06-03"])
def test_a_schema_superseded_years_ahead_is_a_finding_and_counts_from_the_next_build(
    superseded: str, tmp_path: Path
) -> None:
    folder = overlaid(tmp_path)
    changed(folder)
    redated(folder, superseded, "9999-12-31")
    found = [one for one in load(folder, as_of=TODAY).findings if one.check == "derived-unlisted"]
    assert [one.position.file for one in found] == [INDEX]
    assert superseded in found[0].message
    later = TODAY + timedelta(days=1)
    build(folder, load_for_building(folder, as_of=TODAY), as_of=later)
    assert f'"superseded": "{later}"' in (folder / INDEX).read_text()
    assert "derived-unlisted" not in {one.check for one in load(folder, as_of=TODAY).findings}


@pytest.mark.parametrize("superseded", ["20260601", "2026-W23-1", "10000-01-01", "2026-06-31", "", "2026-06-01 "])
def test_a_date_that_no_build_wrote_is_a_finding(superseded: str, tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    changed(folder)
    redated(folder, superseded, "2026-12-31")
    assert "derived-unlisted" in {one.check for one in load(folder, as_of=TODAY).findings}
