"""Linkage of a purpose with itself across epochs: by hand, with acceptances, overlays and older contracts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.contract import load, load_valid
from pipelines.contract.linkage.epochs import Across, EventKinds, across, across_in
from pipelines.contract.model import DAY_MS, HOUR_MS, AcceptedAcross, RawSchema, View
from tests.contract.parts import raw, view
from tests.minimize.events import HERE
from tests.support.contract_folders import BASE, TODAY, edited, freshened, overlaid
from tests.support.overlays import lab

ID = {"name": "id", "type": "string", "class": "device_identifier"}
PHASE = {"name": "phase", "type": {"type": "enum", "name": "Phase", "symbols": ["START", "END", "PAUSE"]}}
OK = {"name": "ok", "type": "boolean"}
OCCURRED = {
    "name": "occurred_at",
    "type": {"type": "long", "logicalType": "timestamp-millis"},
    "class": "event_time",
}
SCHEMA = raw([ID, PHASE, OK, OCCURRED])
LINKAGE, PURPOSES = "policies/linkage.yaml", "policies/purposes.yaml"


def view_of(rules: str, topic: str = "network-metadata.support", schema: RawSchema = SCHEMA) -> View:
    draft, report = view(rules, schema)
    assert draft.view is not None, report.mistakes
    return replace(draft.view, topic=topic)


def figures(*events: list[View], late_ms: Mapping[str, int] | None = None) -> dict[str, Across]:
    topics = {view.topic: HOUR_MS for views in events for view in views}
    named = ((f"made.up-{at}", (SCHEMA,), views) for at, views in enumerate(events))
    return {one.purpose: one for one in across(named, topics if late_ms is None else late_ms)}


def test_what_one_event_of_each_type_says_multiplies_over_the_event_types() -> None:
    found = figures([view_of("id: handle\nok: keep")], [view_of("id: handle\nphase: keep")])["support"]
    assert found.events == (EventKinds("made.up-1", 3), EventKinds("made.up-0", 2))
    assert (found.count, found.whole_bits) == (6, 3)


def test_all_topics_of_the_purpose_count_where_one_of_them_has_the_handle() -> None:
    apart = view_of("phase: keep", "audit.support")
    assert figures([view_of("id: handle\nok: keep"), apart])["support"].count == 2 * 3 + 3, "3: refused for its handle"


def test_an_event_type_without_a_handle_of_the_purpose_counts_nothing() -> None:
    other = view_of("id: handle\nphase: keep", "audit.auditing")
    found = figures([view_of("id: handle\nok: keep")], [view_of("phase: keep"), other])
    assert {name: one.count for name, one in found.items()} == {"support": 2, "auditing": 3}
    assert figures([view_of("ok: keep")]) == {}


def test_the_time_of_arrival_counts_nothing_and_the_event_s_own_time_all_it_can_say(tmp_path: Path) -> None:
    timed = figures([view_of("id: handle\noccurred_at: {truncate: 1h}")])["support"]
    assert timed.count == 3_652_059 * DAY_MS, "a clock that is wrong is told to the millisecond of arrival"
    contract = load_valid(BASE, as_of=TODAY)
    longer = load(edited(tmp_path, {"topics.yaml": ("ttl: 72h", "ttl: 30d")}), as_of=TODAY).contract
    assert longer is not None
    assert longer.topics["network-metadata.support"].ttl_ms == 30 * DAY_MS
    assert across_in(longer) == across_in(contract)


@pytest.mark.parametrize(
    ("rules", "count"),
    [
        ("occurred_at: {truncate: {to: 1h, within: 72h}}", 2 * 73 * HOUR_MS),
        ("occurred_at: {truncate: {to: 1d, within: 3d}}", 2 * 4 * DAY_MS),
        ("occurred_at: {truncate: {to: 1ms, within: 5ms}}", 2 * 6),
        ("patched: {truncate: 1d}", 3_652_059 * DAY_MS),  # a date that a clock writes turns at some millisecond
        ("patched: {truncate: {to: 1d, within: 3d}}", 2 * 4 * DAY_MS),
    ],
)
def test_a_time_counts_every_millisecond_that_some_arrival_tells_apart(rules: str, count: int) -> None:
    schema = raw([ID, OCCURRED, {"name": "patched", "type": {"type": "int", "logicalType": "date"}}])
    one = view_of(f"id: handle\n{rules}", schema=schema)
    (found,) = across([("made.up", (schema,), [one])], {one.topic: HOUR_MS})
    assert found.count == count


def test_of_several_steps_for_one_clock_the_widest_window_counts() -> None:
    """All that two topics tell of a clock's error lies in the window of one of them."""
    fine = view_of("id: handle\noccurred_at: {truncate: {to: 1h, within: 72h}}")
    coarse = view_of("occurred_at: {truncate: {to: 1d, within: 3d}}", "audit.support")
    handles_refused = 2 * 4 * DAY_MS
    assert figures([fine, coarse])["support"].count == 2 * 4 * DAY_MS + handles_refused


