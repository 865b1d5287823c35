"""Forward proxies: bursts of requests, each decided on before it goes out."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from pipelines.simulate.activity import Activity, Moment, bytes_moved, lasting_ms, one_of
from pipelines.simulate.fleet import REGIONS, Device

REQUEST: Final = "proxy.request"
DECISION: Final = "proxy.policy-decision"

_CATEGORIES: Final = {
    "business": 20, "cloud": 18, "software-update": 14, "news": 9, "social": 9, "shopping": 7, "entertainment": 7,
    "advertising": 6, "developer": 4, "finance": 3, "education": 2, "government": 1,
}  # fmt: skip
_METHODS: Final = {"GET": 68, "POST": 18, "CONNECT": 8, "HEAD": 2, "PUT": 2, "OPTIONS": 1.5, "DELETE": 0.5}
_FAMILIES: Final = {"BROWSER": 50, "APP": 34, "SYSTEM": 12, "COMMAND_LINE": 2, "OTHER": 2}
_STATUSES: Final = {
    "200": 78,
    "204": 4,
    "301": 3,
    "302": 3,
    "304": 6,
    "404": 3,
    "403": 1,
    "429": 0.5,
    "500": 1,
    "502": 0.5,
}
_LONGEST_BURST: Final = 30


def _play(rng: Random, device: Device, start_ms: int) -> Iterator[Moment]:
    at_ms = start_ms
    family = one_of(rng, _FAMILIES)
    for _ in range(min(1 + int(rng.expovariate(1 / 4)), _LONGEST_BURST)):
        category = _category(rng, device)
        decided = _decision(rng, device, category)
        inspecting = rng.randint(0, 12)
        yield Moment(at_ms, DECISION, {**decided, "inspection_ms": inspecting})
        request = _request(rng, device, category, str(decided["decision"]))
        request["user_agent"] = {"family": family, "major_version": rng.randint(90, 150)}
        answered = request["first_byte_ms"]
        waited = int(answered) if isinstance(answered, float) else 1
        at_ms += inspecting + waited
        yield Moment(at_ms, REQUEST, request)
        at_ms += lasting_ms(rng, 1_200)


def _category(rng: Random, device: Device) -> str:
    if rng.random() < device.risk * 0.1:
        return rng.choice(("malware", "phishing"))
    return one_of(rng, _CATEGORIES)


def _decision(rng: Random, device: Device, category: str) -> dict[str, object]:
    hostile = category in {"malware", "phishing"}
    verdict = "BLOCK" if hostile else "ALLOW"
    if not hostile and rng.random() < 0.04:
        verdict = rng.choice(("WARN", "ISOLATE", "STRIP"))
    evidence = ["CATEGORY", "REPUTATION"] if hostile else ["CATEGORY"]
    if verdict in {"STRIP", "ISOLATE"}:
        evidence = ["CONTENT_SCAN"]
    return {
        "decision": verdict,
        "mode": 2 if device.managed else 1,
        "final": verdict == "BLOCK" or rng.random() < 0.3,
        "policy": {
            "id": f"pp-{device.number % 20:03d}",
            "revision": 1 + device.number % 30,
            "effective_on": 20_700 + device.number % 60,
        },
        "url_category": category,
        "rule_hits": {category: rng.randint(1, 9)} if hostile else {},
        "evidence": evidence,
        "confidence_percent": rng.uniform(80, 100) if hostile else rng.betavariate(5, 2) * 100,
        "bytes_inspected": bytes_moved(rng, 300) if rng.random() < 0.5 else None,
        "override": {} if hostile and rng.random() < 0.02 else None,
    }


def _request(rng: Random, device: Device, category: str, decision: str) -> dict[str, object]:
    method = one_of(rng, _METHODS)
    given: dict[str, object] = {
        "method": method,
        "url_category": category,
        "http_version": rng.choices(("HTTP_1_1", "HTTP_2", "HTTP_3"), (25, 55, 20))[0],
        "bytes_in": bytes_moved(rng, 40_000 if method == "POST" else 250),
        "request_headers": {"proxy-authorization": "Basic c3ludGhldGlj"} if device.managed else {},
        "response_headers": {},
        "tls": {
            "version": rng.choices(("TLS_1_2", "TLS_1_3", "TLS_1_0"), (18, 81, 1))[0],
            "alpn": rng.choices(("h2", "http/1.1", "h3"), (60, 25, 15))[0],
            "inspected": device.managed and rng.random() < 0.4,
        } if rng.random() < 0.96 else None,
    }  # fmt: skip
    if decision in {"BLOCK", "ISOLATE"}:
        given |= {"outcome": "BLOCKED" if decision == "BLOCK" else "ISOLATED", "status": 403, "bytes_out": 512,
                  "first_byte_ms": 1.0, "upstream": []}  # fmt: skip
        return given
    cached = method == "GET" and rng.random() < 0.22
    failed = not cached and rng.random() < 0.015
    hops = [] if cached else [device.region, rng.choice(REGIONS)][: rng.choices((1, 2), (85, 15))[0]]
    given |= {
        "outcome": "SERVED_FROM_CACHE" if cached else "UPSTREAM_FAILED" if failed else "FORWARDED",
        "status": None if failed else int(one_of(rng, _STATUSES)),
        "bytes_out": 0 if failed else bytes_moved(rng, 6_000),
        "first_byte_ms": None if failed else float(lasting_ms(rng, 6 if cached else 90)),
        "upstream": [{"region": region, "latency_ms": float(lasting_ms(rng, 25))} for region in hops],
    }
    return given


ACTIVITIES: Final = (Activity(frozenset({REQUEST, DECISION}), weight=5, moments=9, play=_play),)
