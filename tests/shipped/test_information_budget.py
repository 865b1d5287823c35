"""The shipped contract is within its budgets and its accepted linkage, and the reviewers' page says what holds."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from pipelines.contract import load, load_valid
from pipelines.contract.bits import spelled_bits, view_bits
from pipelines.contract.linkage.epochs import across_in
from pipelines.contract.model import Contract

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/information-budget.md").read_text()
_MOST = 3


def rows(contract: Contract) -> list[str]:
    said = [(view, view_bits(event.versions, view)) for event in contract.events.values() for view in event.views]
    said.sort(key=lambda one: (one[0].purpose, -one[1].count))
    return [
        f"| {view.purpose} | {contract.purposes[view.purpose].max_bits} | {view.event} → {view.topic} | "
        f"{spelled_bits(bits.bits)} | {spelled_bits(bits.time_bits)} | "
        f"{', '.join(f'{field.name} {spelled_bits(field.bits)}' for field in bits.fields[:_MOST])} |"
        for view, bits in said
    ]


def test_the_page_for_reviewers_has_the_bits_of_every_view(shipped: Contract) -> None:
    listed = PAGE.partition("<!-- bits -->")[2].partition("\n## ")[0].splitlines()
    assert [line for line in listed if line.startswith("|")][2:] == rows(shipped)


def test_every_view_is_within_its_budget_and_no_budget_is_twice_what_is_needed(shipped: Contract) -> None:
    most: dict[str, float] = {}
    for event in shipped.events.values():
        for view in event.views:
            said = view_bits(event.versions, view)
            assert said.within(shipped.purposes[view.purpose].max_bits)
            most[view.purpose] = max(most.get(view.purpose, 0), said.bits)
    assert all(purpose.max_bits < 2 * most[purpose.name] for purpose in shipped.purposes.values())


def test_every_linkage_is_below_its_warning_or_accepted_with_a_reason() -> None:
    found = load(ROOT, as_of=date(2026, 11, 30)).findings
    assert not [one for one in found if "linkage" in one.check]


def test_every_acceptance_across_epochs_is_the_figure_of_now_rounded_up(shipped: Contract) -> None:
    figures = {one.purpose: one.whole_bits for one in across_in(shipped)}
    accepted = {one.purpose: one.up_to for one in shipped.linkage.across_epochs}
    assert accepted == figures, "`pipelines linkage --acceptances` prints the list to put into policies/linkage.yaml"


def test_a_contract_of_the_release_before_is_warned_and_relayed_as_before(shipped: Contract, tmp_path: Path) -> None:
    for name in ("policies", "schemas", "overlays", "topics.yaml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    linkage = tmp_path / "policies/linkage.yaml"
    linkage.write_text(linkage.read_text().partition("across_epochs:")[0])
    older = load_valid(tmp_path, as_of=date(2026, 11, 30))
    assert older.policy_version == shipped.policy_version
    findings = load(tmp_path, as_of=date(2026, 11, 30)).findings
    assert [one.check for one in findings] == ["epoch-linkage"] * len(shipped.linkage.across_epochs)
    assert all("`across_epochs: [{purpose: " in one.remedy for one in findings)
