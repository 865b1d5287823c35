"""`pipelines review` and `pipelines diff`: what a reviewer and a program are told, and the exit codes."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click import Command
from click.testing import CliRunner

from pipelines.cli import diff, review
from pipelines.contract import load
from pipelines.trouble import Exit, Trouble
from tests.support.contract_folders import BASE, TODAY, edited, freshened, overlaid
from tests.support.repository import committed

POLICY = "policies/vpn/session.yaml"


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
        "across epochs records can match handles of two epochs by up to 48.9 bits (vpn.session 48.9); accepted up to",
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
    assert told["across_epochs"]["bits"] == pytest.approx(48.8, abs=0.1)
    code, output = run(diff.command, str(BASE), str(folder))
    assert (code, "linkage of support across epochs" in output) == (Exit.FINDINGS, True)


def test_help_says_what_a_review_shows_across_epochs() -> None:
    said = " ".join(CliRunner().invoke(review.command, ["--help"]).output.split())
    assert "`across epochs` says by how many bits records can match the handles of two epochs, at most" in said


def test_a_signed_purpose_of_a_contract_with_other_errors_is_not_done(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"schemas/minimized/network-metadata.support/vpn.session.v1.avsc": ('"ok"', '"good"')})
    code, output = run(review.command, "support", "--contract", str(folder))
    assert (code, "Other errors: 1" in output) == (Exit.FINDINGS, True)


def test_all_purposes_are_listed_with_their_state(changed: Path) -> None:
    code, output = run(review.command, "--contract", str(changed))
    assert code == Exit.FINDINGS
    assert output.splitlines()[1].split() == ["support", "PR-1", "2027-01-01", "no"]
    assert run(review.command, "--contract", str(BASE))[0] == 0


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


def test_a_contract_with_mistakes_is_named_with_the_first_of_them(tmp_path: Path) -> None:
    broken = edited(tmp_path, {POLICY: ("ok: keep", "ok: hash")})
    with pytest.raises(Trouble, match="rule-action") as trouble:
        run(diff.command, str(broken), str(BASE))
    assert trouble.value.exit_code is Exit.USAGE


def test_a_contract_that_is_not_signed_can_be_compared(changed: Path) -> None:
    freshened(changed)
    assert run(diff.command, str(changed), str(BASE))[0] == 0
