"""Changing topics that exist: their settings, and more partitions. Deletes no topic, and no record by itself."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package has no __all__
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from pipelines.broker.asking import Asking
from pipelines.broker.unreachable import unreachable


class Changer:
    """Changes, each tried once: whoever repeats one looks first. Raises `Trouble` (exit 3) when one is refused."""

    def __init__(self, asking: Asking) -> None:
        """Begin with who asks whom."""
        self._asking = asking

    def set(self, topic: str, settings: Mapping[str, str]) -> None:
        """Give a topic these settings, all or none; others stay."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        within_s = self._asking.timeout_s
        self._done(
            self._asking.client.incremental_alter_configs([resource], request_timeout=within_s),
            f"set {', '.join(settings)} of {topic}",
        )

    def add_partitions(self, topic: str, total: int) -> None:
        """Give a topic more partitions, `total` of them in the end."""
        limits = {"operation_timeout": self._asking.timeout_s, "request_timeout": self._asking.timeout_s}
        self._done(
            self._asking.client.create_partitions([NewPartitions(topic, total)], **limits),
            f"give {topic} {total} partitions",
        )

    def _done(self, futures: Mapping[Any, Future[Any]], wanted: str) -> None:
        for future in futures.values():
            try:
                future.result(2 * self._asking.timeout_s)
            except KafkaException as refused:
                raise unreachable(refused, self._asking.bootstrap, wanted, administrative=True) from None
            except FutureTimeoutError:
                raise unreachable(None, self._asking.bootstrap, wanted) from None
