"""Raw topics, quarantine and changes: nobody keeps them for longer or reads them without a signature."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from pipelines.contract import build, digest_of, load, load_to_look_at, load_valid
from pipelines.contract.changes import Direction, compare, since
from pipelines.contract.changes.naming import with_changes
from pipelines.contract.folder import PIPELINE_TOPICS
from pipelines.contract.model import USUAL_CHANGES, Contract
from pipelines.contract.pipeline_reviews import topic_digest, unsigned_topics
from pipelines.contract.pipeline_topics import MAX_QUARANTINE_TTL_MS, SUBJECTS
from pipelines.trouble import Trouble
from tests.support.contract_folders import BASE, TODAY, edited, overlaid
from tests.support.repository import committed
from tests.support.shipped import AS_OF, ROOT

REVIEWS, TOPICS, PURPOSES = PIPELINE_TOPICS, "topics.yaml", "policies/purposes.yaml"
Edits = dict[str, tuple[str, str]]
SIGNED = {
    "raw": "a53f813231c22b292df15a54f8d8092a21f88d320d159fc0a5dd644234234cfa",
    "quarantine": "3c764a6c6aeef6ce5789378b23cb645a749963d9095166d0cebe046f97151867",
    "changes": "d8c7a2a983d3a64e4ac22f887ce0ec050b716331fbd246399e2e2ddeeccd3a8f",
}
"""The digests of fixtures/base by the recipe pipeline-topic-1."""
BEFORE = "b9a6c18302a45552f258ea4127ca2610f60ce03d834b14f53736399edaf0e435"
"""The digest that a release without these reviews gives fixtures/base, which then has no such file."""
SAME: dict[str, Edits] = {
    "a shorter life": {TOPICS: ("quarantine, ttl: 7d", "quarantine, ttl: 6d")},
    "a name": {TOPICS: ("topic: quarantine,", "topic: notes,")},
    "partitions": {TOPICS: ("ttl: 7d, partitions: 1", "ttl: 7d, partitions: 3")},
    "a unit": {REVIEWS: ("max_ttl: 7d", "max_ttl: 168h")},
    "another owner": {REVIEWS: ("PR-3, approved: 2026-01-01", "PR-9, approved: 2026-02-01")},
    "a comment": {REVIEWS: ("quarantine:", "# notes\nquarantine:")},
}
OTHER: dict[str, Edits] = {
    "a consumer": {
        TOPICS: ("[operators]", "[marketing, operators]"),
        REVIEWS: ("[operators]", "[marketing, operators]"),
    },
    "a consumer in topics.yaml alone": {TOPICS: ("[operators]", "[marketing, operators]")},
    "a consumer less": {TOPICS: ("[operators]", "[]"), REVIEWS: ("[operators]", "[]")},
    "a longer life": {REVIEWS: ("max_ttl: 7d", "max_ttl: 8d")},
    "a reason": {REVIEWS: ("Faults are fixed in a week", "Faults are fixed in a month")},
}


def contract_of(folder: Path) -> Contract:
    contract = load(folder, as_of=TODAY).contract
    assert contract is not None
    return contract


def checks(folder: Path) -> list[str]:
    return [found.check for found in load(folder, as_of=TODAY).findings]


def undeclared(to: Path) -> Path:
    """The base contract as a release without these reviews has it."""
    overlaid(to)
    (to / REVIEWS).unlink()
    return to


def test_a_long_quarantine_for_everybody_is_refused_in_the_shipped_contract(tmp_path: Path) -> None:
    shipped = (ROOT / TOPICS).read_text()
    line = "quarantine: {topic: quarantine, ttl: 7d, partitions: 2, consumers: [pipeline-operators]}"
    assert line in shipped
    loose = line.replace("ttl: 7d", "ttl: 400d").replace("pipeline-operators", "marketing, everyone")
    folder = _copied(tmp_path / "contract", shipped.replace(line, loose))
    found = [one for one in load(folder, as_of=AS_OF).findings if one.position.file == TOPICS]
    assert [one.check for one in found] == ["pipeline-consumers", "pipeline-consumers", "pipeline-ttl"]
    for one, named in zip(found, ("everyone", "marketing", "400d"), strict=True):
        assert named in one.message
    assert not load(folder, as_of=AS_OF).valid


def _copied(to: Path, topics: str) -> Path:
    for part in ("policies", "schemas"):
        shutil.copytree(ROOT / part, to / part)
    (to / TOPICS).write_text(topics)
    return to


def test_the_digests_of_this_recipe_stay() -> None:
    assert {subject: topic_digest(contract_of(BASE), subject) for subject in SUBJECTS} == SIGNED


@pytest.mark.parametrize("edits", SAME.values(), ids=SAME)
def test_what_nobody_has_to_judge_needs_no_signature(edits: Edits, tmp_path: Path) -> None:
    folder = edited(tmp_path, edits)
    assert topic_digest(contract_of(folder), "quarantine") == SIGNED["quarantine"]
    assert unsigned_topics(contract_of(folder)) == frozenset()


@pytest.mark.parametrize("edits", OTHER.values(), ids=OTHER)
def test_what_a_reviewer_judged_cannot_change_under_a_signature(edits: Edits, tmp_path: Path) -> None:
    folder = edited(tmp_path, edits)
    assert topic_digest(contract_of(folder), "quarantine") != SIGNED["quarantine"]
    assert "review-signed" in checks(folder)
    assert unsigned_topics(contract_of(folder)) == {"quarantine"}
    assert load_to_look_at(folder, as_of=TODAY).unsigned_topics == {"quarantine"}
    with pytest.raises(Trouble, match="review-signed"):
        load_valid(folder, as_of=TODAY)


@pytest.mark.parametrize("edits", [*SAME.values(), *OTHER.values()], ids=[*SAME, *OTHER])
def test_no_purpose_has_to_be_signed_again_for_these_topics(edits: Edits, tmp_path: Path) -> None:
    before = digest_of(contract_of(BASE), "support")
    assert digest_of(contract_of(edited(tmp_path / "edited", edits)), "support") == before
    assert digest_of(contract_of(undeclared(tmp_path / "undeclared")), "support") == before


def test_a_contract_of_an_older_release_keeps_its_policy_version_and_gets_a_warning(tmp_path: Path) -> None:
    folder = undeclared(tmp_path)
    loaded = load(folder, as_of=TODAY)
    assert [found.check for found in loaded.findings] == ["pipeline-undeclared"]
    assert "pipelines review" in loaded.findings[0].remedy
    assert loaded.valid
    assert load_valid(folder, as_of=TODAY).digest.hex() == BEFORE
    assert load_to_look_at(folder, as_of=TODAY).unsigned_topics == frozenset()


def test_a_contract_of_an_older_release_is_let_through_with_limits_that_a_review_would_refuse(tmp_path: Path) -> None:
    folder = edited(tmp_path, {TOPICS: ("quarantine, ttl: 7d", "quarantine, ttl: 60d")})
    (folder / REVIEWS).unlink()
    assert checks(folder) == ["pipeline-undeclared", "pipeline-undeclared"]
    load_valid(folder, as_of=TODAY)


def test_no_review_lets_the_quarantine_be_kept_for_more_than_thirty_days(tmp_path: Path) -> None:
    assert MAX_QUARANTINE_TTL_MS == 30 * 24 * 3_600_000
    assert checks(edited(tmp_path / "at", {REVIEWS: ("max_ttl: 7d", "max_ttl: 30d")})) == ["review-signed"]
    assert checks(edited(tmp_path / "above", {REVIEWS: ("max_ttl: 7d", "max_ttl: 31d")})) == ["bad-value"]


def test_the_usual_topic_of_changes_has_a_digest_like_one_that_is_named(tmp_path: Path) -> None:
    assert contract_of(BASE).changes == USUAL_CHANGES
    topics = (BASE / TOPICS).read_text()
    folder = overlaid(tmp_path)
    (folder / TOPICS).write_text(f"{topics}changes: {{topic: audit.retention-changes, ttl: 400d, consumers: []}}\n")
    assert topic_digest(contract_of(folder), "changes") == SIGNED["changes"]
    assert load_valid(folder, as_of=TODAY).digest == load_valid(BASE, as_of=TODAY).digest


def test_changes_are_proven_for_as_long_as_the_longest_ttl(tmp_path: Path) -> None:
    topics = (BASE / TOPICS).read_text()
    for ttl, found in (("168h", []), ("167h", ["pipeline-ttl"])):  # the quarantine is kept for 7 days
        folder = overlaid(tmp_path / ttl)
        (folder / TOPICS).write_text(
            f"{topics}changes: {{topic: audit.retention-changes, ttl: {ttl}, consumers: []}}\n"
        )
        assert checks(folder) == found


def test_an_expired_review_is_a_warning_and_does_not_stop_the_account_of_events(tmp_path: Path) -> None:
    folder = edited(tmp_path, {REVIEWS: ("id: PR-3, approved: 2026-01-01, expires: 2027-12-31", _expired("PR-3"))})
    (found,) = load(folder, as_of=TODAY).findings
    assert (found.check, "the topics are still written" in found.message) == ("review-expired", True)
    load_valid(folder, as_of=TODAY)


def _expired(review: str) -> str:
    return f"id: {review}, approved: 2026-01-01, expires: 2026-02-01"


def test_a_review_that_nobody_would_have_to_renew_is_refused(tmp_path: Path) -> None:
    old = "id: PR-3, approved: 2026-01-01, expires: 2027-12-31"
    folder = edited(tmp_path, {REVIEWS: (old, "id: PR-3, approved: 2026-01-01, expires: 9999-12-31")})
    (found,) = load(folder, as_of=TODAY).findings
    assert (found.check, "731" in found.message) == ("bad-value", True)


@pytest.mark.parametrize("day", [date.max, date.min, date(9999, 12, 1)])
def test_every_day_can_be_asked_for(day: date, tmp_path: Path) -> None:
    folder = edited(tmp_path, {PURPOSES: ("expires: 2027-01-01", "expires: 9999-12-31")})
    assert load(folder, as_of=day).findings


def test_a_removed_review_is_worse_and_an_added_one_better(tmp_path: Path) -> None:
    without, there = contract_of(undeclared(tmp_path)), contract_of(BASE)
    assert [one.direction for one in compare(there, without)] == [Direction.WORSE] * 3
    assert [one.direction for one in compare(without, there)] == [Direction.BETTER] * 3


@pytest.mark.parametrize("edits", OTHER.values(), ids=OTHER)
def test_whatever_needs_a_signature_is_named_as_a_change_of_what_was_signed(edits: Edits, tmp_path: Path) -> None:
    now = contract_of(edited(tmp_path, edits))
    told = since(contract_of(BASE), now, "quarantine")
    assert told
    assert "something else is covered" not in {one.what for one in told}
    assert since(contract_of(BASE), now, "raw") == since(contract_of(BASE), now, "support") == ()


def test_the_finding_names_what_changed_since_it_was_signed(tmp_path: Path) -> None:
    first = committed(overlaid(tmp_path), "signed")
    topics = tmp_path / TOPICS
    topics.write_text(topics.read_text().replace("[operators]", "[marketing, operators]"))
    loaded = load(tmp_path, as_of=TODAY)
    (named,) = [found for found in with_changes(tmp_path, loaded, as_of=TODAY) if found.check == "review-signed"]
    assert first[:12] in named.message
    assert "the quarantine: consumer added: marketing (worse)" in named.message


def test_under_an_overlay_the_contract_is_what_was_signed(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (folder / "overlays").mkdir()
    less = "description: less\ntopics: {quarantine: {ttl: 5d, consumers: []}}\n"
    (folder / "overlays/less.yaml").write_text(less)
    assert load(folder, as_of=TODAY, overlay="less").findings == ()
    topics = folder / TOPICS
    topics.write_text(topics.read_text().replace("[operators]", "[marketing, operators]"))
    found = {one.check for one in load(folder, as_of=TODAY, overlay="less").findings}
    assert {"pipeline-consumers", "review-signed"} <= found


def test_a_folder_that_was_built_before_is_as_fresh_as_it_was(tmp_path: Path) -> None:
    folder = undeclared(tmp_path)
    built = build(folder, contract_of(folder), as_of=TODAY)
    assert built.changes == 0
