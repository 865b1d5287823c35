"""`pipelines keys`, from the arguments to the exit code. The contract is a value: loading one has its own tests."""

import re
import stat
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import orjson
import pytest

from pipelines.cli import keys as keys_command
from pipelines.cli import main, times
from pipelines.contract.findings import Position
from pipelines.contract.model import DAY_MS, HOUR_MS, Answers, Contract, Purpose, QuarantineTopic, RawTopic
from pipelines.keys import Keyring, LocalKeyEncryption
from tests.support.old_keyring import write_version_1

NOW_MS = 1_793_016_000_000  # noon
PLACE = Position("topics.yaml")


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Pipelines = Callable[..., Ended]


def _purpose(name: str, rotate_ms: int) -> Purpose:
    return Purpose(name, "", "security", "", "", Answers("", "", "", "", "", ""), "device", rotate_ms, 24, None, PLACE)


def _contract(purposes: Sequence[Purpose]) -> Contract:
    raw = RawTopic("raw.vpn.session", "vpn.session", 2 * DAY_MS, 1, (), PLACE)
    return Contract(
        events={},
        purposes={purpose.name: purpose for purpose in purposes},
        topics={},
        raw_topics={raw.name: raw},
        quarantine=QuarantineTopic("quarantine", DAY_MS, 1, (), PLACE),
        digest=bytes(32),
    )


