"""The synthetic devices and what each is like. Made from a seed; every id is visibly synthetic."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final

from pipelines.simulate.canaries import ID_PREFIX

REGIONS: Final = ("eu-west", "eu-central", "eu-north", "us-east", "us-west", "ap-south", "ap-northeast")
_REGION_HOURS: Final = (0, 1, 2, -5, -8, 5, 9)
_PLATFORMS: Final = ("ENIGM_OS", "ANDROID", "IOS", "LINUX", "MACOS", "WINDOWS")
_PLATFORM_WEIGHTS: Final = (60, 14, 10, 4, 5, 7)
_MODELS: Final = ("EP-1", "EP-1 Pro", "EP-2", "EP-2 Pro", "ET-1")
_DEVICES_PER_ACCOUNT: Final = 1.6


@dataclass(frozen=True, slots=True)
class Device:
    """One device. Shares (`health`, `risk`, `progress`, `talkative`) lie between 0 and 1.

    `progress` says how new its software is, and so which version of an event type it sends.
    """

    number: int
    id: str
    id_bytes: bytes
    account_id: str
    account_id_bytes: bytes
    region: str
    utc_offset_h: int
    platform: str
    model: str
    managed: bool
    health: float
    risk: float
    progress: float
    talkative: float
    patch_day: int


def synthetic_id(kind: int, seed: int, number: int) -> str:
    """A UUID in form: the synthetic beginning, 3 hexadecimal digits of kind, 3 of the seed, 12 of the number."""
    return f"{ID_PREFIX}{kind:03x}-8{seed & 0xFFF:03x}-{number:012x}"


DEVICE_KIND: Final = 0xDEC
ACCOUNT_KIND: Final = 0xACC
EVENT_KIND: Final = 0xE1D


class Fleet:
    """`size` devices; `pick` gives the next one to do something, the talkative ones more often."""

    def __init__(self, size: int, seed: int) -> None:
        if size < 1:
            raise ValueError("a fleet has at least one device")
        rng = Random(f"fleet-{seed}")
        accounts = max(1, int(size / _DEVICES_PER_ACCOUNT))
        self.devices = tuple(_device(rng, seed, number, accounts) for number in range(size))
        self._reach = tuple(accumulate(device.talkative for device in self.devices))

    def pick(self, rng: Random) -> Device:
        """A device, by its talkativeness."""
        return rng.choices(self.devices, cum_weights=self._reach)[0]


def _device(rng: Random, seed: int, number: int, accounts: int) -> Device:
    region = rng.randrange(len(REGIONS))
    device_id = synthetic_id(DEVICE_KIND, seed, number)
    account_id = synthetic_id(ACCOUNT_KIND, seed, rng.randrange(accounts))
    return Device(
        number=number,
        id=device_id,
        id_bytes=bytes.fromhex(device_id.replace("-", "")),
        account_id=account_id,
        account_id_bytes=bytes.fromhex(account_id.replace("-", "")),
        region=REGIONS[region],
        utc_offset_h=_REGION_HOURS[region],
        platform=rng.choices(_PLATFORMS, _PLATFORM_WEIGHTS)[0],
        model=rng.choice(_MODELS),
        managed=rng.random() < 0.6,
        health=rng.betavariate(6, 1.2),
        risk=rng.betavariate(1.2, 8),
        progress=rng.random(),
        talkative=min(rng.paretovariate(1.3), 40.0),
        patch_day=20_300 + int(150 * rng.betavariate(4, 1.5)),
    )
