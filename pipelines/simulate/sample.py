"""A sample: simulated events of one type, minimized in memory. Publishes nothing and needs no broker."""

from __future__ import annotations

from typing import Final

from pipelines.contract.model import Contract
from pipelines.explain.sampling import Sampler
from pipelines.sdk.encoding import encoders
from pipelines.simulate.simulation import Simulation

START_MS: Final = 1_795_000_000_000  # some day in November 2026
SEED: Final = 1


def simulated(contract: Contract, event: str, count: int, devices: int) -> Sampler:
    """A sampler that has taken `count` events of a type, from about a day of a fleet's life; the same at every call."""
    sampler = Sampler(contract, contract.events[event])
    encoded = encoders(contract.events[event])
    simulation = Simulation(contract, seed=SEED, devices=devices, only=[event])
    for one in simulation.events(count, start_ms=START_MS):
        sampler.add(encoded[one.version].encode(one.fields))
    return sampler
