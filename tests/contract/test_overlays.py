"""Overlays: what a person reads who writes one, and what the one that is shipped does."""

from __future__ import annotations

import json
import os
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contract import derived_schemas, load
from pipelines.contract.building import Under
from pipelines.contract.changes import compare
from pipelines.contract.changes.change import Direction
from pipelines.contract.model import DAY_MS, HOUR_MS, OutputArray
from pipelines.contract.overlay.tightening import KINDS
from tests.support.contract_folders import FIXTURES, TODAY, found_in, overlaid
from tests.support.hostile_text import YAMLISH
from tests.support.overlays import lab, laid

ROOT = Path(__file__).parents[2]
AS_OF = date(2026, 11, 30)
INVALID = FIXTURES / "invalid"
LOOSENED = {
    "ttl": ("ttl", "raw-ttl", "quarantine-ttl", "changes", "changes-shorter", "audit-shorter"),
    "late": ("late", "late-default"),
    "max_bits": ("max-bits",),
    "rotate": ("rotate", "rotate-across"),
    "expires": ("expires", "audit-expires"),
    "consumers": ("consumers", "quarantine-consumers", "changes-consumers"),
    "producers": ("producers",),
    "list": ("list", "holds-back-by-list"),
    "rule": ("finer", "apart", "other-kind", "holds-back", "more-bits"),
}
"""What an overlay can say anew, and the fixtures in which that is looser than the contract."""
ENDED = ("audit-removed", "audit-by-its-views")
"""Fixtures in which an overlay takes an audit topic away."""
EACH = [f"overlay-loosens+{name}" for names in (*LOOSENED.values(), ENDED) for name in names]


def test_whatever_an_overlay_can_say_anew_has_a_fixture_that_loosens_it() -> None:
    assert LOOSENED.keys() == set(KINDS)
    assert sorted(EACH) == sorted(path.name for path in INVALID.glob("overlay-loosens*"))


@pytest.mark.parametrize("name", EACH)
def test_what_loosens_is_told_with_its_line_and_the_contracts(name: str, tmp_path: Path) -> None:
    loaded = found_in(INVALID / name, tmp_path / "contract")
    found = [one for one in loaded.findings if one.check == "overlay-loosens"]
    assert found
    for one in found:
        assert one.position.file == "overlays/strict.yaml"
        places = re.findall(r"\(((?:topics|policies/[a-z/]+)\.yaml):(\d+):\d+\)", one.message)
        assert places
        subject = one.message.split("'")[1]
        for file, line in places:
            lines = (tmp_path / "contract" / file).read_text().splitlines()[: int(line)]
            assert any(subject.partition(".")[2] in said or subject in said for said in lines), one.message


def test_what_an_overlay_would_add_is_told_with_the_place_that_has_no_such_thing(tmp_path: Path) -> None:
    found = found_in(INVALID / "overlay-unknown", tmp_path / "contract").findings
    assert [one.message.partition("(")[2].partition(")")[0] for one in found if one.check == "overlay-unknown"] == [
        "policies/purposes.yaml",
        "policies/lists.yaml",
        "topics.yaml",
        "policies/",
        "policies/vpn/session.yaml",
        "policies/vpn/session.yaml:3:3",
    ]


