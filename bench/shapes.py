"""Event types made for measuring: how many fields, how many of them kept, how many views, how many bytes dropped.

The first sixteen fields are those of the main job, of which a view keeps eight: 212 bytes, as small as a session event
gets. Further fields are texts and numbers that nobody keeps.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import fastavro

EVENT: Final = "bench.session"
REGIONS: Final = ("eu-west", "eu-north", "us-east", "ap-south")
_TEXT = "string"
_CONTENT, _NETWORK, _METADATA = "content", "network_identifier", "metadata"
_FIELDS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("event_id", _TEXT, "event_id"),
    ("occurred_at", {"type": "long", "logicalType": "timestamp-millis"}, "event_time"),
    ("device_id", _TEXT, "device_identifier"),
    ("account_id", _TEXT, "account_identifier"),
    ("phase", {"type": "enum", "name": "Phase", "symbols": ["ESTABLISHED", "REKEYED", "ROAMED", "ENDED"]}, _METADATA),
    ("protocol", {"type": "enum", "name": "Protocol", "symbols": ["WIREGUARD", "IKEV2", "OPENVPN"]}, _METADATA),
    ("region", _TEXT, _METADATA),
    ("gateway", _TEXT, _NETWORK),
    ("client_ip", _TEXT, _NETWORK),
    ("client_port", "int", _NETWORK),
    ("bytes_up", "long", _METADATA),
    ("bytes_down", "long", _METADATA),
    ("duration_ms", "long", _METADATA),
    ("user_agent", _TEXT, _CONTENT),
    ("sni", _TEXT, _CONTENT),
    ("post_quantum", "boolean", _METADATA),
)
_RULES: Final = {
    "device_id": "handle",
    "occurred_at": "{truncate: 1h}",
    "phase": "keep",
    "protocol": "keep",
    "post_quantum": "keep",
    "region": f"{{one_of: [{', '.join(REGIONS)}], else: other}}",
    "bytes_up": "{bucket: [0, 1KiB, 1MiB, 100MiB]}",
    "bytes_down": "{bucket: [0, 1KiB, 1MiB, 100MiB]}",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The main job by default. `user_agent` is the length of the longest dropped text, in bytes."""

    fields: int = 16
    kept: int = 8
    views: int = 1
    user_agent: int = 24
    devices: int = 5_000

    def schema(self) -> dict[str, Any]:
        """The raw schema."""
        fields = [{"name": name, "type": kind, "class": class_} for name, kind, class_ in _FIELDS]
        fields += [
            {"name": f"more_{number}", "type": _TEXT if number % 2 else "long", "class": _CONTENT}
            for number in range(len(_FIELDS), self.fields)
        ]
        return {"type": "record", "name": "Session", "namespace": "bench", "fields": fields}

    def write(self, folder: Path) -> Path:
        """Write a contract with this event type."""
        raw, policies = folder / "schemas/raw/bench", folder / "policies/bench"
        raw.mkdir(parents=True)
        policies.mkdir(parents=True)
        (raw / "session.v1.avsc").write_text(json.dumps(self.schema()))
        (folder / "policies/lists.yaml").write_text("{}\n")
        purposes = range(1, self.views + 1)
        (folder / "policies/purposes.yaml").write_text(
            "".join(_PURPOSE.format(number=number, covers="ab" * 32) for number in purposes)
        )
        kept = list(_RULES)[: self.kept]
        rules = "".join(f"    {name}: {_RULES[name]}\n" for name in kept)
        views = "".join(f"  network-metadata.bench-{number}:\n{rules}" for number in purposes)
        dropped = [field["name"] for field in self.schema()["fields"] if field["name"] not in kept]
        never = "".join(f"  {name}: nobody needs it\n" for name in dropped)
        (policies / "session.yaml").write_text(f"event: {EVENT}\nviews:\n{views}never:\n{never}")
        topics = "".join(_TOPIC.format(number=number) for number in purposes)
        (folder / "topics.yaml").write_text(_TOPICS.format(topics=topics))
        return folder

    def pool(self, count: int, header: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Distinct raw events: key and value."""
        random, parsed = Random(1), fastavro.parse_schema(self.schema())
        for number in range(count):
            device = f"synthetic-device-{number * 7_919 % self.devices:019d}"
            body = io.BytesIO()
            fastavro.schemaless_writer(body, parsed, self._fields(random, device))
            yield device.encode(), header + body.getvalue()

    def _fields(self, random: Random, device: str) -> dict[str, Any]:
        more = {f"more_{number}": random.randbytes(6).hex() if number % 2 else random.getrandbits(20)
                for number in range(len(_FIELDS), self.fields)}  # fmt: skip
        return {
            "event_id": "00000000-" + random.randbytes(13).hex() + "-",
            "occurred_at": 1_790_000_000_000 + random.randrange(3_600_000),
            "device_id": device,
            "account_id": f"synthetic-acct-{random.getrandbits(64):021d}",
            "phase": random.choice(["ESTABLISHED", "REKEYED", "ROAMED", "ENDED"]),
            "protocol": random.choice(["WIREGUARD", "IKEV2", "OPENVPN"]),
            "region": random.choice([*REGIONS, "moon"]),
            "gateway": f"gw-{random.randrange(500)}.example",
            "client_ip": f"192.0.2.{random.randrange(256)}",
            "client_port": random.randrange(1_024, 65_536),
            "bytes_up": random.getrandbits(random.randrange(1, 30)),
            "bytes_down": random.getrandbits(random.randrange(1, 30)),
            "duration_ms": random.getrandbits(24),
            "user_agent": random.randbytes(self.user_agent // 2).hex(),
            "sni": f"www-{random.randrange(5_000)}.example",
            "post_quantum": random.choice([True, False]),
            **more,
        }


_PURPOSE: Final = """bench-{number}:
  description: Measure
  objective: operational
  iri: dpv:ServiceProvision
  legal_basis: dpv:LegitimateInterest
  question: How much CPU does an event take
  need: It is measured on events
  alternatives: None that runs
  how_long: A day
  who: Whoever reads the figures
  user_control: Nobody is behind a synthetic event
  handle: device
  rotate: 1d
  max_bits: 64
  review: {{id: PR-0001, approved: 2026-11-02, expires: 2099-01-01, owner: bench, covers: {covers}}}
"""
_TOPIC: Final = """  network-metadata.bench-{number}: {{ttl: 72h, late: 24h, partitions: 2, consumers: [readers],
    basis: {{product: none, security: none, legal: none, reviewed: 2026-11-02, expires: 2099-01-01}}}}
"""
_TOPICS: Final = """raw:
  raw.bench.session: {{ttl: 24h, partitions: 4, producers: [bench]}}
minimized:
{topics}quarantine: {{topic: quarantine-bench, ttl: 7d, partitions: 1, consumers: [operators]}}
changes: {{topic: audit.changes-bench, ttl: 400d, consumers: [audit-office]}}
"""
