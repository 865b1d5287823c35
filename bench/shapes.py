"""Event types made for measuring: how many fields, how many of them kept, how many views, how many bytes dropped.

The first sixteen fields are those of the main job, of which a view keeps eight: 212 bytes, as small as a session event
gets. Further fields are texts and numbers that nobody keeps.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import fastavro

from bench.folder import EventType, write_contract

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
    """The main job by default. `user_agent` is the length of the longest dropped text, in bytes.

    With fewer than 16 fields, those go first that no view of the main job keeps.
    """

    fields: int = 16
    kept: int = 8
    views: int = 1
    user_agent: int = 24
    devices: int = 5_000
    name: str = "session"

    @property
    def event(self) -> str:
        """The event type's name."""
        return f"bench.{self.name}"

    def schema(self) -> dict[str, Any]:
        """The raw schema."""
        fields = [{"name": name, "type": kind, "class": class_} for name, kind, class_ in self._first()]
        fields += [
            {"name": f"more_{number}", "type": _TEXT if number % 2 else "long", "class": _CONTENT}
            for number in range(len(_FIELDS), self.fields)
        ]
        return {"type": "record", "name": "Session", "namespace": "bench", "fields": fields}

    def _first(self) -> list[tuple[str, Any, str]]:
        needed = ["event_id", *list(_RULES)[: self.kept], *list(_RULES)[self.kept :]]
        names = [*needed, *(name for name, _, _ in _FIELDS if name not in needed)][: self.fields]
        return [field for field in _FIELDS if field[0] in names]

    def write(self, folder: Path) -> Path:
        """Write a contract with this event type."""
        rules = {name: _RULES[name] for name in list(_RULES)[: self.kept]}
        purposes = [f"bench-{number}" for number in range(1, self.views + 1)]
        never = [field["name"] for field in self.schema()["fields"] if field["name"] not in rules]
        session = EventType(self.name, self.schema(), dict.fromkeys(purposes, rules), never)
        return write_contract(folder, [session], dict.fromkeys(purposes, "device"))

    def pool(self, count: int, header: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Distinct raw events: key and value."""
        random, parsed = Random(1), fastavro.parse_schema(self.schema())
        for number in range(count):
            device = f"synthetic-device-{number * 7_919 % self.devices:019d}"
            body = io.BytesIO()
            fields = self._fields(random, device)
            fastavro.schemaless_writer(
                body, parsed, {field["name"]: fields[field["name"]] for field in parsed["fields"]}
            )
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
