"""The main job by hand, as a user of a stream processor writes it: decode, choose, encode, with caches where they pay.

For Quix Streams and Faust; Kafka Streams has the same in Java.
"""

from __future__ import annotations

import io
import json
import struct
from bisect import bisect_right
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import fastavro
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

REGIONS = frozenset({"eu-west", "eu-north", "us-east", "ap-south"})
EDGES = [0, 1 << 10, 1 << 20, 100 << 20]


class ByHand:
    """Raw event in; key, value, headers and time out."""

    def __init__(self, job: dict[str, Any], topic_hash: bytes) -> None:
        schemas = job["schemas"]
        self._raw = fastavro.parse_schema(json.loads(schemas["raw"]))
        self._view = fastavro.parse_schema(json.loads(schemas["view"]))
        self._prefix = b"\xc3\x01" + bytes.fromhex(schemas["view_fingerprint"])
        self._expected = b"\xc3\x01" + bytes.fromhex(schemas["raw_fingerprint"])
        self._step, self._ttl, self._rotate = schemas["step_ms"], schemas["ttl_ms"], schemas["rotate_ms"]
        self._constant = [
            (name, text.encode())
            for name, text in job["headers"].items()
            if name not in {"ce_id", "ce_handleepoch", "ce_expirytime"}
        ]
        self._topic_hash = topic_hash
        self._ids = Cipher(AES256(bytes.fromhex(job["id_key"])), modes.ECB()).encryptor()  # noqa: S305 - as ours
        keyed = HMAC(bytes.fromhex(job["handle_key"]), SHA256())
        keyed.update(b"\x01")

        @lru_cache(8_192)
        def handle(identifier: bytes) -> bytes:
            mac = keyed.copy()
            mac.update(len(identifier).to_bytes(4, "big") + identifier)
            return mac.finalize()[:16]

        self._handle = handle
        self._times = lru_cache(64)(self._time_headers)

    def reduce(
        self, value: bytes, partition: int, offset: int, broker_ms: int
    ) -> tuple[bytes, bytes, list[tuple[str, bytes]], int]:
        """One event."""
        if value[:10] != self._expected:
            raise ValueError("another schema")
        event: Any = fastavro.schemaless_reader(io.BytesIO(value[10:]), self._raw, None)
        key = self._handle(event["device_id"].encode())
        occurred = event["occurred_at"]
        body = io.BytesIO()
        fastavro.schemaless_writer(
            body,
            self._view,
            {
                "device_id": key,
                "occurred_at": occurred.replace(minute=0, second=0, microsecond=0),
                "phase": event["phase"],
                "protocol": event["protocol"],
                "region": event["region"] if event["region"] in REGIONS else "other",
                "bytes_up": EDGES[bisect_right(EDGES, event["bytes_up"]) - 1],
                "bytes_down": EDGES[bisect_right(EDGES, event["bytes_down"]) - 1],
                "post_quantum": event["post_quantum"],
            },
        )
        event_id = self._ids.update(self._topic_hash + struct.pack(">IQ", partition, offset)).hex().encode()
        floored = broker_ms - broker_ms % self._step
        headers = [("ce_id", event_id), *self._times(floored, broker_ms // self._rotate)]
        return key, self._prefix + body.getvalue(), headers, floored

    def _time_headers(self, floored: int, epoch: int) -> list[tuple[str, bytes]]:
        return [
            *self._constant,
            ("ce_handleepoch", _iso(epoch * self._rotate)),
            ("ce_expirytime", _iso(floored + self._ttl)),
        ]


def _iso(timestamp_ms: int) -> bytes:
    return datetime.fromtimestamp(timestamp_ms // 1000, UTC).isoformat().replace("+00:00", "Z").encode()