BAD = {
    "a link": lambda path: (path.unlink(), path.symlink_to("/etc/hostname")),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "much": lambda path: path.write_bytes(b"[" * 10_000_000),
    "bad text": lambda path: path.write_bytes(b"description: \xff\n"),
    "deep": lambda path: path.write_text("views: " + "{a: " * 90_000),
    "a laugh": lambda path: path.write_text("a: &a [x]\n" + "\n".join(f"b{i}: [*a, *a]" for i in range(20))),
    "nothing": lambda path: path.write_text(""),
    "a list": lambda path: path.write_text("[views]\n"),
    "many purposes": lambda path: path.write_text(
        "description: d\npurposes:\n" + "".join(f"  p{i}: remove\n" for i in range(9_000))
    ),
    "many fields": lambda path: path.write_text(
        "description: d\nviews:\n  vpn.session:\n    network-metadata.support:\n"
        + "".join(f"      f{i}: remove\n" for i in range(9_000))
    ),
    "odd names": lambda path: path.write_text(
        'description: d\npurposes: {"\\e[31m\\u202e": remove, "../..": remove}\n'
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.cpu_seconds(60)
def test_a_hostile_overlay_gives_findings_in_its_place_and_never_a_contract(name: str, tmp_path: Path) -> None:
    folder = overlaid(tmp_path / "contract", INVALID / "overlay-needless")
    BAD[name](folder / "overlays/strict.yaml")
    loaded = load(folder, as_of=TODAY, overlay="strict")
    assert loaded.contract is None
    assert any(one.position.file.startswith("overlays") for one in loaded.findings)
    assert len(loaded.findings) < 150
    assert all(f"{one.position}{one.message}".isprintable() for one in loaded.findings)


@pytest.mark.slow
@settings(max_examples=80)
@given(cut=st.integers(0, 700), put=YAMLISH)
def test_text_put_anywhere_into_an_overlay_never_raises_and_never_loosens(
    cut: int, put: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "put-overlay"
    overlaid(folder, INVALID / "overlay-needless")
    path = folder / "overlays/strict.yaml"
    old = path.read_text()
    path.write_text(old[: cut % len(old)] + put + old[cut % len(old) :])
    loaded = load(folder, as_of=TODAY, overlay="strict")
    for found in loaded.findings:
        assert f"{found.position}{found.message}".isprintable()
    base = load(folder, as_of=TODAY).contract
    if loaded.contract is not None and loaded.valid and base is not None:
        assert not [one for one in compare(base, loaded.contract) if one.direction is Direction.WORSE]


@pytest.mark.parametrize("name", ["..", "../strict", "strict.yaml", "", "/etc/hostname", "no-such"])
def test_an_overlay_is_named_by_a_name_and_by_nothing_else(name: str, tmp_path: Path) -> None:
    folder = overlaid(tmp_path / "contract", INVALID / "overlay-needless")
    loaded = load(folder, as_of=TODAY, overlay=name)
    assert loaded.contract is None
    assert [one.check for one in loaded.findings] == ["file-missing"]


def test_a_record_whose_time_is_taken_away_stays_as_coarse_in_its_envelope(tmp_path: Path) -> None:
    folder = lab(tmp_path / "contract")
    views = {topic: {"occurred_at": "remove"} for topic in ("network-metadata.support", "threat-intelligence.trends")}
    loaded = laid(folder, {"views": {"lab.sample": views}})
    assert loaded.contract is not None
    steps = {view.topic: view.step_ms for view in loaded.contract.events["lab.sample"].views}
    assert steps == {"network-metadata.support": HOUR_MS, "threat-intelligence.trends": DAY_MS}


def test_what_a_view_no_longer_tells_goes_on_holding_back(tmp_path: Path) -> None:
    folder = lab(tmp_path / "contract")
    lines = {"tier": "remove", "small": "remove", "flag": "remove", "items[].id": "remove", "extra.x": "present"}
    loaded = laid(folder, {"views": {"lab.sample": {"network-metadata.support": lines}}})
    assert loaded.contract is not None
    view = next(one for one in loaded.contract.events["lab.sample"].views if "support" in one.topic)
    assert [guard.name for guard in view.guards] == ["small", "items", "extra_x", "tier"]
    inside = [field.name for guard in view.guards if isinstance(guard, OutputArray) for field in guard.fields]
    assert inside == ["id"]


def test_an_overlay_that_removes_everything_leaves_a_contract_of_nothing(tmp_path: Path) -> None:
    folder = lab(tmp_path / "contract")
    (folder / "overlays").mkdir()
    said = {
        "description": "All of it",
        "views": {"lab.sample": "remove"},
        "topics": {"raw.lab.sample": {"producers": []}},
    }
    (folder / "overlays/none.yaml").write_text(json.dumps(said))
    loaded = load(folder, as_of=TODAY, overlay="none")
    assert [one.check for one in loaded.findings] == ["event-without-view"]
    assert loaded.contract is not None
    assert not loaded.contract.topics
    assert not loaded.contract.purposes
    assert loaded.contract.raw_topics["raw.lab.sample"].producers == ()


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "overlays").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_overlay_is_tighter_fresh_and_without_a_finding(path: Path) -> None:
    base, loaded = load(ROOT, as_of=AS_OF).contract, load(ROOT, as_of=AS_OF, overlay=path.stem)
    assert loaded.findings == ()
    assert base is not None
    assert loaded.contract is not None
    changes = compare(base, loaded.contract)
    assert {one.direction for one in changes} == {Direction.BETTER, Direction.NEUTRAL}
    texts = derived_schemas(loaded.contract, Under(path.stem, base))
    assert texts
    assert all((ROOT / name).read_text() == text for name, text in texts.items())


def test_a_review_covers_the_contract_and_what_is_less_needs_no_other(tmp_path: Path) -> None:
    """Signed is what the purpose receives without the overlay: an edit there makes it void under the overlay, too."""
    folder = lab(tmp_path / "contract")
    (folder / "overlays").mkdir()
    said = {"description": "Less", "views": {"lab.sample": {"network-metadata.support": {"flag": "remove"}}}}
    (folder / "overlays/less.yaml").write_text(json.dumps(said))
    checks = {one.check for one in load(folder, as_of=TODAY, overlay="less").findings}
    assert checks == {"derived-missing"}
    topics = (folder / "topics.yaml").read_text()
    (folder / "topics.yaml").write_text(topics.replace("ttl: 72h", "ttl: 73h"))
    assert "review-signed" in {one.check for one in load(folder, as_of=TODAY, overlay="less").findings}
