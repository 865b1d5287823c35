"""`pipelines review` and `pipelines diff`: what a reviewer and a program are told, and the exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest
from click import Command
from click.testing import CliRunner

from pipelines.cli import diff, review
from pipelines.contract import load
from pipelines.contract.pipeline_topics import SUBJECTS
from pipelines.trouble import Exit, Trouble
from tests.support.contract_folders import BASE, TODAY, edited, freshened, overlaid
from tests.support.repository import committed

POLICY = "policies/vpn/session.yaml"
REVIEWS = "policies/pipeline-topics.yaml"


def run(command: Command, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    if isinstance(result.exception, Trouble):
        raise result.exception
    assert result.exception is None, result.exception
    return int(result.return_value or 0), result.output


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A contract in which a view tells more than was signed; the signed state is a commit."""
    committed(overlaid(tmp_path), "signed")
    policy = tmp_path / POLICY
    policy.write_text(policy.read_text().replace("{truncate: 1h}", "{truncate: 15m}"))
    return tmp_path


def test_a_signed_purpose_is_shown_in_words_and_is_done() -> None:
    code, output = run(review.command, "support", "--contract", str(BASE))
    said = " ".join(output.split())
    assert code == 0
    for told in (
        "Why did this connection fail",
        "kept 72 h; events up to 24 h old; read by support-desk",
        "the time, rounded down to 1 h (UTC)",
        "8, 16, 32 or 64 (from content)",
        "a keyed handle of the device",
        "review PR-1 of 2026-01-01 by privacy-office, until 2027-01-01",
        "its time to 1 h in the record, and to 1 ms by its place in the topic (relayed live); 48.9 bits",
        "one of the list 'regions' (eu-west, us-east)",
        "across epochs records can match handles of two epochs by up to 70.6 bits (vpn.session 70.6); accepted up to",
        "1000 bits: The fixtures are about other things",
        "Signed: the review covers exactly this.",
    ):
        assert told in said


def test_a_signed_purpose_whose_review_expired_is_said_to_receive_nothing(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"policies/purposes.yaml": ("expires: 2027-01-01", "expires: 2026-02-01")})
    code, output = run(review.command, "support", "--contract", str(folder))
    assert (code, "Signed, but the review expired on 2026-02-01" in output) == (0, True)
    told = orjson.loads(run(review.command, "support", "--contract", str(folder), "--json")[1])
    assert (told["signed"], told["expired"], told["expires"]) == (True, True, "2026-02-01")


def test_who_signs_sees_every_word_of_a_long_list(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(20)]
    folder = edited(tmp_path, {POLICY: ("[free, paid]", f"[{', '.join(words)}]")})
    _, output = run(review.command, "support", "--contract", str(folder))
    assert ", ".join(words) in " ".join(output.split())


def test_what_changed_is_named_and_the_printed_line_signs_it(changed: Path) -> None:
    code, output = run(review.command, "support", "--contract", str(changed), "--history")
    assert code == Exit.FINDINGS
    assert "truncate 1h → truncate 15m" in output
    assert "Privacy gets worse (1)" in output
    line = next(line for line in output.splitlines() if line.startswith("covers: "))
    purposes = changed / "policies/purposes.yaml"
    before, _, rest = purposes.read_text().partition("covers: ")
    purposes.write_text(f"{before}{line}{rest[64:]}")
    assert [found.check for found in load(changed, as_of=TODAY).findings if found.check.startswith("review")] == []
    assert "Nothing changes." in run(review.command, "support", "--contract", str(changed))[1]


def test_a_program_is_told_the_same(changed: Path) -> None:
    told = orjson.loads(run(review.command, "support", "--contract", str(changed), "--history", "--json")[1])
    assert (told["signed"], told["purpose"], len(told["digest"])) == (False, "support", 64)
    assert told["digest"] != told["covers"]
    assert [change["direction"] for change in told["changes"]] == ["worse"]
    assert set(told["answers"]) == {"question", "need", "alternatives", "how_long", "who", "user_control"}


def test_without_a_history_another_state_can_be_named(tmp_path: Path) -> None:
    folder = edited(tmp_path, {POLICY: ("{truncate: 1h}", "{truncate: 15m}")})
    code, output = run(review.command, "support", "--contract", str(folder), "--history")
    assert (code, "cannot be shown" in output, "--against" in output) == (Exit.FINDINGS, True, True)
    code, output = run(review.command, "support", "--contract", str(folder), "--against", str(BASE))
    assert (code, "truncate 1h → truncate 15m" in output) == (Exit.FINDINGS, True)


