"""What a value is drawn from: one source of chance, the device that speaks, the moment, the next canary."""

from __future__ import annotations

from random import Random
from typing import Final

from pipelines.simulate import canaries
from pipelines.simulate.fleet import Device

# Shapes that a secret takes, by what its field's name ends in: long enough to look real, and unmistakably not.
_SHAPES: Final = (
    ("url", "https://synthetic.invalid/files/{}?signature=synthetic-signature-of-some-length-0123456789"),
    ("referrer", "https://synthetic.invalid/from/{}"),
    ("host", "{}.synthetic.invalid"),
    ("sni", "{}.synthetic.invalid"),
    ("names", "{}.synthetic.invalid"),
    ("onion_service", "{}synthetic0123456789abcdefghijklmnopq.onion"),
    ("email", "{}@synthetic.invalid"),
    ("granted_by", "{}@synthetic.invalid"),
    ("ip", "2001:db8::5eed%{}"),
    ("via", "1.1 {}.synthetic.invalid"),
    ("user_agent", "Mozilla/5.0 (synthetic; {}) Gecko/20100101"),
    ("raw", "Mozilla/5.0 (synthetic; {}) Gecko/20100101"),
    ("message", "synthetic failure while reading {} of the configuration"),
    ("token", "synthetic.{}.eyJzeW50aGV0aWMiOnRydWV9"),
    ("authorization", "Bearer synthetic.{}.eyJzeW50aGV0aWMiOnRydWV9"),
)


class Draw:
    """The state that all values of a simulation are drawn from. `number` is the next canary's."""

    __slots__ = ("device", "event_number", "now_ms", "number", "random", "rng", "seed")

    def __init__(self, rng: Random, device: Device, seed: int) -> None:
        self.rng = rng
        self.random = rng.random
        self.device = device
        self.seed = seed
        self.now_ms = 0
        self.event_number = 0
        self.number = 0

    def canary(self) -> str:
        """A new canary, 16 characters."""
        number = self.number
        self.number = number + 1
        return canaries.text(number)

    def heavy(self, smallest: float, largest: float) -> float:
        """A heavy-tailed number: log-uniform, bent towards the small."""
        share = self.random()
        return float(smallest * (largest / smallest) ** (share * share))


def shape_for(name: str) -> str:
    """The text that a canary is planted in, for a field of that name; `{}` is its place."""
    lowered = name.lower()
    return next((shape for ending, shape in _SHAPES if lowered.endswith(ending)), "synthetic {} filler")
