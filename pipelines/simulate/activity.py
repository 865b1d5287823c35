"""Activities: what a device does for a while, as the events that come of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from pipelines.simulate.fleet import Device

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS


class Moment(NamedTuple):
    """One event of an activity: when (ms since 1970), which, and the fields that the product decides on."""

    at_ms: int
    event: str
    given: Mapping[str, object]


Play = Callable[[Random, Device, int], Iterator[Moment]]


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that devices do. `moments` is about how many events one run of it gives, for the pace.

    `nightly` things happen while their owner sleeps, the others follow the day.
    """

    events: frozenset[str]
    weight: float
    moments: float
    play: Play
    nightly: bool = False


def wakefulness(device: Device, at_ms: int) -> float:
    """How busy the device's owner is at that time, 0 to 1: quiet at 4 in the morning, busiest in the afternoon."""
    hour = (at_ms / HOUR_MS + device.utc_offset_h) % 24
    return 0.08 + 0.92 * (0.5 - 0.5 * math.cos((hour - 4) / 24 * 2 * math.pi))


def bytes_moved(rng: Random, typical: float) -> int:
    """A Pareto-tailed number of bytes; its median is about 1.8 times `typical`, its tail ends at 64 GiB."""
    return int(min(typical * rng.paretovariate(1.15), float(2**36)))


def lasting_ms(rng: Random, median_ms: float, spread: float = 1.1) -> int:
    """A log-normal duration in milliseconds."""
    return max(1, int(rng.lognormvariate(math.log(median_ms), spread)))


def one_of(rng: Random, weighted: Mapping[str, float]) -> str:
    """One of the words, by weight."""
    return rng.choices(tuple(weighted), tuple(weighted.values()))[0]
