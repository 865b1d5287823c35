"""Tor gateways: a circuit is launched, extended hop by hop, built or given up, used and closed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from pipelines.simulate.activity import MINUTE_MS, Activity, Moment, lasting_ms, one_of
from pipelines.simulate.fleet import Device

CIRCUIT: Final = "tor.circuit"

_PURPOSES: Final = {
    "GENERAL": 70,
    "CONFLUX_LINKED": 12,
    "HS_CLIENT_REND": 6,
    "HS_CLIENT_INTRO": 6,
    "HS_CLIENT_HSDIR": 4,
    "MEASURE_TIMEOUT": 2,
}
_FAILURES: Final = {
    "TIMEOUT": 50,
    "DESTROYED": 20,
    "OR_CONN_CLOSED": 12,
    "CONNECTFAILED": 8,
    "NOPATH": 5,
    "RESOURCELIMIT": 5,
}
_HOPS: Final = ("GUARD", "MIDDLE", "EXIT")


def _play(rng: Random, device: Device, start_ms: int) -> Iterator[Moment]:
    purpose = one_of(rng, _PURPOSES)
    given: dict[str, object] = {
        "circuit_purpose": purpose,
        "gateway_region": device.region,
        "build_flags": ["NEED_CAPACITY"] if purpose == "GENERAL" else ["NEED_CAPACITY", "IS_INTERNAL"],
        "padding": True,
        "closed_remotely": None,
        "reason": None,
        "build_ms": None,
    }
    if not purpose.startswith("HS_"):
        given["onion_service"] = None
    yield Moment(
        start_ms,
        CIRCUIT,
        {**given, "state": "LAUNCHED", "path": [], "streams": 0, "cells_sent": 0, "cells_received": 0},
    )
    at_ms = start_ms
    path: list[dict[str, object]] = []
    for hop in _HOPS:
        at_ms += lasting_ms(rng, 250, 0.8)
        if rng.random() < 0.035:
            ending = {"state": "FAILED", "reason": one_of(rng, _FAILURES), "closed_remotely": rng.random() < 0.5}
            yield Moment(at_ms, CIRCUIT, {**given, **_used(rng, 0), **ending, "path": list(path)})
            return
        path.append({"position": hop})
        yield Moment(at_ms, CIRCUIT, {**given, **_used(rng, 0), "state": "EXTENDED", "path": list(path)})
    built = {**given, "build_ms": at_ms - start_ms, "path": path}
    yield Moment(at_ms + 1, CIRCUIT, {**built, **_used(rng, 0), "state": "BUILT"})
    at_ms += lasting_ms(rng, 10 * MINUTE_MS, 0.7)
    reason = "FINISHED" if rng.random() < 0.9 else "DESTROYED"
    ending = {"state": "CLOSED", "reason": reason, "closed_remotely": reason == "DESTROYED"}
    yield Moment(at_ms, CIRCUIT, {**built, **_used(rng, rng.randint(0, 12)), **ending})


def _used(rng: Random, streams: int) -> dict[str, object]:
    sent = int(streams * 20 * rng.paretovariate(1.2)) + rng.randint(2, 8)
    return {"streams": streams, "cells_sent": sent, "cells_received": sent * rng.randint(1, 12)}


ACTIVITIES: Final = (Activity(frozenset({CIRCUIT}), weight=1, moments=5.7, play=_play),)