def test_an_acceptance_that_was_raised_shows_although_the_signature_still_covers_everything(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"policies/linkage.yaml": ("up_to: 1000", "up_to: 1001")})
    code, output = run(review.command, "support", "--contract", str(folder), "--against", str(BASE))
    assert (code, "accepted up to 1000 bits → 1001 bits" in output, "Signed: " in output) == (0, True, True)
    told = orjson.loads(run(review.command, "support", "--contract", str(folder), "--against", str(BASE), "--json")[1])
    assert [(one["direction"], one["received"]) for one in told["changes"]] == [("worse", False)]
    assert told["across_epochs"]["up_to"] == 1001
    assert told["across_epochs"]["bits"] == pytest.approx(70.6, abs=0.1)
    code, output = run(diff.command, str(BASE), str(folder))
    assert (code, "linkage of support across epochs" in output) == (Exit.FINDINGS, True)


def test_help_says_what_a_review_shows_across_epochs() -> None:
    said = " ".join(CliRunner().invoke(review.command, ["--help"]).output.split())
    assert "`across epochs` says by how many bits records can match the handles of two epochs, at most" in said


def test_a_signed_purpose_of_a_contract_with_other_errors_is_not_done(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"schemas/minimized/network-metadata.support/vpn.session.v1.avsc": ('"ok"', '"good"')})
    code, output = run(review.command, "support", "--contract", str(folder))
    assert (code, "Other errors: 1" in output) == (Exit.FINDINGS, True)


@pytest.mark.parametrize(
    "written", ["", "  review: {id: PR-1, approved: 2026-01-01, expires: 2027-01-01, owner: po}\n"]
)
def test_a_first_review_says_what_to_sign_and_counts_no_other_error(tmp_path: Path, written: str) -> None:
    folder = edited(tmp_path, {})
    purposes = folder / "policies/purposes.yaml"
    purposes.write_text(re.sub(r"  review: .*\n", written, purposes.read_text()))
    code, output = run(review.command, "support", "--contract", str(folder))
    assert code == Exit.FINDINGS
    assert "Other errors" not in output
    assert "\nFirst review: everything above is new.\n" in output
    assert "Since" not in output
    assert ("has no review" in output) == (not written)
    assert "policies/purposes.yaml" in output
    assert re.search("^covers: [0-9a-f]{64}$", output, re.MULTILINE)


def test_all_purposes_are_listed_with_their_state(changed: Path) -> None:
    code, output = run(review.command, "--contract", str(changed))
    assert code == Exit.FINDINGS
    assert output.splitlines()[1].split() == ["support", "PR-1", "2027-01-01", "no"]
    assert run(review.command, "--contract", str(BASE))[0] == 0


