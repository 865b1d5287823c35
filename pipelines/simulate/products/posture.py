"""Posture agents and the attestation verifier: rounds of checks, and now and then a proof of what is running."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from pipelines.simulate.activity import DAY_MS, MINUTE_MS, SECOND_MS, Activity, Moment, lasting_ms, one_of
from pipelines.simulate.fleet import Device

REPORT: Final = "posture.report"
ATTESTATION: Final = "posture.attestation"

_CHECKS: Final = (
    "boot-integrity", "developer-options", "disk-encryption", "kernel-lockdown", "patch-age", "screen-lock", "selinux",
    "sideloading", "usb-restriction",
)  # fmt: skip
_TRIGGERS: Final = {"SCHEDULE": 70, "BOOT": 10, "UNLOCK": 10, "REQUESTED": 5, "CHANGE": 5}
_MODES: Final = {"OFF": 15, "STANDARD": 65, "STRICT": 17, "TRAVEL": 3}
_POLICIES: Final = {"NONE": 25, "VPN_ONLY": 45, "PROXY_ONLY": 20, "TOR_ONLY": 4, "VPN_THEN_TOR": 6}
_LOCKS: Final = {"BIOMETRIC": 62, "PIN": 25, "PASSWORD": 11, "NONE": 2}
_FAILURES: Final = {"PATCH_LEVEL": 50, "EXPIRED": 20, "BOOT_STATE": 10, "MEASUREMENT": 10, "NONCE": 5, "REVOKED_KEY": 5}
_REGISTERS: Final = (0, 1, 2, 4, 7, 8, 11)


def _play(rng: Random, device: Device, start_ms: int) -> Iterator[Moment]:
    yield Moment(start_ms, REPORT, _report(rng, device, start_ms))
    if rng.random() < 0.7:
        yield Moment(start_ms + lasting_ms(rng, 4 * SECOND_MS), ATTESTATION, _attestation(rng, device, start_ms))


def _report(rng: Random, device: Device, at_ms: int) -> dict[str, object]:
    checks = []
    for check in _CHECKS:
        outcome = (
            "PASS" if rng.random() < 0.75 + device.health * 0.25 else rng.choice(("FAIL", "FAIL", "WARN", "ERROR"))
        )
        checks.append(
            {"id": check, "outcome": outcome, "severity": 1 + len(check) % 4, "checked_at": at_ms - rng.randint(5, 900)}
        )
    failed = sum(1 for check in checks if check["outcome"] in {"FAIL", "ERROR"})
    management = {
        "state": "ACTIVE" if rng.random() < 0.95 else rng.choice(("ENROLLING", "SUSPENDED", "LOST")),
        "last_contact": at_ms - lasting_ms(rng, 40 * MINUTE_MS),
        "enrolment_token": None if rng.random() < 0.9 else b"",
    }
    given: dict[str, object] = {
        "hardware": {"model": device.model},
        "agent_version": f"{1 + int(device.progress * 2)}.{int(device.progress * 30)}.{device.number % 10}",
        "os": {
            "version": "5.2" if device.progress < 0.4 else "6.0" if device.progress < 0.8 else "6.1",
            "security_patch": device.patch_day,
            "channel": "BETA" if device.progress > 0.93 else "STABLE",
        },
        "trigger": one_of(rng, _TRIGGERS),
        "trust_score": max(0, min(100, int(100 * device.health) - 8 * failed + rng.randint(-3, 3))),
        "checks": checks,
        "partitions": {
            name: {
                "encrypted": rng.random() < 0.6 + 0.4 * device.health,
                "free_bytes": int(rng.lognormvariate(23, 1.2)),
            }
            for name in ("userdata", "data")
        },
        "settings": {"usb_debugging": rng.random() > 0.9, "developer_options": rng.random() > 0.85},
        "privacy_mode": one_of(rng, _MODES),
        "network_policy": one_of(rng, _POLICIES),
        "management": management if device.managed else None,
        "lock": {"kind": one_of(rng, _LOCKS), "failed_attempts": int(rng.expovariate(1.5))},
        "location": None if rng.random() < 0.995 else {},
        "battery_percent": rng.uniform(4, 100),
    }
    if device.risk < 0.3:
        given["indicators"] = []
    return given


def _attestation(rng: Random, device: Device, at_ms: int) -> dict[str, object]:
    trusted = rng.random() < 0.7 + 0.3 * device.health
    failures = [] if trusted else [one_of(rng, _FAILURES)]
    boot = "GREEN" if trusted else rng.choice(("GREEN", "YELLOW", "ORANGE", "RED"))
    return {
        "verdict": "TRUSTED" if trusted else "UNTRUSTED" if boot == "RED" else "DEGRADED",
        "previous_verdict": "TRUSTED" if rng.random() < 0.9 else None,
        "failures": failures,
        "boot_state": boot,
        "bootloader_locked": boot in {"GREEN", "RED"},
        "security_level": "STRONGBOX" if device.progress > 0.5 else "TRUSTED_ENVIRONMENT",
        "patch_level": 202500 + 1 + int(device.progress * 11),
        "rollback_index": int(device.progress * 40),
        "measurements": [{"register": number, "matched": trusted or rng.random() < 0.8} for number in _REGISTERS],
        "verifier_region": device.region,
        "verification_ms": float(lasting_ms(rng, 40)),
        "valid_until": at_ms + DAY_MS,
    }


ACTIVITIES: Final = (Activity(frozenset({REPORT, ATTESTATION}), weight=6, moments=1.7, play=_play),)
