"""Raw input far above capacity: a worker's memory stays bounded, its lag shows, nothing is lost.

PIPELINES_OVERLOAD_S says for how many seconds producers press (default: 4).
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pipelines.broker import Cluster
from pipelines.relay.supervisor import Launch
from pipelines.relay.worker_metrics import registry_of
from tests.support.exactness import everything_came_out_once
from tests.support.kafka import flushed
from tests.support.oracle import committed
from tests.support.processes import ended
from tests.support.relay_fixture import RelayFixture, build
from tests.support.waiting import until

PRESS_S = float(os.environ.get("PIPELINES_OVERLOAD_S", "4"))
# While offsets are committed, so long at most: pressing sets how much there is to relay.
THROUGH_S = 600 + 60 * PRESS_S
# Pressing, letting all of it through, and the oracle's own time.
pytestmark = [pytest.mark.timeout(3 * THROUGH_S), pytest.mark.scaled]
MOST_MB = 150
LARGE_BYTES = 900_000
MOST_A_SECOND = 15_000  # of PRESS_S, in all: the oracle computes some 10,000 events a second


@contextmanager
def watched(house: RelayFixture, metrics_dir: Path) -> Iterator[list[int]]:
    """A worker in a process of its own; the list holds its resident memory (MB) as it went."""
    metrics_dir.mkdir(exist_ok=True)
    launch = Launch(environment={"PROMETHEUS_MULTIPROC_DIR": str(metrics_dir)})
    megabytes, over = list[int](), threading.Event()
    with launch.process() as process:
        assert process.stdin is not None
        process.stdin.write(house.settings(session_timeout_ms=10_000).to_json() + b"\n")
        process.stdin.flush()

        def sample() -> None:
            memory = psutil.Process(process.pid)
            while not over.wait(0.05):
                megabytes.append(memory.memory_info().rss >> 20)

        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            yield megabytes
            over.set()
            sampler.join()
            process.terminate()
            assert ended(process, "the worker") == 0
        finally:
            over.set()
            process.kill()


def gauge(metrics_dir: Path, name: str) -> float:
    shown = registry_of(metrics_dir).collect()
    return max((sample.value for metric in shown for sample in metric.samples if sample.name == name), default=0.0)


def press(house: RelayFixture, seconds: float, value: Callable[[int], bytes]) -> int:
    """Publish as fast as the broker takes it, in bursts when that is more than the oracle can follow."""
    producer, sent, ends_at = house.cluster.producer(), 0, time.monotonic() + seconds
    while time.monotonic() < ends_at and sent < seconds * MOST_A_SECOND:
        try:
            producer.produce(house.raw_topic, value(sent), key=b"synthetic-device-%d" % (sent % 997))
            sent += 1
        except BufferError:
            producer.poll(0.01)
    flushed(producer)
    return sent


@pytest.mark.parametrize("partitions", [3, 64])
def test_input_above_capacity_is_relayed_once_in_bounded_memory_and_shows_as_lag(
    tmp_path: Path, cluster: Cluster, partitions: int, record_property: Callable[[str, object], None]
) -> None:
    house = build(tmp_path, cluster, partitions=partitions)
    values = [house.ping(number) for number in range(4_000)]
    sent, shown = press(house, PRESS_S / 2, lambda n: values[n % len(values)]), tmp_path / "metrics"
    with watched(house, shown) as megabytes:
        sent += press(house, PRESS_S / 2, lambda n: values[n % len(values)])
        seen = dict[str, float]()

        def lags() -> bool:
            for name in ("pipelines_lag_events", "pipelines_lag_seconds"):
                seen[name] = max(seen.get(name, 0.0), gauge(shown, name))
            return min(seen.values()) > 0

        until(lags, "a lag in the metrics", progress=seen.copy)
        began = time.monotonic()
        house.wait_until_through(limit_s=THROUGH_S)
    record_property("overload", f"{sent} events, {max(megabytes)} MB, then {time.monotonic() - began:.1f} s")
    assert max(megabytes) < MOST_MB
    everything_came_out_once(house, sent)


@pytest.mark.parametrize("partitions", [3, 64])
def test_large_events_by_the_thousand_do_not_fill_the_memory(
    tmp_path: Path, cluster: Cluster, partitions: int, record_property: Callable[[str, object], None]
) -> None:
    house = build(tmp_path, cluster, partitions=partitions)
    sent = press(house, PRESS_S / 4, lambda _: os.urandom(LARGE_BYTES))  # no valid events: their size is what counts
    with watched(house, tmp_path / "metrics") as megabytes:
        house.wait_until_through(limit_s=THROUGH_S)
    record_property("overload", f"{sent} events, {max(megabytes)} MB")
    assert max(megabytes) < MOST_MB
    _, notes = committed(house.contract, house.cluster)
    assert len(notes) == sent > 0