@pytest.fixture
def purposes(monkeypatch: pytest.MonkeyPatch) -> list[Purpose]:
    """The contract's purposes; a test may change them."""
    purposes = [_purpose("security-enforcement", DAY_MS), _purpose("support", 7 * DAY_MS)]

    def load_valid(folder: Path, *, as_of: date, overlay: str | None) -> Contract:
        assert folder.is_dir()
        assert isinstance(as_of, date)
        assert overlay is None
        return _contract(purposes)

    monkeypatch.setattr(keys_command, "load_valid", load_valid)
    return purposes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The present in ms; a test may change it."""
    now = [NOW_MS]
    monkeypatch.setattr(times, "now_ms", lambda: now[0])
    return now


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    purposes: list[Purpose],
    clock: list[int],
) -> Pipelines:
    """Runs `pipelines keys …` in an empty folder, at noon."""
    assert purposes
    assert clock
    monkeypatch.chdir(tmp_path)
    for name in ("PIPELINES_KEYRING", "PIPELINES_KEK_FILE", "PIPELINES_CONTRACT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def pipelines(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["pipelines", "keys", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        assert isinstance(code, int)
        return Ended(code, *capsys.readouterr())

    return pipelines


def test_init_makes_both_files_for_their_owner_alone_and_says_how_far_they_reach(run: Pipelines) -> None:
    ended = run("init")
    assert ended.code == 0
    assert "Made a key-encryption key. Back it up" in ended.out
    # Two days back and thirty ahead: 33 days, and 5 weeks that begin on Thursdays.
    assert "38 roots made, 0 were there" in ended.out
    assert "at least 30 d 12 h" in ended.out
    for path in (Path(".pipelines/kek"), Path(".pipelines/keyring.json")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_init_reaches_back_as_far_as_raw_events_live(run: Pipelines, purposes: list[Purpose]) -> None:
    run("init", "--ahead", "1d")
    keyring = Keyring.open(Path(".pipelines/keyring.json"), LocalKeyEncryption.open(Path(".pipelines/kek")))
    for purpose in purposes:
        assert keyring.subkeys_at(purpose, NOW_MS - 2 * DAY_MS).purpose == purpose.name
        assert keyring.subkeys_at(purpose, NOW_MS + DAY_MS).purpose == purpose.name


def test_init_again_changes_nothing_and_says_so(run: Pipelines) -> None:
    run("init")
    before = [path.read_bytes() for path in (Path(".pipelines/kek"), Path(".pipelines/keyring.json"))]
    ended = run("init")
    assert ended.code == 0
    assert "0 roots made, 38 were there" in ended.out
    assert "key-encryption key" not in ended.out
    assert [path.read_bytes() for path in (Path(".pipelines/kek"), Path(".pipelines/keyring.json"))] == before


def test_init_later_adds_what_has_become_due(run: Pipelines, clock: list[int]) -> None:
    run("init")
    clock[0] += DAY_MS
    assert "2 roots made, 37 were there" in run("init").out  # a day, and a week that begins


def test_init_speaks_json(run: Pipelines) -> None:
    said = orjson.loads(run("init", "--json", "--ahead", "2d").out)
    assert said["kek_made"] is True
    assert said["made"] == 5 + 1
    assert said["kept"] == 0
    assert [row["purpose"] for row in said["purposes"]] == ["security-enforcement", "support"]
    assert said["purposes"][0]["runway_ms"] == 2 * DAY_MS + 12 * HOUR_MS


@pytest.mark.parametrize("by_environment", [False, True])
def test_init_never_makes_a_key_encryption_key_where_a_named_one_should_be(
    run: Pipelines, monkeypatch: pytest.MonkeyPatch, *, by_environment: bool
) -> None:
    if by_environment:
        monkeypatch.setenv("PIPELINES_KEK_FILE", "secrets/kek")
    ended = run("init", *(() if by_environment else ("--kek-file", "secrets/kek")))
    assert ended.code == 3
    assert "secrets/kek, is not there" in ended.err
    assert "Mount it" in ended.err
    assert not Path("secrets").exists()
    assert not Path(".pipelines").exists()


def test_init_uses_named_files_that_are_there(run: Pipelines, monkeypatch: pytest.MonkeyPatch) -> None:
    LocalKeyEncryption.create(Path("secrets/kek"))
    monkeypatch.setenv("PIPELINES_KEYRING", "ring/keyring.json")
    ended = run("init", "--kek-file", "secrets/kek")
    assert ended.code == 0
    assert "ring/keyring.json: 38 roots made" in ended.out
    assert not Path(".pipelines").exists()
    assert run("status", "--kek-file", "secrets/kek").code == 0


def test_init_makes_no_new_key_beside_a_keyring_that_has_lost_its_own(run: Pipelines) -> None:
    run("init")
    Path(".pipelines/kek").unlink()
    before = Path(".pipelines/keyring.json").read_bytes()
    ended = run("init")
    assert ended.code == 4
    assert "Restore the key from your backup" in ended.err
    assert not Path(".pipelines/kek").exists()
    assert Path(".pipelines/keyring.json").read_bytes() == before


@pytest.mark.parametrize("span", ["", "30", "d", "-1d", "1.5d", "30 d", "1w", "9999999d", "٣d"])
def test_a_span_that_is_none_is_misuse(run: Pipelines, span: str) -> None:
    ended = run("init", f"--ahead={span}")
    assert ended.code == 2
    assert "30d" in ended.err
    assert not Path(".pipelines").exists()


def test_a_span_beyond_all_measure_is_misuse(run: Pipelines) -> None:
    ended = run("init", "--ahead", "999999d")
    assert ended.code == 2
    assert "more than" in ended.err


def test_status_shows_every_purpose_with_its_epoch_and_runway(run: Pipelines) -> None:
    run("init")
    ended = run("status")
    assert ended.code == 0
    assert ended.err == ""
    assert "2026-10-26T00:00:00Z" in ended.out
    assert "30 d 12 h" in ended.out
    assert "7 d" in ended.out


def test_status_warns_when_a_runway_is_short(run: Pipelines, clock: list[int]) -> None:
    run("init")
    clock[0] += 24 * DAY_MS
    ended = run("status")
    assert ended.code == 0
    assert "A runway is below 7 d" in ended.err
    assert "short" in ended.out


def test_status_ends_with_3_when_a_purpose_has_no_root_for_now(run: Pipelines, purposes: list[Purpose]) -> None:
    run("init")
    purposes.append(_purpose("threat-detection", DAY_MS))
    ended = run("status", "--json")
    assert ended.code == 3
    assert "pipelines keys init" in ended.err
    states = {row["purpose"]: row["state"] for row in orjson.loads(ended.out)["purposes"]}
    assert states == {"security-enforcement": "ok", "support": "ok", "threat-detection": "missing"}


def test_status_tells_of_roots_that_nobody_uses_any_more(run: Pipelines, purposes: list[Purpose]) -> None:
    run("init")
    purposes.pop()
    assert orjson.loads(run("status", "--json").out)["other_roots"] == 5
    assert "5 more roots" in run("status").out


def test_status_without_keys_says_what_to_do(run: Pipelines) -> None:
    ended = run("status")
    assert ended.code == 3
    assert "keys init" in ended.err


def test_status_finds_a_root_that_will_not_unwrap_before_its_epoch_comes(
    run: Pipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init")
    opened = LocalKeyEncryption.unwrap
    monkeypatch.setattr(LocalKeyEncryption, "unwrap", lambda kek, wrapped: (opened(kek, wrapped) or b"")[:31])
    assert run("status").code == 4


@pytest.mark.parametrize("name", ["kek", "keyring.json"])
@pytest.mark.parametrize("command", ["init", "status"])
def test_a_file_that_others_may_read_is_refused_with_the_command_that_mends_it(
    run: Pipelines, name: str, command: str
) -> None:
    run("init")
    Path(".pipelines", name).chmod(0o644)
    ended = run(command)
    assert ended.code == 4
    assert f"chmod 600 .pipelines/{name}" in ended.err


def test_no_command_prints_a_key(run: Pipelines, monkeypatch: pytest.MonkeyPatch) -> None:
    roots: list[bytes] = []
    wrap = LocalKeyEncryption.wrap

    def watched(kek: LocalKeyEncryption, key: bytes) -> bytes:
        roots.append(key)
        return wrap(kek, key)

    monkeypatch.setattr(LocalKeyEncryption, "wrap", watched)
    said = [run("init"), run("init", "--json"), run("status"), run("status", "--json")]
    Path(".pipelines/keyring.json").write_bytes(Path(".pipelines/keyring.json").read_bytes()[:-9])
    said.append(run("status"))
    told = "".join(ended.out + ended.err for ended in said)
    assert roots
    for key in (*roots, Path(".pipelines/kek").read_bytes()):
        assert key.hex() not in told


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0 min"),
        (59_999, "0 min"),
        (60_000, "1 min"),
        (3_600_000, "1 h"),
        (5 * HOUR_MS + 720_000, "5 h 12 min"),
        (DAY_MS, "1 d"),
        (30 * DAY_MS + 4 * HOUR_MS + 60_000, "30 d 4 h"),
    ],
)
def test_spans_are_told_for_people(span: int, text: str) -> None:
    assert keys_command.span_text(span) == text


def test_rewrap_changes_the_key_as_its_help_shows_and_may_be_repeated(run: Pipelines) -> None:
    run("init")
    kek = Path(".pipelines/kek")
    assert "38 roots are under the new key" in run("rewrap", "--new-kek-file", "kek.new").out
    new = Path("kek.new").read_bytes()
    assert run("status").code == 4
    assert orjson.loads(run("rewrap", "--new-kek-file", "kek.new", "--json").out)["rewrapped"] == 0
    assert Path("kek.new").read_bytes() == new != kek.read_bytes()
    Path("kek.new").replace(kek)
    assert run("status").code == 0
    Keyring.open(Path(".pipelines/keyring.json"), LocalKeyEncryption.open(kek)).verify()


@pytest.fixture
def old_keyring(run: Pipelines) -> Path:
    """A keyring of version 1 in its default place, with roots for yesterday, today and tomorrow."""
    assert run
    kek, path = Path(".pipelines/kek"), Path(".pipelines/keyring.json")
    LocalKeyEncryption.create(kek)
    today = NOW_MS // DAY_MS * DAY_MS
    days = {("security-enforcement", DAY_MS, today + n * DAY_MS): bytes([n + 1]) * 32 for n in (-1, 0, 1)}
    write_version_1(path, kek.read_bytes(), days)
    return path


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The consumer groups of the cluster that have members; a test may change them."""
    groups = ["somebody.else"]
    survey = SimpleNamespace(groups_with_members=lambda: tuple(groups))
    cluster = SimpleNamespace(bootstrap="kafka:9092", survey=lambda: survey)
    monkeypatch.setattr(keys_command, "connect", lambda _bootstrap, _properties: cluster)
    return groups


