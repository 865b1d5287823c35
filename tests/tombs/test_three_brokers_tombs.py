"""One round of tombs over all kinds, with topics that break their promise beside them; and the watch itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tombs.digging import sweep
from tests.tombs.grave import GRACE_S, Grave
from tests.tombs.rounds import CONTROLS, KINDS, run
from tests.tombs.writing import worst_ms
from tests.tombs.yard import now_ms

CANARY = b"TOMB-of-a-test"


@pytest.fixture(scope="module")
def by_kind(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Grave]:
    # One after the other: a run of all tests has three brokers at most.
    on_three = ["three-replicas"]
    rounds = (on_three, [kind for kind in (*KINDS, *CONTROLS) if kind not in on_three])
    made = [grave for kinds in rounds for graves in run(tmp_path_factory.mktemp("tombs"), 1, kinds) for grave in graves]
    return {grave.kind: grave for grave in made}


@pytest.mark.broker
@pytest.mark.parametrize("kind", KINDS)
def test_after_the_promise_the_bytes_are_gone_from_every_disk(by_kind: dict[str, Grave], kind: str) -> None:
    grave = by_kind[kind]
    assert grave.kept, grave.to_dict()
    assert grave.files, "they were there before"


@pytest.mark.broker
@pytest.mark.parametrize("control", CONTROLS)
def test_a_topic_that_keeps_its_bytes_is_found_out(by_kind: dict[str, Grave], control: str) -> None:
    grave = by_kind[control]
    assert grave.fault is None
    assert grave.files
    assert grave.last_byte_gone_s is None
    assert not grave.kept


@pytest.mark.broker
def test_the_search_sees_files_that_are_renamed_to_be_deleted(by_kind: dict[str, Grave]) -> None:
    assert any(grave.to_dict()["deleted_files_seen"] for grave in by_kind.values())


@pytest.mark.broker
def test_all_three_replicas_were_seen(by_kind: dict[str, Grave]) -> None:
    assert {file.split("/")[0] for file in by_kind["three-replicas"].files} == {"node-1", "node-2", "node-3"}


def test_a_file_without_a_name_that_a_process_holds_open_is_searched(tmp_path: Path) -> None:
    path = tmp_path / "0.log.deleted"
    path.write_bytes(b"before " + CANARY + b" after")
    with path.open("rb"):
        assert sweep(tmp_path, (), {CANARY}).found[CANARY] == {path.name}
        path.unlink()
        assert sweep(tmp_path, (), {CANARY}).found[CANARY] == set()
        (name,) = sweep(tmp_path, [os.getpid()], {CANARY}).found[CANARY]
        assert name.endswith("open in a broker")
    assert sweep(tmp_path, [os.getpid()], {CANARY}).found[CANARY] == set()


def sealed(born_ms: int) -> Grave:
    grave = Grave("test", 1)
    grave.seal(born_ms=born_ms, worst_ms=worst_ms(), ttl_ms=worst_ms())
    return grave


def test_bytes_that_were_never_found_are_not_gone() -> None:
    grave = sealed(now_ms() - worst_ms() - int(GRACE_S * 1000) - 1)
    grave.saw(set(), complete=True, everywhere=True)
    grave.saw(set(), complete=True, everywhere=True)
    assert grave.done.is_set()
    assert not grave.kept


def test_a_look_from_which_a_file_ran_away_proves_nothing_and_neither_does_one_at_the_topic_alone() -> None:
    grave = sealed(now_ms())
    grave.saw({"0.log"}, complete=True, everywhere=False)
    for _ in range(3):
        grave.saw(set(), complete=False, everywhere=True)
        grave.saw(set(), complete=True, everywhere=False)
    assert grave.seems_gone
    assert grave.last_byte_gone_s is None
    grave.saw({"0.log.deleted"}, complete=True, everywhere=True)
    assert not grave.seems_gone
    grave.saw(set(), complete=True, everywhere=False)
    assert not grave.done.is_set()
    grave.saw(set(), complete=True, everywhere=True)
    assert grave.kept


def test_copies_that_went_before_the_last_one_was_written_do_not_count() -> None:
    grave = Grave("test", 1)
    grave.saw({"0.log"}, complete=True, everywhere=True)
    grave.saw(set(), complete=True, everywhere=True)
    grave.seal(born_ms=now_ms(), worst_ms=worst_ms(), ttl_ms=worst_ms())
    grave.saw(set(), complete=True, everywhere=True)
    grave.saw(set(), complete=True, everywhere=True)
    assert grave.last_byte_gone_s is None


def test_bytes_that_go_after_their_worst_case_are_a_breach() -> None:
    grave = sealed(now_ms() - worst_ms() - 100)
    grave.saw({"0.log"}, complete=True, everywhere=True)
    grave.saw(set(), complete=True, everywhere=True)
    grave.saw(set(), complete=True, everywhere=True)
    assert grave.last_byte_gone_s is not None
    assert not grave.kept
