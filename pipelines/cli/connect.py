"""Which Kafka a command talks to: `--bootstrap`, else the one in the properties file, else this folder's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import javaproperties

from pipelines.broker import Cluster, find_running
from pipelines.trouble import Exit, Trouble

BROKER_FOLDER: Final = Path(".pipelines/broker")


def connect(bootstrap: str | None, kafka_properties: Path | None, *, folder: Path = BROKER_FOLDER) -> Cluster:
    """The cluster that the options of `kafka_options` name. Does not connect.

    Raises:
        Trouble: (exit 2) the properties file is none; (exit 3) no option names a Kafka and no embedded one runs.
    """
    properties = {} if kafka_properties is None else _read(kafka_properties)
    named = properties.pop("bootstrap.servers", None)
    if bootstrap or named:
        return Cluster(bootstrap or named or "", properties)
    embedded = find_running(folder)
    if embedded is None:
        raise Trouble(
            "no Kafka is named, and no embedded one runs in this folder",
            hint="Start one with `pipelines broker start`, or name one with --bootstrap or PIPELINES_BOOTSTRAP.",
        )
    return Cluster(embedded.bootstrap, properties)


def _read(file: Path) -> dict[str, str]:
    try:
        return javaproperties.loads(file.read_bytes())
    except (OSError, ValueError):  # a parser's message may hold a password's line
        raise Trouble(
            f"{file} is not a properties file",
            hint="Write one `name=value` a line, as librdkafka names its settings.",
            exit_code=Exit.USAGE,
        ) from None