@pytest.mark.usefixtures("groups")
def test_migrate_says_what_it_did_and_may_be_repeated(run: Pipelines, old_keyring: Path) -> None:
    ended = run("migrate")
    assert ended.code == 0
    assert "now version 2" in ended.out
    assert "2 roots of epochs that have begun stay" in ended.out
    assert "1 roots of later epochs were made anew" in ended.out
    (backup,) = old_keyring.parent.glob("keyring.json.version-1-*")
    assert str(backup) in ended.out
    again = run("migrate")
    assert (again.code, again.out) == (0, f"{old_keyring}: already version 2; nothing changed.\n")


@pytest.mark.usefixtures("groups")
def test_migrate_speaks_json(run: Pipelines, old_keyring: Path) -> None:
    said = orjson.loads(run("migrate", "--json").out)
    (backup,) = old_keyring.parent.glob("keyring.json.version-1-*")
    assert said == {
        "keyring": str(old_keyring),
        "version": 2,
        "migrated": True,
        "kept": 2,
        "made_anew": 1,
        "backup": str(backup),
    }
    again = orjson.loads(run("migrate", "--json").out)
    assert (again["migrated"], again["backup"]) == (False, None)


def test_migrate_refuses_while_a_workers_group_has_members(
    run: Pipelines, old_keyring: Path, groups: list[str]
) -> None:
    before = old_keyring.read_bytes()
    groups.append("minimizer.vpn")
    ended = run("migrate")
    assert ended.code == 4
    assert "kafka:9092 have members: minimizer.vpn" in ended.err
    assert "Stop every `pipelines run`" in ended.err
    assert old_keyring.read_bytes() == before
    groups.remove("minimizer.vpn")
    assert run("migrate").code == 0


