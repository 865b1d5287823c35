"""Quix Streams, exactly once, with a commit as often as ours."""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from typing import Any

from by_hand import ByHand
from quixstreams import Application, message_context
from quixstreams.models.serializers import Serializer
from ticking import job, tick


class SecondOfRow(Serializer):
    """A row's second place is its value."""

    def __call__(self, value: Any, ctx: Any) -> bytes:  # noqa: ARG002 - Quix passes it by name
        """Take it."""
        return value[1]


def main() -> None:
    """Work until standard input ends."""
    wanted = job()
    hand = ByHand(wanted, sha256(bytes.fromhex(wanted["raw_topic_id"])).digest()[:4])
    application = Application(
        broker_address=wanted["bootstrap"], consumer_group=wanted["run"], auto_offset_reset="earliest",
        processing_guarantee="exactly-once", commit_every=wanted["settings"]["batch_events"],
        commit_interval=wanted["settings"]["linger_ms"] / 1000, auto_create_topics=False, use_changelog_topics=False,
        loglevel="ERROR", consumer_extra_config={"isolation.level": "read_committed"},
        producer_extra_config={"compression.type": "lz4", "linger.ms": 5, "partitioner": "murmur2_random"},
    )  # fmt: skip
    raw = application.topic(wanted["raw_topic"], value_deserializer="bytes", key_deserializer="bytes")
    out = application.topic(wanted["topics"][0], value_serializer=SecondOfRow(), key_serializer="bytes")
    done = 0

    def minimize(value: bytes, _key: bytes, timestamp: int, _headers: Any) -> Any:
        nonlocal done
        done += 1
        context = message_context()
        return hand.reduce(value, context.partition, context.offset, timestamp)

    frame = application.dataframe(raw).apply(minimize, metadata=True)
    frame = frame.set_headers(lambda row, *_: row[2]).set_timestamp(lambda row, *_: row[3])
    frame.to_topic(out, key=lambda row: row[0])
    # What it has in progress when nobody listens any more is committed within its interval.
    tick(lambda: done, lambda: threading.Timer(2, lambda: os._exit(0)).start())
    application.run()


if __name__ == "__main__":
    main()
