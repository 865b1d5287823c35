"""Faust (faust-streaming) on its aiokafka driver, at least once: it has no exactly-once that can be relied on."""

from __future__ import annotations

import os
import sys
import threading
from hashlib import sha256
from typing import Any

sys.argv = ["faust", "worker", "-l", "ERROR"]  # it parses the arguments of whoever imports it

import faust  # noqa: E402
from by_hand import ByHand  # noqa: E402
from ticking import job, tick  # noqa: E402


def main() -> None:
    """Work until standard input ends."""
    wanted = job()
    hand = ByHand(wanted, sha256(bytes.fromhex(wanted["raw_topic_id"])).digest()[:4])
    app = faust.App(
        wanted["run"], broker=f"aiokafka://{wanted['bootstrap']}", web_enabled=False, web_tables_enabled=False,
        topic_disable_leader=True, consumer_auto_offset_reset="earliest", producer_compression_type="lz4",
        producer_linger=0.005, datadir=f"/tmp/{wanted['run']}", broker_commit_every=wanted["settings"]["batch_events"],  # noqa: S108
        producer_request_timeout=60, store="memory://", value_serializer="raw", key_serializer="raw",
    )  # fmt: skip
    raw = app.topic(wanted["raw_topic"], value_type=bytes, key_type=bytes, value_serializer="raw", key_serializer="raw")
    out = app.topic(wanted["topics"][0], value_type=bytes, key_type=bytes, value_serializer="raw", key_serializer="raw")
    done = 0

    @app.agent(raw)
    async def minimize(stream: Any) -> None:
        nonlocal done
        async for event in stream.events():
            message = event.message
            key, value, headers, floored = hand.reduce(
                event.value, message.partition, message.offset, round(message.timestamp * 1000)
            )
            await out.send(key=key, value=value, headers=headers, timestamp=floored / 1000)
            done += 1

    tick(lambda: done, lambda: threading.Timer(2, lambda: os._exit(0)).start())
    app.Worker(loglevel="ERROR", quiet=True).execute_from_commandline() if hasattr(app, "Worker") else app.main()


if __name__ == "__main__":
    main()
