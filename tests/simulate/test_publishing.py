from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.contract.model import Contract
from pipelines.simulate import Simulation
from pipelines.simulate.publishing import publish

START_MS = 1_795_392_000_000  # 2026-11-23T00:00Z


@dataclass
class Recorder:
    encoded: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    sent: list[tuple[str, Mapping[str, Any], int | None]] = field(default_factory=list)

    def send(self, event: str, fields: Mapping[str, Any], *, version: int | None = None) -> None:
        self.sent.append((event, fields, version))

    def send_encoded(self, event: str, value: bytes, *, key: bytes) -> None:
        self.encoded.append((event, value, key))


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_every_event_is_handed_over_once_and_spoilt_bytes_as_they_are(shipped: Contract) -> None:
    recorder, heard = Recorder(), list[int]()
    expected = list(Simulation(shipped, faults=0.1).events(1000, start_ms=START_MS))
    counts = publish(iter(expected), recorder, tell=heard.append)
    assert counts.total() == 1000
    assert recorder.sent == [(event.event, event.fields, event.version) for event in expected if event.value is None]
    spoilt = [(event.event, event.value, event.device.encode()) for event in expected if event.value is not None]
    assert recorder.encoded == spoilt
    assert spoilt
    assert heard == sorted(heard)
    assert heard


def test_the_rate_is_kept_on_average(shipped: Contract) -> None:
    clock = Clock()
    events = Simulation(shipped).events(500, start_ms=START_MS)
    publish(events, Recorder(), rate=50, clock=clock, sleep=clock.sleep)
    assert 9.5 <= clock.now - 100.0 <= 10.5
