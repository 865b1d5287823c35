"""Which Kafka, and clients for it with settings that are safe unless a caller says otherwise.

Settings come in three layers, later ones winning: the defaults here, the operator's librdkafka properties, the caller's
overrides. What a caller asks for is part of a promise (read_committed, a transactional id), so a properties file
cannot undo it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaException, Producer

from pipelines.broker.admin import Admin
from pipelines.broker.admin_client import AdminClient
from pipelines.broker.asking import ROUNDS, Asking
from pipelines.broker.changer import Changer
from pipelines.broker.committed import OPEN_S, CommittedOffsets
from pipelines.broker.log import ClientLog
from pipelines.broker.survey import Survey
from pipelines.broker.unreachable import unreachable
from pipelines.trouble import Exit, Trouble

REACH_S: Final = 10.0
_Client = TypeVar("_Client")

_EVERY_CLIENT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "client.id": "pipelines",
        "log_level": 4,  # syslog's warning; the logger calms what comes
        "socket.keepalive.enable": True,
        # A broker that hangs keeps its connections, so only this says that it is gone (the client's default: 60 s).
        "socket.timeout.ms": 10_000,
        # One that is back is to be found soon (10 s): the clients here are few, and cannot crowd it.
        "reconnect.backoff.max.ms": 1_000,
    }
)
_PRODUCER: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "lz4",
        "partitioner": "murmur2_random",  # as the Java clients do: one key, one partition, whoever produces
    }
)
_CONSUMER: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "group.id": "pipelines.reader",  # librdkafka wants one even of a consumer that never joins
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # a gap is to be seen, not skipped
        "allow.auto.create.topics": False,
    }
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka to talk to.

    `bootstrap` is HOST:PORT[,HOST:PORT…]; `properties` are librdkafka's own settings for every client (they may hold a
    password, so they are not part of the repr).

    Raises:
        Trouble: (exit 4) the properties ask librdkafka to print its debug log, where a record's bytes could appear.
    """

    bootstrap: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if "debug" in self.properties:
            raise Trouble(
                "the Kafka properties set `debug`",
                hint="Remove that line: librdkafka's debug log is not promised to be free of records.",
                exit_code=Exit.REFUSED,
            )

    def producer(self, **overrides: Any) -> Producer:
        """An idempotent producer (acks=all, lz4, Java's partitioner). Connects in the background."""
        return self._made(lambda settings, log: Producer(settings, logger=log), _PRODUCER, overrides)

    def consumer(self, **overrides: Any) -> Consumer:
        """A read_committed consumer that commits nothing by itself and raises on a gap. Connects in the background.

        Override `group.id` to join a group; without that, `assign` partitions.
        """
        return self._made(lambda settings, log: Consumer(settings, logger=log), _CONSUMER, overrides)

    def admin(self, *, timeout_s: float = REACH_S, open_s: float = OPEN_S, rounds: int = ROUNDS) -> Admin:
        """An admin client; each call waits for `timeout_s` seconds, for offsets in a transaction `open_s` more.

        Where the cluster answers, and only this request is slow, it is waited for `rounds` times.
        """
        asking = self._asking(timeout_s, rounds)
        return Admin(asking, CommittedOffsets(asking, self.consumer, open_s))

    def survey(self, *, timeout_s: float = REACH_S) -> Survey:
        """Questions whose parts may be refused one by one."""
        return Survey(self._asking(timeout_s))

    def changer(self, *, timeout_s: float = REACH_S) -> Changer:
        """Changes to topics that exist."""
        return Changer(self._asking(timeout_s))

    def require(self, *, timeout_s: float = REACH_S) -> None:
        """Prove that the cluster answers.

        Raises:
            Trouble: (exit 3) no broker answered within `timeout_s` seconds.
        """
        self.admin(timeout_s=timeout_s).broker_ids()

    def _asking(self, timeout_s: float, rounds: int = ROUNDS) -> Asking:
        client = self._made(lambda settings, log: AdminClient(settings, logger=log), {}, {})
        return Asking(client, self.bootstrap, timeout_s, rounds)

    def _made(
        self,
        make: Callable[[dict[str, Any], ClientLog], _Client],
        defaults: Mapping[str, Any],
        overrides: Mapping[str, Any],
    ) -> _Client:
        settings = {**_EVERY_CLIENT, **defaults, **self.properties, **overrides, "bootstrap.servers": self.bootstrap}
        try:
            return make(settings, ClientLog(str(settings["client.id"])))
        except KafkaException as refused:
            raise unreachable(refused, self.bootstrap, "make a Kafka client") from None
