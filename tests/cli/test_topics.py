import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli.app import pipelines
from pipelines.contract.model import Contract
from pipelines.trouble import Exit, Trouble
from tests.support.kafka import delete_topics
from tests.support.relay_fixture import RelayFixture

HOURS = str(2 * 3_600_000)


def run(house: RelayFixture, command: str, *arguments: str) -> Result:
    options = ["--contract", str(house.folder), "--bootstrap", house.cluster.bootstrap]
    return CliRunner().invoke(pipelines, ["topics", command, *options, *arguments])


def names(contract: Contract) -> set[str]:
    return {*contract.raw_topics, *contract.topics, contract.quarantine.name, contract.changes.name}


def test_apply_over_what_is_as_promised_says_so_and_exits_0(house: RelayFixture) -> None:
    done = run(house, "apply", "--json")
    assert done.exit_code == Exit.DONE
    said = json.loads(done.output)
    assert (said["made"], said["left"]) == ([], [])


def test_a_dry_run_and_an_apply_name_the_same_topics_with_their_settings(house: RelayFixture) -> None:
    delete_topics(house.cluster, [house.raw_topic, house.handled])
    planned = run(house, "apply", "--dry-run")
    assert planned.exit_code == Exit.DONE
    would = {line.split()[4].rstrip(",") for line in planned.output.splitlines() if line.startswith("would be made: c")}
    assert would == {house.raw_topic, house.handled}
    made = json.loads(run(house, "apply", "--json").output)["made"]
    assert {step["topic"] for step in made if step["kind"] == "create"} == {house.raw_topic, house.handled}
    (raw,) = (step for step in made if step["topic"] == house.raw_topic)
    assert raw["settings"]["message.timestamp.type"] == "LogAppendTime"


def test_a_topic_that_should_change_is_left_as_it_is_without_a_plan_and_exits_1(house: RelayFixture) -> None:
    # The same cluster under brokers that look after their files two hours later: the retention is too long for that.
    done = run(house, "apply", "--initial-delay", HOURS)
    assert done.exit_code == Exit.FINDINGS
    assert f"~ {house.handled}: changed" in done.output
    assert "pipelines topics plan --out plan.json" in done.output
    assert json.loads(run(house, "apply", "--json", "--initial-delay", HOURS).output)["left"]
    assert run(house, "apply").exit_code == Exit.DONE


def test_a_plan_is_saved_reviewed_and_applied_and_then_there_is_nothing_left(
    house: RelayFixture, tmp_path: Path
) -> None:
    saved = tmp_path / "plan.json"
    planned = run(house, "plan", "--initial-delay", HOURS, "--out", str(saved), "--exit-code")
    assert planned.exit_code == Exit.FINDINGS
    assert f"pipelines topics apply {saved}" in planned.output
    done = run(house, "apply", str(saved), "--by", "a reviewer")
    assert (done.exit_code, done.exception) == (Exit.DONE, None)
    assert f"{house.handled}: kept from 20" in done.output
    again = run(house, "plan", "--initial-delay", HOURS, "--exit-code")
    assert again.exit_code == Exit.DONE
    assert "Nothing to apply" in again.output


def test_the_printed_json_is_what_a_saved_plan_holds(house: RelayFixture, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    printed = run(house, "plan", "--json", "--out", str(saved))
    assert json.loads(printed.output) == json.loads(saved.read_text())


def test_offline_shows_the_desired_state_and_cannot_be_saved(house: RelayFixture, tmp_path: Path) -> None:
    arguments = ["topics", "plan", "--offline", "--contract", str(house.folder)]
    shown = CliRunner().invoke(pipelines, [*arguments, "--json", "--brokers", "3"])
    said = json.loads(shown.output)
    assert {step["topic"] for step in said["steps"]} == names(house.contract)
    assert {step["replication"] for step in said["steps"] if step["kind"] == "create"} == {3}
    refused = CliRunner().invoke(pipelines, [*arguments, "--out", str(tmp_path / "plan.json")])
    assert refused.exit_code == Exit.USAGE


def test_no_broker_is_trouble_with_the_way_out(house: RelayFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.folder)
    done = CliRunner().invoke(pipelines, ["topics", "apply", "--contract", str(house.folder)])
    assert isinstance(done.exception, Trouble)
    assert done.exception.exit_code == Exit.UNAVAILABLE
    assert "pipelines broker start" in done.exception.hint


def test_verify_exits_0_when_every_promise_holds_and_1_when_one_does_not(house: RelayFixture) -> None:
    kept = run(house, "verify", "--json")
    assert (kept.exit_code, json.loads(kept.output)["breaches"]) == (Exit.DONE, [])
    broken = run(house, "verify", "--initial-delay", HOURS)
    assert broken.exit_code == Exit.FINDINGS
    assert f"BROKEN {house.handled}: a record may stay" in broken.output
    assert "pipelines topics plan --out plan.json" in broken.output


def test_a_plan_file_that_is_not_there_or_no_plan_is_refused_in_words(house: RelayFixture, tmp_path: Path) -> None:
    missing = run(house, "apply", str(tmp_path / "nowhere.json"))
    assert isinstance(missing.exception, Trouble)
    assert missing.exception.exit_code == Exit.USAGE
    (tmp_path / "odd.json").write_text("{}")
    odd = run(house, "apply", str(tmp_path / "odd.json"))
    assert isinstance(odd.exception, Trouble)
    assert odd.exception.exit_code == Exit.REFUSED
