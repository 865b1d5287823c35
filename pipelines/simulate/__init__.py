"""Synthetic products: devices, traffic and canaries for every event type of a contract."""

from pipelines.simulate.canaries import Tally, find
from pipelines.simulate.simulation import SimulatedEvent, Simulation

__all__ = ["SimulatedEvent", "Simulation", "Tally", "find"]
