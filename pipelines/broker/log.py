"""librdkafka's log lines, calmed and handed to the standard logging tree.

Without a logger librdkafka writes to stderr, about twenty lines a second while a broker is away. Here each facility
speaks once, then at most once in `QUIET_S` seconds with the number of lines held back. librdkafka names hosts, topics
and error codes in its lines, never a record's bytes; its `debug` property could change that, and `Cluster` refuses it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

QUIET_S: Final = 30.0

_logger: Final = logging.getLogger("pipelines.broker.client")
# Whoever wants these lines configures logging; without that, they are not for stderr.
logging.getLogger("pipelines").addHandler(logging.NullHandler())


class ClientLog:
    """What a client takes as its `logger`.

    `log` is called from `poll`, `consume` and `flush`, on the caller's thread; it never blocks and never raises.
    """

    def __init__(
        self,
        client: str,
        *,
        now: Callable[[], float] = time.monotonic,
        logger: logging.Logger = _logger,
    ) -> None:
        self._client = client
        self._now = now
        self._logger = logger
        self._quiet_until: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def log(self, level: int, template: str, *args: object) -> None:
        """Take one line: librdkafka's facility, its own client name, and its text."""
        facility = str(args[0]) if args else template[:32]
        now = self._now()
        if now < self._quiet_until.get(facility, float("-inf")):
            self._held_back[facility] = self._held_back.get(facility, 0) + 1
            return
        self._quiet_until[facility] = now + QUIET_S
        self._logger.log(
            level,
            "kafka client %s: %s",
            self._client,
            template % args,
            extra={"client": self._client, "facility": facility, "held_back": self._held_back.pop(facility, 0)},
        )
