"""Who is stuck, who is busy, who only waits."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge

from pipelines.broker import Cluster
from pipelines.relay import metrics, outbox, succession
from pipelines.relay.endpoint import MOST_CONNECTIONS, application, serve
from pipelines.relay.health import STALLED_AFTER_S, WITHIN_S, Health, State, forget, look, stuck
from pipelines.relay.outbox import Outbox
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.stall import LONGEST_TURN_S, StallClock
from pipelines.relay.station import Station
from pipelines.relay.succession import StoppedError
from pipelines.relay.waits import RelayLimits
from pipelines.relay.worker_metrics import registry_of
from pipelines.retention import TRANSACTION_TIMEOUT_MS
from tests.support.commands import free_port
from tests.support.waiting import CALL_S, until

NOW_S = 1_900_000_000.0


def registry(**beats: float) -> CollectorRegistry:
    """One in which the workers of the sources took their last step so many seconds before NOW_S."""
    signs = CollectorRegistry()
    gauge = Gauge("pipelines_worker_beat_timestamp_seconds", "as the workers'", ["source", "slot"], registry=signs)
    for source, ago_s in beats.items():
        gauge.labels(source, "0").set(NOW_S - ago_s)
    return signs


def test_nobody_is_taken_for_stuck_while_a_starting_workers_signs_are_half_made(tmp_path: Path) -> None:
    signs = registry_of(tmp_path)
    (tmp_path / "gauge_livemax_99999.db").touch()
    assert stuck({("vpn", 0): 1000.0}, signs, NOW_S) == frozenset()


def test_a_slot_is_working_stuck_or_absent() -> None:
    found = look([("vpn", 0), ("tor", 0), ("ota", 0)], registry(vpn=WITHIN_S, tor=WITHIN_S + 1), NOW_S)
    assert found == [
        Health("vpn", 0, State.WORKING, WITHIN_S),
        Health("tor", 0, State.STUCK, WITHIN_S + 1),
        Health("ota", 0, State.ABSENT, None),
    ]


def test_a_worker_is_stuck_that_gives_no_sign_any_more_or_never_gave_one() -> None:
    ages_s = {("vpn", 0): 5000.0, ("tor", 0): 5000.0, ("ota", 0): WITHIN_S, ("dns", 0): WITHIN_S + 1}
    assert stuck(ages_s, registry(vpn=1, tor=1000), NOW_S) == {("tor", 0), ("dns", 0)}


def test_the_empty_file_of_a_worker_that_died_at_its_start_is_put_away(tmp_path: Path) -> None:
    signs = registry_of(tmp_path)
    for name in ("counter_99999.db", "histogram_99999.db", "gauge_livemax_99999.db", "counter_999991.db"):
        (tmp_path / name).touch()
    forget(99999, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["counter_999991.db"]
    forget(999991, tmp_path)
    assert [metric.samples for metric in signs.collect()] == [[]]  # of unreadable files there are none


def test_a_worker_that_commits_nothing_while_input_waits_is_stalled_and_not_killed() -> None:
    signs = registry(vpn=1, tor=1, ota=WITHIN_S + 1)
    stalled = Gauge("pipelines_worker_stalled_seconds", "as the workers'", ["source", "slot"], registry=signs)
    for source, seconds in (("vpn", STALLED_AFTER_S), ("tor", STALLED_AFTER_S + 1), ("ota", STALLED_AFTER_S + 1)):
        stalled.labels(source, "0").set(seconds)
    found = look([("vpn", 0), ("tor", 0), ("ota", 0)], signs, NOW_S)
    assert [one.state for one in found] == [State.WORKING, State.STALLED, State.STUCK]
    assert stuck({("tor", 0): 5000.0}, signs, NOW_S) == frozenset()


def test_no_batch_may_wait_as_long_as_makes_its_worker_stalled() -> None:
    limits = RelayLimits()
    waits = [limits.decided_s, limits.committed_s, limits.refused_s, outbox._WAIT_S, limits.behind_s]
    assert sum(waits) < STALLED_AFTER_S


@given(st.lists(st.tuples(st.floats(-100, 1000), st.booleans(), st.booleans()), max_size=30))
def test_a_worker_is_stalled_for_the_turns_since_its_last_commit_in_which_input_waited(
    turns: list[tuple[float, bool, bool]],
) -> None:
    clock, now_s, expected = StallClock(), 0.0, 0.0
    clock.turned(now_s, input_waits=False)
    for elapsed_s, commits, waits in turns:
        now_s += elapsed_s
        if commits:
            clock.committed()
        clock.turned(now_s, input_waits=waits)
        expected = expected + min(max(elapsed_s, 0), LONGEST_TURN_S) if waits and not commits else 0
        assert clock.stalled_s == pytest.approx(expected, abs=1e-6)


def test_a_clock_that_was_set_back_makes_nobody_stuck() -> None:
    assert look([("vpn", 0)], registry(vpn=-3600), NOW_S) == [Health("vpn", 0, State.WORKING, 0.0)]


def test_no_call_of_a_worker_may_take_as_long_as_makes_it_stuck() -> None:
    limits = RelayLimits()
    waits = [limits.committed_s, limits.watermark_s, succession._INIT_WAIT_S, outbox._WAIT_S]
    assert outbox._WAIT_S == TRANSACTION_TIMEOUT_MS / 1000
    assert max(waits) + 20 < WITHIN_S


def asked(path: str, query: str = "", signs: CollectorRegistry | None = None) -> tuple[str, bytes]:
    status = []

    def start_response(line: str, *_rest: Any) -> Callable[[bytes], object]:
        status.append(line)
        return lambda _body: None

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query}
    body = b"".join(application(signs or metrics_of_now(), (("vpn", 0),))(environ, start_response))
    return status[0], body


def metrics_of_now() -> CollectorRegistry:
    signs = CollectorRegistry()
    gauge = Gauge("pipelines_worker_beat_timestamp_seconds", "as the workers'", ["source", "slot"], registry=signs)
    gauge.labels("vpn", "0").set_to_current_time()
    return signs


def test_health_is_told_over_http_with_a_status_that_an_orchestrator_understands() -> None:
    status, body = asked("/health")
    assert status == "200 OK"
    told = orjson.loads(body)
    assert (told["healthy"], told["within_s"], told["workers"][0]["state"]) == (True, WITHIN_S, "working")
    for signs, state in ((registry(vpn=1e9), "stuck"), (registry(), "absent")):
        status, body = asked("/health", signs=signs)
        assert status == "503 Service Unavailable"
        assert orjson.loads(body)["workers"][0]["state"] == state


def test_silent_connections_take_few_threads_and_hold_nobody_up() -> None:
    server, silent = serve("127.0.0.1", 0, metrics_of_now(), (("vpn", 0),)), list[socket.socket]()
    before = threading.active_count()
    try:
        for _ in range(3 * MOST_CONNECTIONS):
            silent.append(socket.create_connection(("127.0.0.1", server.server_port), timeout=CALL_S))
            silent[-1].sendall(b"GET /health HTTP/1.1\r\n")
        assert threading.active_count() - before <= 2 * MOST_CONNECTIONS
        until(lambda: threading.active_count() - before <= MOST_CONNECTIONS, "the end of the older ones")
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=CALL_S) as asking:
            asking.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert b" 200 " in asking.recv(1000)
    finally:
        server.shutdown()
        server.server_close()
        for connection in silent:
            connection.close()


def test_a_connection_that_sends_too_slowly_is_ended() -> None:
    server = serve("127.0.0.1", 0, metrics_of_now(), (("vpn", 0),))
    vars(server)["longest_s"] = 0.0
    try:
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=CALL_S) as slow:
            slow.sendall(b"GET /health HTTP/1.1\r\n")
            assert slow.recv(1000) == b""
    finally:
        server.shutdown()
        server.server_close()


def test_metrics_are_told_beside_it() -> None:
    status, body = asked("/metrics")
    assert status == "200 OK"
    assert b"pipelines_worker_beat_timestamp_seconds" in body


@pytest.mark.parametrize(
    "query",
    [
        *("within=", "within=0", "within=-1", "within=nan", "within=1e99", "within=soon", "a&" * 9),
        *("within=1_0", "within=%2010", "within=%2B10", "within=10%0A", "within=1e1", "within=%D9%A1%D9%A0"),
    ],
)
def test_a_senseless_question_is_refused(query: str) -> None:
    status, body = asked("/health", query)
    assert status == "400 Bad Request"
    assert "seconds" in orjson.loads(body)["error"]


def test_neither_a_fault_nor_a_connection_that_breaks_says_anything_on_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Failing(CollectorRegistry):
        def collect(self) -> Any:
            raise RuntimeError("made-up value")

    server = serve("127.0.0.1", 0, Failing(), (("vpn", 0),))
    try:
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=CALL_S) as asking:
            asking.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert b" 500 " in asking.recv(1000)
        with socket.socket() as broken:
            server.handle_error(broken, ("192.0.2.7", 1))  # as the library does when a connection breaks
    finally:
        server.shutdown()
        server.server_close()
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_worker_whose_brokers_are_away_gives_signs_of_life(tmp_path: Path) -> None:
    settings = WorkerSettings(
        source="away",
        instance="test",
        slot=0,
        contract_dir=tmp_path,
        bootstrap=f"127.0.0.1:{free_port()}",
        keyring=tmp_path / "keyring.json",
        kek_file=tmp_path / "kek",
    )
    stopping, ended = threading.Event(), threading.Event()
    station = Station(settings, Cluster(settings.bootstrap), structlog.stdlib.get_logger())
    box = Outbox(station, ["view"], "quarantine", stopping.is_set)

    def settle() -> None:
        with pytest.raises(StoppedError):
            box.settle()
        ended.set()

    beat = metrics.BEAT.labels("away", "0")._value
    threading.Thread(target=settle, daemon=True).start()
    try:
        first = until(beat.get, "a first sign of life")
        until(lambda: beat.get() > first, "another sign, while it still waits")
        assert not ended.is_set()
    finally:
        stopping.set()
        until(ended.is_set, "the worker's end")
