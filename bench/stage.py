"""The broker that a benchmark runs on, in a folder that goes with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipelines.broker import Cluster, EmbeddedKafka


@contextmanager
def stage(settings: Mapping[str, str] | None = None) -> Iterator[tuple[Cluster, Path]]:
    """A broker with these server.properties, and a folder; left without an error, both are gone."""
    folder = Path(tempfile.mkdtemp(prefix="pipelines-bench-"))
    kafka = EmbeddedKafka(folder / "kafka", settings=settings)
    kafka.start()
    try:
        yield kafka.cluster, folder
    finally:
        kafka.stop()
    shutil.rmtree(folder)  # after an error it stays: the contenders' logs are in it