def test_the_quarantine_is_shown_in_words_and_the_printed_line_signs_a_new_reader(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    committed(folder, "signed")
    assert run(review.command, "quarantine", "--contract", str(folder))[0] == 0
    reviews = folder / REVIEWS
    for file in (reviews, folder / "topics.yaml"):
        file.write_text(file.read_text().replace("[operators]", "[marketing, operators]"))
    code, output = run(review.command, "quarantine", "--contract", str(folder), "--history")
    said = " ".join(output.split())
    assert code == Exit.FINDINGS
    for told in (
        "exact coordinates of the raw event",
        "Faults are fixed in a week",
        "at most kept 7 d",
        "is read by marketing, operators",
        "consumer added: marketing",
        "Not signed.",
    ):
        assert told in said
    line = next(line for line in output.splitlines() if line.startswith("covers: "))
    before, _, after = reviews.read_text().partition("id: PR-3")
    entry, _, rest = after.partition("covers: ")
    reviews.write_text(f"{before}id: PR-3{entry}{line}{rest[64:]}")
    assert load(folder, as_of=TODAY).findings == ()
    told = orjson.loads(run(review.command, "quarantine", "--contract", str(folder), "--json")[1])
    assert (told["signed"], told["subject"], told["consumers"]) == (True, "quarantine", ["marketing", "operators"])


def test_a_contract_without_these_reviews_is_told_the_lines_and_they_mend_it(tmp_path: Path) -> None:
    """The migration from an older release, as its reviewer would type it."""
    folder = overlaid(tmp_path)
    (folder / REVIEWS).unlink()
    code, output = run(review.command, "--contract", str(folder))
    assert code == 0
    assert "policies/pipeline-topics.yaml" in " ".join(output.split())
    lines = output[output.index("# Topics that serve no purpose") :]
    (folder / REVIEWS).write_text(lines)
    found = {one.check for one in load(folder, as_of=TODAY).findings}
    assert found == {"answer-placeholder"}
    (folder / REVIEWS).write_text(lines.replace("TODO", "No duty to keep it"))
    assert {one.check for one in load(folder, as_of=TODAY).findings} == {"review-missing"}
    signed = lines.replace("TODO", "No duty to keep it")
    for subject in SUBJECTS:
        _, output = run(review.command, subject, "--contract", str(folder))
        digest = next(line for line in output.splitlines() if line.startswith("covers: "))
        entry = signed.index("  consumers:", signed.index(f"\n{subject}:"))
        end = signed.index("\n", entry) + 1
        dates = "id: PR-7, approved: 2026-05-01, expires: 2027-05-01, owner: privacy-office"
        signed = f"{signed[:end]}  review: {{{dates}, {digest}}}\n{signed[end:]}"
    (folder / REVIEWS).write_text(signed)
    assert load(folder, as_of=TODAY).findings == ()
    assert "Write this into" not in run(review.command, "--contract", str(folder))[1]


def test_without_these_reviews_nothing_can_be_shown_of_one(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (folder / REVIEWS).unlink()
    with pytest.raises(Trouble, match="pipeline-topics") as trouble:
        run(review.command, "raw", "--contract", str(folder))
    assert (trouble.value.exit_code, "`pipelines review`" in str(trouble.value.hint)) == (Exit.USAGE, True)


def test_a_quarantine_that_is_kept_for_longer_than_the_printed_lines_allow_is_told_in_them(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"topics.yaml": ("quarantine, ttl: 7d", "quarantine, ttl: 400d")})
    (folder / REVIEWS).unlink()
    assert "max_ttl: 30d" in run(review.command, "--contract", str(folder))[1]


def test_an_unknown_purpose_is_trouble_with_the_nearest() -> None:
    with pytest.raises(Trouble, match="suport") as trouble:
        run(review.command, "suport", "--contract", str(BASE))
    assert trouble.value.hint == "Did you mean support?"


def test_a_diff_ends_with_one_when_privacy_gets_worse(changed: Path) -> None:
    code, output = run(diff.command, "HEAD", "--contract", str(changed))
    assert (code, "Privacy gets worse (1)" in output) == (Exit.FINDINGS, True)
    code, output = run(diff.command, str(changed), "HEAD", "--contract", str(changed))
    assert (code, "Privacy gets better (1)" in output) == (0, True)
    assert run(diff.command, "HEAD", "HEAD", "--contract", str(changed)) == (0, "Nothing changes.\n")


def test_a_diff_for_a_program_and_for_a_pull_request(changed: Path) -> None:
    told = orjson.loads(run(diff.command, "HEAD", "--contract", str(changed), "--json")[1])
    assert (told["worse"], told["changes"][0]["purposes"]) == (1, ["support"])
    _, output = run(diff.command, "HEAD", "--contract", str(changed), "--markdown")
    assert "### Privacy gets worse (1)" in output
    assert "| vpn.session → network-metadata.support: occurred\\_at | truncate 1h → truncate 15m |" in output


def test_markdown_shows_a_contracts_texts_and_renders_none(tmp_path: Path) -> None:
    hostile = "nobody | <img src=x> [link](http://example.test) @everyone"
    folder = edited(tmp_path, {POLICY: ("account_id: no purpose needs it", f"account_id: '{hostile}'")})
    _, output = run(diff.command, str(BASE), str(folder), "--markdown")
    row = next(line for line in output.splitlines() if "img" in line)
    assert r"nobody \| \<img src=x\> \[link\](http://example.test) \@everyone" in row


def test_of_a_contract_with_errors_what_could_be_read_is_compared_and_the_errors_are_named(tmp_path: Path) -> None:
    edits = {POLICY: ("ok: keep", "ok: hash"), "policies/purposes.yaml": ("max_bits: 96", "max_bits: 95")}
    broken = edited(tmp_path, edits)
    code, output = run(diff.command, str(BASE), str(broken))
    assert code == Exit.FINDINGS  # although what could be read gets better
    assert "Privacy gets better (1)" in output
    assert f"Errors in {broken} (" in output
    assert "[rule-action]" in output
    assert "  view vpn.session → network-metadata.support\n" in output
    told = orjson.loads(run(diff.command, str(broken), str(BASE), "--json")[1])
    assert [change["what"] for change in told["changes"]] == ["max_bits: 95 → 96"]
    assert told["left_out"] == ["view vpn.session → network-metadata.support"]
    assert "rule-action" in {found["check"] for found in told["findings"]}
    assert "### Left out" in run(diff.command, str(BASE), str(broken), "--markdown")[1]


def test_a_folder_without_a_contract_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="file-missing") as trouble:
        run(diff.command, str(tmp_path), str(BASE))
    assert trouble.value.exit_code is Exit.USAGE


def test_a_contract_that_is_not_signed_can_be_compared(changed: Path) -> None:
    freshened(changed)
    assert run(diff.command, str(changed), str(BASE))[0] == 0
