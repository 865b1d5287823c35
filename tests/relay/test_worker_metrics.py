"""Whatever lies in the folder of the workers' metrics: what can be read is shown, and what cannot be read is told."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from structlog.testing import capture_logs

from pipelines.relay import worker_metrics
from pipelines.relay.endpoint import application
from pipelines.relay.health import stuck
from pipelines.relay.supervisor import Launch
from pipelines.relay.worker_metrics import MOMENT_S, UNREADABLE, WorkerMetrics, registry_of
from tests.support.waiting import joined

NOW_S = 1_900_000_000.0
EVENTS = "pipelines_events_in"
BEAT = "pipelines_worker_beat_timestamp_seconds"


def counter(folder: Path, pid: int, value: float, topics: int = 1) -> Path:
    """A worker's file of counters, without the zeros that a real one ends with."""
    file = folder / f"counter_{pid}.db"
    file.unlink(missing_ok=True)
    values = MmapedDict(str(file))
    for number in range(topics):
        values.write_value(mmap_key(EVENTS, f"{EVENTS}_total", ["raw_topic"], [f"raw.{number}"], "Read."), value, 0.0)
    used = values._used
    values.close()
    file.write_bytes(file.read_bytes()[:used])
    return file


def beat(folder: Path, pid: int, ago_s: float) -> Path:
    """A worker's file with its last sign of life."""
    file = folder / f"gauge_livemax_{pid}.db"
    file.unlink(missing_ok=True)
    values = MmapedDict(str(file))
    values.write_value(mmap_key(BEAT, BEAT, ["source", "slot"], ["vpn", "0"], "Step."), NOW_S - ago_s, 0.0)
    values.close()
    return file


def shown(registry: CollectorRegistry, name: str = f"{EVENTS}_total") -> float | None:
    found = [sample.value for metric in registry.collect() for sample in metric.samples if sample.name == name]
    return sum(found) if found else None


def unreadable(registry: CollectorRegistry) -> dict[str, float]:
    return {
        sample.labels["kind"]: sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == UNREADABLE
    }


def asked(registry: CollectorRegistry, path: str) -> tuple[str, bytes]:
    status = []

    def start_response(line: str, *_rest: Any) -> Callable[[bytes], object]:
        status.append(line)
        return lambda _body: None

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": ""}
    body = b"".join(application(registry, (("vpn", 0),))(environ, start_response))
    return status[0], body


def test_what_several_workers_counted_is_summed(tmp_path: Path) -> None:
    counter(tmp_path, 1, 3.0)
    counter(tmp_path, 2, 4.0)
    registry = registry_of(tmp_path)
    assert shown(registry) == 7.0
    assert unreadable(registry) == {"counter": 0}


def test_a_file_cut_off_at_any_length_costs_only_itself(tmp_path: Path) -> None:
    counter(tmp_path, 1, 3.0)
    beat(tmp_path, 1, 1.0)
    whole = counter(tmp_path, 2, 4.0, topics=3).read_bytes()
    for length in range(len(whole)):
        (tmp_path / "counter_2.db").write_bytes(whole[:length])
        registry = registry_of(tmp_path)
        assert shown(registry) == 3.0, length
        assert unreadable(registry) == {"counter": 1, "gauge_livemax": 0}, length
        assert asked(registry, "/metrics")[0] == "200 OK"
        assert orjson.loads(asked(registry, "/health")[1])["workers"][0]["slot"] == 0
    (tmp_path / "counter_2.db").write_bytes(whole)
    assert shown(registry_of(tmp_path)) == 3.0 + 3 * 4.0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=200), kind=st.sampled_from(["counter", "histogram", "gauge_livemax", "gauge_all"]))
