"""VPN gateways: a session is decided on, established, rekeyed, sometimes roams, and ends or fails."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from pipelines.simulate.activity import MINUTE_MS, SECOND_MS, Activity, Moment, bytes_moved, lasting_ms, one_of
from pipelines.simulate.fleet import Device

SESSION: Final = "vpn.session"
DECISION: Final = "vpn.policy-decision"

_REKEY_MS: Final = 15 * MINUTE_MS
_PROTOCOLS: Final = {"WIREGUARD": 70, "IKEV2": 18, "OPENVPN": 4, "MASQUE": 8}
_NETWORKS: Final = {"WIFI": 55, "CELLULAR": 38, "ETHERNET": 6, "UNKNOWN": 1}
_POLICIES: Final = tuple(f"vp-{number:03d}" for number in (1, 2, 7, 12, 40, 41, 99))


def _play(rng: Random, device: Device, start_ms: int) -> Iterator[Moment]:
    decided = decision(rng, device)
    yield Moment(start_ms, DECISION, decided)
    at_ms = start_ms + rng.randint(5, 400)
    client = {
        "app_version": f"{3 + int(device.progress * 3)}.{int(device.progress * 40)}.{device.number % 10}",
        "platform": device.platform,
        "channel": "BETA" if device.progress > 0.93 else "STABLE",
    }
    protocol = one_of(rng, _PROTOCOLS)
    network = one_of(rng, _NETWORKS)
    given: dict[str, object] = {
        "protocol": protocol,
        "network_type": network,
        "gateway_region": device.region,
        "client": client,
        "mtu": rng.choice((1280, 1360, 1420, 1420, 1420, 1500)),
        "post_quantum": device.progress > 0.5 and protocol in {"WIREGUARD", "MASQUE"},
    }
    if protocol in {"WIREGUARD", "MASQUE"}:
        given["tls"] = None
    if decided["decision"] in {"DENY", "STEP_UP"} and decided["enforced"]:
        error = {"code": 13 if decided["decision"] == "DENY" else 14, "retryable": decided["decision"] == "STEP_UP"}
        yield Moment(at_ms, SESSION, {**given, **_moved(rng, 0), "phase": "FAILED", "error": error})
        return
    if rng.random() < 0.03:
        error = {"code": rng.choice((1, 2, 2, 3, 7, 31)), "retryable": True}
        yield Moment(at_ms, SESSION, {**given, **_moved(rng, 0), "phase": "FAILED", "error": error})
        return
    yield Moment(at_ms, SESSION, {**given, **_moved(rng, 0), "phase": "ESTABLISHED", "error": None})
    length = lasting_ms(rng, 25 * MINUTE_MS)
    for rekey in range(1, min(length // _REKEY_MS, 12) + 1):
        passed = rekey * _REKEY_MS
        phase = "REKEYED"
        if network == "CELLULAR" and rng.random() < 0.2:
            phase = "ROAMED"
        yield Moment(at_ms + passed, SESSION, {**given, **_moved(rng, passed), "phase": phase, "error": None})
        if rng.random() < 0.15:
            yield Moment(at_ms + min(passed + SECOND_MS, length), DECISION, decision(rng, device, flow=True))
    yield Moment(at_ms + length, SESSION, {**given, **_moved(rng, length), "phase": "ENDED", "error": None})


def _moved(rng: Random, passed_ms: int) -> dict[str, object]:
    """Bytes and duration; downloads outweigh uploads about nine to one."""
    if passed_ms == 0:
        return {"bytes_up": rng.randint(0, 900), "bytes_down": rng.randint(0, 1200), "duration_ms": 0}
    down = bytes_moved(rng, passed_ms * 4)
    return {"bytes_up": int(down * rng.uniform(0.02, 0.3)), "bytes_down": down, "duration_ms": passed_ms}


def decision(rng: Random, device: Device, *, flow: bool = False) -> dict[str, object]:
    """What the gateway's policy says of this device: the riskier and the less healthy, the stricter."""
    score = min(100.0, 100 * device.risk * rng.uniform(0.5, 2) + (20 if device.health < 0.4 else 0))
    posture = "COMPLIANT" if device.health > 0.6 else "GRACE" if device.health > 0.4 else "NON_COMPLIANT"
    if score > 60:
        verdict, reasons = "DENY", ["RISK"]
    elif posture == "NON_COMPLIANT":
        verdict, reasons = "ISOLATE", ["POSTURE", "RISK"] if score > 50 else ["POSTURE"]
    elif score > 40:
        verdict, reasons = "STEP_UP", ["RISK", "CREDENTIAL_AGE"]
    else:
        verdict, reasons = "ALLOW", ["DEFAULT"]
    refusing = verdict != "ALLOW"
    rules = [{"effect": verdict, "shadowed": False}] + [
        {"effect": "LOG", "shadowed": rng.random() < 0.1} for _ in range(rng.randrange(3))
    ]
    given: dict[str, object] = {
        "decision": verdict,
        "enforced": not refusing or rng.random() < 0.9,
        "policy_id": rng.choice(_POLICIES),
        "policy_revision": 1 + device.number % 40,
        "policy_scope": rng.choices((0, 1, 2, 3), (50, 30, 15, 5))[0],
        "reasons": reasons,
        "risk_score": round(score, 2),
        "posture_state": posture,
        "gateway_region": device.region,
        "matched_rules": rules,
        "evaluation_us": lasting_ms(rng, 300),
        "cached": rng.random() < 0.6,
    }
    if flow:
        given["destination"] = {"transport": rng.choices(("TCP", "UDP", "ICMP", "OTHER"), (60, 36, 3, 1))[0]}
    else:
        given["destination"] = None
    return given


ACTIVITIES: Final = (Activity(frozenset({SESSION, DECISION}), weight=4, moments=5.5, play=_play),)
