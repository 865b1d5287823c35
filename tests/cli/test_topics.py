import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.broker import Cluster
from pipelines.cli.app import pipelines
from pipelines.trouble import Exit, Trouble
from tests.conftest import delete_topics
from tests.relay.house import House, build


@pytest.fixture
def house(tmp_path: Path, cluster: Cluster) -> House:
    return build(tmp_path, cluster)


def run(house: House, *arguments: str) -> Result:
    options = ["--contract", str(house.folder), "--bootstrap", house.cluster.bootstrap]
    return CliRunner().invoke(pipelines, ["topics", "apply", *options, *arguments])


def test_apply_over_what_is_as_promised_says_so_and_exits_0(house: House) -> None:
    done = run(house)
    assert done.exit_code == Exit.DONE
    assert done.output == "Every topic is there, as promised\n"
    assert json.loads(run(house, "--json").output) == {"created": [], "breaches": [], "differences": []}


def test_a_dry_run_and_an_apply_name_the_same_topics_with_their_settings(house: House) -> None:
    delete_topics(house.cluster, [house.raw_topic, house.handled])
    planned = run(house, "--dry-run")
    assert planned.exit_code == Exit.DONE
    assert {line.split()[2] for line in planned.output.splitlines()} == {house.raw_topic, house.handled}
    made = json.loads(run(house, "--json").output)["created"]
    assert {topic["topic"] for topic in made} == {house.raw_topic, house.handled}
    assert made[0]["settings"]["message.timestamp.type"] == "LogAppendTime"


def test_a_topic_that_breaks_its_promise_is_shown_with_the_mend_and_exits_1(house: House) -> None:
    # The same cluster under brokers that look after their files a day later: the retention is too long for that.
    done = run(house, "--initial-delay", str(24 * 3_600_000))
    assert done.exit_code == Exit.FINDINGS
    assert f"broken promise: {house.handled}: a record may stay" in done.output
    assert "the promise is 3d" in done.output
    assert json.loads(run(house, "--json", "--initial-delay", "86400000").output)["breaches"]


def test_no_broker_is_trouble_with_the_way_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.folder)
    done = CliRunner().invoke(pipelines, ["topics", "apply", "--contract", str(house.folder)])
    assert isinstance(done.exception, Trouble)
    assert done.exception.exit_code == Exit.UNAVAILABLE
    assert "pipelines broker start" in done.exception.hint
