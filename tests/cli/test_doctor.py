from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from pipelines.cli.app import pipelines
from pipelines.trouble import Exit

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("BOOTSTRAP", "KEYRING", "KEK_FILE", "KAFKA_PROPERTIES"):
        monkeypatch.delenv(f"PIPELINES_{name}", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(pipelines, ["doctor", "--json", *arguments])


def states(result: Result) -> dict[str, str]:
    return {one["part"]: one["state"] for one in orjson.loads(result.output)}


def test_doctor_warns_of_what_was_not_made_yet_and_ends_with_0() -> None:
    result = run("--contract", str(ROOT))
    assert result.exit_code == 0
    found = states(result)
    assert found["python"] == found["packages"] == found["clock"] == found["contract"] == "ok"
    assert found["keyring"] == found["kafka"] == "warn"


def test_doctor_ends_with_3_when_a_named_part_is_missing(tmp_path: Path) -> None:
    result = run("--contract", str(ROOT), "--keyring", str(tmp_path / "none"))
    assert result.exit_code == Exit.UNAVAILABLE
    assert states(result)["keyring"] == "fail"


def test_doctor_ends_with_3_when_there_is_no_valid_contract(tmp_path: Path) -> None:
    result = run("--contract", str(tmp_path))
    assert result.exit_code == Exit.UNAVAILABLE
    assert states(result)["contract"] == "fail"


def test_everything_that_is_not_ok_has_a_way_out() -> None:
    for one in orjson.loads(run("--contract", str(ROOT)).output):
        assert one["state"] == "ok" or one["remedy"], one["part"]


def test_doctor_counts_the_topics_that_a_plan_counts() -> None:
    found = {one["part"]: one["found"] for one in orjson.loads(run("--contract", str(ROOT)).output)}
    options = ["topics", "plan", "--offline", "--json", "--contract", str(ROOT)]
    plan = orjson.loads(CliRunner().invoke(pipelines, options).output)
    created = [step for step in plan["steps"] if step["kind"] == "create"]
    assert f" {len(created)} topics (" in found["contract"]


def test_doctor_prints_for_people_too() -> None:
    shown = CliRunner().invoke(pipelines, ["doctor", "--contract", str(ROOT)], env={"COLUMNS": "200"}).output
    assert "pipelines keys init" in shown