def test_random_bytes_fail_nothing(tmp_path: Path, garbage: bytes, kind: str) -> None:
    counter(tmp_path, 1, 3.0)
    file = tmp_path / f"{kind}_2.db"
    file.write_bytes(garbage)
    try:
        registry = registry_of(tmp_path)
        assert shown(registry) == 3.0
        assert asked(registry, "/metrics")[0] == "200 OK"
        assert asked(registry, "/health")[0] == "503 Service Unavailable"
    finally:
        file.unlink()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_some_bytes_changed_fails_nothing(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(counter(tmp_path, 2, 4.0, topics=2).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "counter_2.db").write_bytes(whole)
    registry = registry_of(tmp_path)
    assert asked(registry, "/metrics")[0] == "200 OK"
    assert asked(registry, "/health")[0] == "503 Service Unavailable"


@pytest.mark.parametrize("name", ["counter_2.db", "gauge_livemax_2.db", "histogram_2.db"])
def test_a_file_that_vanishes_between_listing_and_reading_is_as_if_it_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    counter(tmp_path, 1, 3.0)
    (tmp_path / name).write_bytes(counter(tmp_path, 9, 4.0).read_bytes())
    (tmp_path / "counter_9.db").unlink()
    found = Path.glob

    def listed(folder: Path, pattern: str) -> list[Path]:
        files = list(found(folder, pattern))
        (tmp_path / name).unlink()
        return files

    registry = registry_of(tmp_path)
    monkeypatch.setattr(Path, "glob", listed)
    status, body = asked(registry, "/metrics")
    assert status == "200 OK"
    assert f'{UNREADABLE}{{kind="counter"}} 0.0'.encode() in body
    assert b"} 1.0" not in body
    monkeypatch.undo()
    assert shown(registry) == 3.0
    assert unreadable(registry) == {"counter": 0}


def test_counts_stand_still_for_a_moment_and_are_then_left_out_and_told(tmp_path: Path) -> None:
    clock = [100.0]
    counter(tmp_path, 1, 3.0)
    file = counter(tmp_path, 2, 4.0)
    registry, whole = CollectorRegistry(), file.read_bytes()
    with capture_logs() as lines:
        registry.register(WorkerMetrics(tmp_path, structlog.stdlib.get_logger(), lambda: clock[0]))
        assert shown(registry) == 7.0
        file.write_bytes(whole[:-1])
        counter(tmp_path, 1, 5.0)
        assert shown(registry) == 7.0  # and no 5, which would look as if a worker had started anew
        assert unreadable(registry) == {"counter": 1}
        assert lines == []
        clock[0] += MOMENT_S
        assert shown(registry) == 5.0
        assert shown(registry) == 5.0
        assert unreadable(registry) == {"counter": 1}
        assert lines == [{"event": "metrics.unreadable", "file": "counter_2.db", "log_level": "error"}]
        file.write_bytes(whole)
        assert shown(registry) == 9.0
        assert unreadable(registry) == {"counter": 0}


def test_a_file_that_was_just_made_holds_nothing_up(tmp_path: Path) -> None:
    counter(tmp_path, 1, 3.0)
    registry = registry_of(tmp_path)
    assert shown(registry) == 3.0
    (tmp_path / "counter_2.db").touch()
    counter(tmp_path, 1, 5.0)
    assert shown(registry) == 5.0
    assert unreadable(registry) == {"counter": 1}


def test_nobody_is_taken_for_stuck_while_signs_of_life_cannot_be_read(tmp_path: Path) -> None:
    file = beat(tmp_path, 1, 1000.0)
    registry, ages_s = registry_of(tmp_path), {("vpn", 0): 5000.0}
    assert stuck(ages_s, registry, NOW_S) == {("vpn", 0)}
    file.write_bytes(b"\xff" * 100)
    assert stuck(ages_s, registry_of(tmp_path), NOW_S) == frozenset()
    counter(tmp_path, 2, 1.0).write_bytes(b"\xff" * 100)  # counts that cannot be read do not hide who is stuck
    beat(tmp_path, 1, 1000.0)
    assert stuck(ages_s, registry_of(tmp_path), NOW_S) == {("vpn", 0)}


def test_files_that_contradict_each_other_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter(tmp_path, 1, 3.0)
    counter(tmp_path, 2, 4.0)
    registry = registry_of(tmp_path)
    assert shown(registry) == 7.0
    merged = worker_metrics.MultiProcessCollector.merge

    def one_at_a_time(files: list[str]) -> Any:
        if len(files) > 1:
            raise ValueError
        return merged(files)

    monkeypatch.setattr(worker_metrics.MultiProcessCollector, "merge", one_at_a_time)
    assert shown(registry) == 7.0
    assert unreadable(registry) == {"counter": 2}


@pytest.mark.slow
def test_reading_while_processes_come_and_go_never_fails(tmp_path: Path) -> None:
    launch = Launch(environment={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)})
    code = "from pipelines.relay import metrics as m; [m.EVENTS_IN.labels(f'raw.{n}').inc() for n in range(500)]"
    registry, raised, ended = registry_of(tmp_path), list[BaseException](), threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                assert asked(registry, "/metrics")[0] == "200 OK"
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                raised.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(5):
            subprocess.run([sys.executable, "-c", code], env={**os.environ, **launch.environment}, check=True)
    finally:
        ended.set()
        joined(reader, "the reader")
    assert raised == []
    assert shown(registry) == 2500.0
