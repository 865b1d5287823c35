"""Each part is told apart: there, not made yet, missing, running dry."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.broker import Cluster
from pipelines.contract import load_valid
from pipelines.doctor import Observation, Situation, State, look_at_installation, look_at_surroundings
from pipelines.doctor.installation import _packages, _python, _walk
from pipelines.keys import Keyring, LocalKeyEncryption, extend
from pipelines.trouble import Exit, Trouble
from tests.support.memory_kafka import MemoryCluster
from tests.support.old_keyring import write_version_1
from tests.support.reticent import without

ROOT = Path(__file__).parents[2]
NOW_MS = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000


def no_kafka() -> Cluster:
    raise Trouble("no Kafka here", hint="start one")


def no_keyring() -> Keyring:
    raise Trouble("no keyring here", hint="make one")


def look(**changes: object) -> dict[str, Observation]:
    given: dict[str, object] = {
        "contract_dir": ROOT,
        "now_ms": NOW_MS,
        "kafka": no_kafka,
        "kafka_is_named": False,
        "keyring": no_keyring,
        "keyring_is_named": False,
    }
    return {one.part: one for one in look_at_surroundings(Situation(**(given | changes)))}  # type: ignore[arg-type]


def keyring_reaching(folder: Path, last_ms: int) -> Keyring:
    contract = load_valid(ROOT, as_of=date(2026, 11, 30))
    kek = LocalKeyEncryption.create(folder / "kek")
    extend(folder / "ring", kek, contract.purposes.values(), first_ms=NOW_MS - DAY_MS, last_ms=last_ms)
    return Keyring.open(folder / "ring", kek)


def test_a_kafka_before_the_least_that_keeps_promises_is_a_failure() -> None:
    old = without("log.message.timestamp.before.max.ms", "log.message.timestamp.after.max.ms")
    found = look(kafka=lambda: old)["kafka"]
    assert found.state is State.FAIL
    assert "before 3.6" in found.found
    assert look(kafka=MemoryCluster)["kafka"].state is State.OK


def test_a_keyring_that_reaches_far_is_ok(tmp_path: Path) -> None:
    ring = keyring_reaching(tmp_path, NOW_MS + 30 * DAY_MS)
    assert look(keyring=lambda: ring)["keyring"].state is State.OK


def test_a_keyring_of_version_1_is_worth_a_warning_that_names_the_migration(tmp_path: Path) -> None:
    contract, kek = load_valid(ROOT, as_of=date(2026, 11, 30)), LocalKeyEncryption.create(tmp_path / "kek")
    write_version_1(tmp_path / "ring", (tmp_path / "kek").read_bytes(), {})
    extend(tmp_path / "ring", kek, contract.purposes.values(), first_ms=NOW_MS, last_ms=NOW_MS + 30 * DAY_MS)
    seen = look(keyring=lambda: Keyring.open(tmp_path / "ring", kek))["keyring"]
    assert seen.state is State.WARN
    assert "version 1" in seen.found
    assert "keys migrate" in seen.remedy


def test_a_keyring_that_runs_dry_within_a_week_is_worth_a_warning(tmp_path: Path) -> None:
    ring = keyring_reaching(tmp_path, NOW_MS + DAY_MS)
    assert look(keyring=lambda: ring)["keyring"].state is State.WARN


def test_a_keyring_without_a_root_for_now_fails_and_names_the_purposes(tmp_path: Path) -> None:
    ring = keyring_reaching(tmp_path, NOW_MS)
    seen = look(keyring=lambda: ring, now_ms=NOW_MS + 400 * DAY_MS)["keyring"]
    assert seen.state is State.FAIL
    assert "security-enforcement" in seen.found


@pytest.mark.parametrize(
    ("named", "exit_code", "state"),
    [(False, Exit.UNAVAILABLE, State.WARN), (True, Exit.UNAVAILABLE, State.FAIL), (False, Exit.REFUSED, State.FAIL)],
    ids=["not made yet", "named and not there", "there and damaged"],
)
def test_no_keyring_is_a_warning_and_a_named_or_damaged_one_fails(named: bool, exit_code: Exit, state: State) -> None:
    def refuse() -> Keyring:
        raise Trouble("no", hint="do", exit_code=exit_code)

    assert look(keyring=refuse, keyring_is_named=named)["keyring"].state is state


@pytest.mark.parametrize(("named", "state"), [(False, State.WARN), (True, State.FAIL)])
def test_a_kafka_that_somebody_named_must_answer(named: bool, state: State) -> None:
    seen = look(kafka_is_named=named)["kafka"]
    assert (seen.state, seen.remedy) == (state, "start one")


def test_a_running_kafka_is_told_with_its_brokers(cluster: Cluster) -> None:
    seen = look(kafka=lambda: cluster)["kafka"]
    assert seen.state is State.OK
    assert cluster.bootstrap in seen.found


def test_a_contract_with_errors_fails_and_says_how_many(tmp_path: Path) -> None:
    seen = look(contract_dir=tmp_path)["contract"]
    assert seen.state is State.FAIL
    assert "errors" in seen.found


def test_a_clock_before_this_release_fails() -> None:
    assert look(now_ms=0)["clock"].state is State.FAIL
    assert look()["clock"].state is State.OK


@pytest.mark.parametrize(("version", "state"), [((3, 10), State.FAIL), ((3, 11), State.OK), ((3, 15), State.FAIL)])
def test_python_must_be_one_that_there_are_wheels_for(version: tuple[int, int], state: State) -> None:
    assert _python(version).state is state


def test_a_missing_package_fails_and_a_missing_optional_one_warns() -> None:
    there = "click>=8"
    assert _packages([there]).state is State.OK
    assert _packages([there, "no-such-thing>=1"]).state is State.FAIL
    assert _packages([there, 'no-such-thing>=1; extra == "broker"']).state is State.WARN


def test_a_compiled_walk_is_told_from_a_plain_one() -> None:
    assert _walk(Path("walk.cpython-311-x86_64-linux-gnu.so")).found == "compiled"
    assert _walk(Path("walk.py")).found.startswith("pure Python")


def test_jars_that_are_not_fetched_yet_are_a_warning_and_nothing_is_fetched(tmp_path: Path) -> None:
    seen = {one.part: one for one in look_at_installation({"XDG_CACHE_HOME": str(tmp_path)})}
    assert seen["kafka jars"].state is State.WARN
    assert not list(tmp_path.iterdir())
    assert seen["python"].found == ".".join(map(str, sys.version_info[:2]))


def test_a_java_that_is_named_wrongly_is_told() -> None:
    seen = {one.part: one for one in look_at_installation({"PIPELINES_JAVA": "/no/such/java"})}
    assert seen["java"].state is State.WARN


def test_another_name_of_a_key_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    kek = tmp_path / "kek"
    LocalKeyEncryption.create(kek)
    assert look(key_files=(kek,))["key files"].state is State.OK
    (tmp_path / ".kek.0123456789abcdef").hardlink_to(kek)
    seen = look(key_files=(kek,))["key files"]
    assert seen.state is State.WARN
    assert ".kek.0123456789abcdef" in seen.found
    assert "pipelines keys init" in (seen.remedy or "")