def test_a_view_for_a_topic_that_is_not_known_leaves_its_event_type_out() -> None:
    assert figures([view_of("id: handle\nok: keep")], late_ms={}) == {}


@pytest.mark.parametrize(
    ("count", "least"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1 << 20, 20), (1 + (1 << 20), 21)]
)
def test_the_bits_rounded_up_are_the_least_that_accepts_the_figure(count: int, least: int) -> None:
    figure = Across("support", (EventKinds("vpn.session", count),))
    assert figure.whole_bits == least
    assert not figure.above(0, AcceptedAcross("support", least, "why", HERE))
    assert least == 0 or figure.above(0, AcceptedAcross("support", least - 1, "why", HERE))
    assert figure.above(20) == (count > 1 << 20)


def test_a_contract_of_the_release_before_is_valid_and_told_the_line_to_add(tmp_path: Path) -> None:
    """Nothing stops: there is a warning for each purpose above the limit, and its line with a reason ends it."""
    folder = overlaid(tmp_path)
    (folder / LINKAGE).write_text("warn_above: 20\naccepted: []\n")
    contract = load_valid(folder, as_of=TODAY)
    (found,) = load(folder, as_of=TODAY).findings
    assert (found.check, found.severity, found.position.file) == ("epoch-linkage", "warning", PURPOSES)
    assert "vpn.session (70.6)" in found.message
    line = found.remedy.split("`")[1]
    assert line == 'across_epochs: [{purpose: support, up_to: 71, reason: ""}]'
    with (folder / LINKAGE).open("a") as file:
        file.write(f"{line}\n")
    refused = [one for one in load(folder, as_of=TODAY).findings if one.check == "bad-value"]
    assert [one.message for one in refused] == ["The text is empty."], "a reason has to be written"
    said = (folder / LINKAGE).read_text().replace('""', "It has to say where a connection failed")
    (folder / LINKAGE).write_text(said)
    loaded = load(folder, as_of=TODAY)
    assert loaded.findings == ()
    assert loaded.contract is not None
    assert loaded.contract.digest == contract.digest, "what is accepted changes no record"
    assert loaded.contract.linkage != contract.linkage


def test_above_what_was_accepted_the_finding_says_both_and_where(tmp_path: Path) -> None:
    folder = edited(tmp_path, {LINKAGE: ("up_to: 1000", "up_to: 70")})
    (found,) = load(folder, as_of=TODAY).findings
    assert "by up to 70.6 bits" in found.message
    assert "Only 70 bits were accepted (policies/linkage.yaml:2:5)." in found.message
    assert "write `up_to: 71` there" in found.remedy


def test_a_name_that_was_mistyped_is_told_with_the_nearest(tmp_path: Path) -> None:
    folder = edited(tmp_path, {LINKAGE: ("purpose: support", "purpose: suport")})
    found = {one.check: one.message for one in load(folder, as_of=TODAY).findings}
    assert found.keys() == {"epoch-linkage", "epoch-linkage-unknown"}
    assert found["epoch-linkage-unknown"] == "There is no purpose 'suport'. Did you mean 'support'?"


def accepting_lab(to: Path) -> Path:
    folder = lab(to)
    entries = [
        {"purpose": one.purpose, "up_to": one.whole_bits, "reason": "The lab is about actions"}
        for one in across_in(load_valid(folder, as_of=TODAY))
    ]
    assert [one["purpose"] for one in entries] == ["support"]
    (folder / LINKAGE).write_text(json.dumps({"across_epochs": entries}))
    (folder / "overlays").mkdir()
    return folder


def found_under(folder: Path, overlay: Mapping[str, object]) -> list[str]:
    (folder / "overlays/less.yaml").write_text(json.dumps({"description": "Less", **overlay}))
    freshened(folder, "less")
    return [one.check for one in load(folder, as_of=TODAY, overlay="less").findings if one.check != "linkage"]


def test_an_overlay_that_removes_what_was_accepted_leaves_nothing_unknown_and_nothing_needless(tmp_path: Path) -> None:
    folder = accepting_lab(tmp_path / "contract")
    assert found_under(folder, {"purposes": {"support": "remove"}}) == []
    loaded = load(folder, as_of=TODAY, overlay="less")
    assert loaded.contract is not None
    assert loaded.contract.linkage.across_epochs == ()
    topics = [name for name in load_valid(folder, as_of=TODAY).topics if name.endswith(".support")]
    handles = {topic: {"device_id": "remove"} for topic in topics}
    assert found_under(folder, {"views": {"lab.sample": handles}}) == []


def test_an_overlay_accepts_nothing(tmp_path: Path) -> None:
    folder = accepting_lab(tmp_path / "contract")
    for words in ({"across_epochs": []}, {"linkage": {"across_epochs": []}}):
        assert "unknown-key" in found_under(folder, words)