def test_migrate_refuses_where_no_kafka_says_whether_workers_run(run: Pipelines, old_keyring: Path) -> None:
    before = old_keyring.read_bytes()
    ended = run("migrate")
    assert ended.code == 3
    assert "no Kafka is named" in ended.err
    assert old_keyring.read_bytes() == before


@pytest.mark.usefixtures("groups")
def test_status_and_init_warn_of_version_1_until_it_is_migrated(run: Pipelines, old_keyring: Path) -> None:
    assert old_keyring.exists()
    for command in ("init", "status"):
        assert "The keyring has version 1" in run(command).err
        assert orjson.loads(run(command, "--json").out)["version"] == 1
    run("migrate")
    for command in ("init", "status"):
        assert "version 1" not in run(command).err
        assert orjson.loads(run(command, "--json").out)["version"] == 2


def test_init_says_which_purposes_left_the_contract_and_came_back_with_new_handles(
    run: Pipelines, purposes: list[Purpose]
) -> None:
    run("init")
    support = purposes.pop()
    assert "Not in the contract any more: support. If one comes back, it gets new handles." in run("init").out
    purposes.append(support)
    status = run("status", "--json")
    assert status.code == 3
    assert [row["state"] for row in orjson.loads(status.out)["purposes"]] == ["ok", "missing"]
    ended = run("init", "--json")
    assert orjson.loads(ended.out)["returned"] == ["support"]
    after = orjson.loads(run("status", "--json").out)
    assert [(row["purpose"], row["roots"], row["state"]) for row in after["purposes"]] == [
        ("security-enforcement", 33, "ok"),
        ("support", 5, "ok"),
    ]
    assert after["other_roots"] == 5


def test_rewrap_without_a_keyring_or_its_key_changes_nothing(run: Pipelines) -> None:
    ended = run("rewrap", "--new-kek-file", "kek.new")
    assert (ended.code, Path("kek.new").exists()) == (3, False)
    assert ".pipelines/kek" in ended.err
    run("init")
    Path(".pipelines/keyring.json").rename("elsewhere.json")
    ended = run("rewrap", "--new-kek-file", "kek.new")
    assert ended.code == 3
    assert "no keyring" in ended.err


def test_status_names_copies_of_the_key_files_and_init_deletes_those_that_a_killed_command_left(run: Pipelines) -> None:
    run("init")
    folder = Path(".pipelines")
    names = [folder / ".kek.0123456789abcdef", folder / ".keyring.json.0123456789abcdef", folder / "mine"]
    for copy, path in zip(names, ("kek", "keyring.json", "kek"), strict=True):
        copy.hardlink_to(folder / path)
    ended = run("status")
    assert ended.code == 0
    assert all(str(name) in ended.err for name in names)
    assert set(orjson.loads(run("status", "--json").out)["leftovers"]) == set(map(str, names))
    run("init")
    assert orjson.loads(run("status", "--json").out)["leftovers"] == [str(folder / "mine")]
    (folder / "mine").unlink()
    assert run("status").err == ""


def test_rewrap_leaves_no_other_name_of_the_old_key(run: Pipelines) -> None:
    run("init")
    kek = Path(".pipelines/kek")
    Path(".pipelines/.kek.0123456789abcdef").hardlink_to(kek)
    assert run("rewrap", "--new-kek-file", "kek.new").code == 0
    assert kek.stat().st_nlink == 1


def test_status_shows_the_mark_by_which_hosts_know_that_they_have_one_keyring(run: Pipelines) -> None:
    run("init")
    mark = orjson.loads(run("status", "--json").out)["mark"]
    assert re.fullmatch("[0-9a-f]{16}", mark)
    assert f"Keyring {mark}: every host" in run("status").out
    run("rewrap", "--new-kek-file", "kek.new")
    assert orjson.loads(run("status", "--json", "--kek-file", "kek.new").out)["mark"] == mark
