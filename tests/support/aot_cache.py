"""Makes the file from which brokers start in half the time (`pipelines/broker/startup_cache.py`), once on a machine."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from filelock import FileLock

from pipelines.broker import EmbeddedKafka, NewTopic, TopicPartition, jars, java, startup_cache
from pipelines.trouble import Trouble
from tests.support.kafka import SHORT_TIMINGS, guarded
from tests.support.processes import completed
from tests.support.waiting import CALL_S, StalledError, until

_LIMIT_S: Final = 300.0
_KEPT: Final = 4  # one for each checkout with a Java of its own; each has some 70 MB


@cache
def make_startup_cache() -> None:
    """Make the cache unless it is there; a broker runs for it. Blocks for some seconds.

    A machine or a Java on which this fails runs its tests all the same, and brokers start as they do without a cache.
    """
    folder = jars.cache_folder()
    command = java.command(jars.class_path(folder, lambda _: None))
    file = startup_cache.location(folder, command)
    if file is None or file.exists():
        return
    file.parent.mkdir(exist_ok=True)
    with FileLock(file.parent / ".lock"):
        if file.exists():
            return
        for left in file.parent.glob(".making-*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".making-", ignore_cleanup_errors=True) as making:
            made = make(command, Path(making))
            if made is not None:
                made.replace(file)
        for old in sorted(file.parent.glob("*.aot"), key=lambda each: each.stat().st_mtime)[:-_KEPT]:
            old.unlink()


def make(command: list[str], folder: Path) -> Path | None:
    """Make a cache in a folder; None where there is no room, or Java is older than 25. What is left goes with it."""
    recorded, made = folder / "recorded", folder / "made"
    recording = f'-XX:AOTMode=record "-XX:AOTConfiguration={recorded}" -Xlog:aot*=off'
    kafka = EmbeddedKafka(folder / "broker", settings=SHORT_TIMINGS, environments={1: {"JAVA_TOOL_OPTIONS": recording}})
    try:
        with guarded(kafka):
            kafka.start()
            _use(kafka)
            if not kafka.stop():
                return None
        assembling = ["-XX:AOTMode=create", f"-XX:AOTConfiguration={recorded}", f"-XX:AOTCache={made}"]
        done = completed([command[0], *assembling, *command[1:]], limit_s=_LIMIT_S)
    except (OSError, Trouble, StalledError):
        return None
    return made if done.returncode == 0 and made.is_file() else None


def _use(kafka: EmbeddedKafka) -> None:
    """Ask of the broker what tests ask of one, so that its classes are recorded."""
    cluster = kafka.cluster
    admin = cluster.admin(timeout_s=CALL_S)
    admin.create([NewTopic("source", 3, 1, {"retention.ms": "86400000"}), NewTopic("target", 1, 1)])
    producer = cluster.producer(**{"transactional.id": "training"})
    producer.init_transactions(CALL_S)
    for protocol in ("classic", "consumer"):
        consumer = cluster.consumer(**{"group.id": protocol, "group.protocol": protocol})
        consumer.subscribe(["source"])
        until(lambda: consumer.poll(0.1) or consumer.assignment(), "an assignment")  # noqa: B023 - called here alone
        for ending in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            producer.produce("target", b"value")
            offsets = [TopicPartition("source", 0, 1)]
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), CALL_S)
            ending(CALL_S)
        consumer.close()
    admin.committed("classic", [("source", 0)])
