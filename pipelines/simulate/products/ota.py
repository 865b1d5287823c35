"""The update service: devices ask, mostly at night; those in the rollout install, and some fail or roll back."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from pipelines.simulate.activity import DAY_MS, MINUTE_MS, Activity, Moment, lasting_ms, one_of
from pipelines.simulate.fleet import Device

CHECK: Final = "ota.eligibility-check"
INSTALL: Final = "ota.install"


class _Campaign(NamedTuple):
    name: str
    build: str
    rollout_percent: float
    failing_share: float
    released_on: int


_CAMPAIGNS: Final = (
    _Campaign("EOS-2026-7", "EOS-6104", 100, 0.01, 20_690),
    _Campaign("EOS-2026-8", "EOS-6112", 50, 0.02, 20_725),
    _Campaign("EOS-2026-9", "EOS-6120", 12.5, 0.09, 20_745),
)
_COMPONENTS: Final = ("boot", "kernel", "system", "vendor", "baseband", "trusted-environment", "bootloader")
_FAULTS: Final = {"NETWORK": 40, "STORAGE": 25, "SIGNATURE": 5, "PARTITION": 10, "BOOT": 15, "POLICY": 5}
_STEPS: Final = ("DOWNLOADING", "VERIFYING", "INSTALLING", "REBOOTING", "SUCCEEDED")
_MEDIAN_MS: Final = {
    "DOWNLOADING": 4 * MINUTE_MS,
    "VERIFYING": 20_000,
    "INSTALLING": 6 * MINUTE_MS,
    "REBOOTING": 50_000,
}


def _play(rng: Random, device: Device, start_ms: int) -> Iterator[Moment]:
    campaign = _CAMPAIGNS[min(int(device.progress * 3), 2)]
    battery = rng.randint(5, 100)
    cohort = device.number * 37 % 100
    blockers = []
    if cohort >= campaign.rollout_percent:
        blockers.append("ROLLOUT")
    if battery < 30:
        blockers.append("BATTERY")
    metered = rng.random() < 0.2
    if metered:
        blockers.append("METERED")
    deferred = device.managed and rng.random() < 0.1
    if deferred:
        blockers.append("DEFERRED")
    check: dict[str, object] = {
        "hardware": {"model": device.model},
        "current_build": f"EOS-{5900 + int(device.progress * 200)}",
        "offered_build": None if blockers else campaign.build,
        "channel": "BETA" if device.progress > 0.93 else "STABLE",
        "eligible": not blockers,
        "blockers": blockers,
        "rollout_percent": campaign.rollout_percent,
        "rollout_cohort": cohort,
        "battery_percent": battery,
        "free_bytes": int(rng.lognormvariate(23, 1)),
        "metered": metered,
        "deferral": {"days": rng.randint(1, 30)} if deferred else None,
        "last_check": start_ms - lasting_ms(rng, DAY_MS, 0.4),
    }
    if blockers:
        check["download_url"] = None
    yield Moment(start_ms, CHECK, check)
    if not blockers:
        yield from _installing(rng, device, campaign, start_ms + rng.randint(200, 5_000))


def _installing(rng: Random, device: Device, campaign: _Campaign, at_ms: int) -> Iterator[Moment]:
    package_kib = int(rng.lognormvariate(11.5, 0.6))
    fails_at = rng.choice(_STEPS[:4]) if rng.random() < campaign.failing_share else None
    durations: dict[str, int] = {}
    for step in _STEPS:
        failing = step == fails_at
        done = step == "SUCCEEDED"
        given: dict[str, object] = {
            "campaign": campaign.name,
            "to_build": campaign.build,
            "phase": step,
            "slot": "AB"[device.number % 2],
            "attempt": 1 if rng.random() < 0.93 else 2,
            "package_kib": package_kib,
            "signature_valid": None if step == "DOWNLOADING" else True,
            "components": [
                {"name": name, "size_bytes": package_kib * 1024 // 9, "outcome": "INSTALLED" if done else "PENDING"}
                for name in _COMPONENTS
            ],
            "durations_ms": dict(durations),
            "released_on": campaign.released_on,
            "reboot_required": not done,
            "reboot": "DONE" if done else "PENDING",
            "delta": device.progress > 0.3,
            "battery_percent": rng.uniform(30, 100),
            "error": None,
        }
        if not device.managed:
            given["account_id"] = None
        if failing:
            fault = one_of(rng, _FAULTS)
            given["phase"] = "ROLLED_BACK" if step == "REBOOTING" else "FAILED"
            given["error"] = {"code": rng.randint(1, 60), "subsystem": fault}
            given["signature_valid"] = fault != "SIGNATURE"
            given["components"] = [
                {
                    "name": name,
                    "size_bytes": package_kib * 1024 // 9,
                    "outcome": "FAILED" if name == "system" else "PENDING",
                }
                for name in _COMPONENTS
            ]
        yield Moment(at_ms, INSTALL, given)
        if failing:
            return
        durations[step.lower()] = took = lasting_ms(rng, _MEDIAN_MS.get(step, 1), 0.8)
        at_ms += took


ACTIVITIES: Final = (Activity(frozenset({CHECK, INSTALL}), weight=3, moments=2.5, play=_play, nightly=True),)
