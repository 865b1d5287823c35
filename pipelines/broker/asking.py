"""Asking a cluster: read-only requests, made again while a broker goes away or metadata spreads, for a bounded time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from pipelines.broker.unreachable import error_of, unreachable

_LEAST_S: Final = 1.0
PAUSE_S: Final = 0.1
# What ends by itself while a broker goes away, a leader is chosen or a new topic becomes known everywhere.
_PASSING: Final = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001 - librdkafka's own codes begin so
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
    }
)
_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, whom, and for how long (seconds, for each request with its repetitions; twice of a slow one)."""

    client: AdminClient
    bootstrap: str
    timeout_s: float

    def ask(self, call: Callable[[float], Mapping[_Key, Future[_Answer]]], wanted: str) -> dict[_Key, _Answer]:
        """The answers to a request of many parts, all of them.

        Raises:
            Trouble: (exit 3) one part was refused, or did not come in time.
        """
        # A little more than the request's own limit: the request answers first, with a reason.
        return self.patiently(
            lambda within_s: {key: future.result(within_s + _LEAST_S) for key, future in call(within_s).items()}, wanted
        )

    def each(
        self, call: Callable[[float], Mapping[_Key, Future[_Answer]]], wanted: str
    ) -> dict[_Key, _Answer | KafkaError]:
        """The answers to a request of many parts, tried once; a part that was refused has its error.

        Raises:
            Trouble: (exit 3) a part did not come in time.
        """
        found: dict[_Key, _Answer | KafkaError] = {}
        for key, future in call(self.timeout_s).items():
            try:
                found[key] = future.result(self.timeout_s + _LEAST_S)
            except KafkaException as refused:
                error = error_of(refused)
                if error is None:
                    raise unreachable(refused, self.bootstrap, wanted) from None
                found[key] = error
            except FutureTimeoutError:
                raise unreachable(None, self.bootstrap, wanted) from None
        return found

    def patiently(self, call: Callable[[float], _Answer], wanted: str) -> _Answer:
        """Make a request, which gets the seconds that it may take, again and again until it is answered.

        A cluster that answers something else by then is there and was slow: the request is given its time once more.

        Raises:
            Trouble: (exit 3) it was refused for good, or there was no answer in time.
        """
        deadline, once_more = time.monotonic() + self.timeout_s, True
        while True:
            cause: KafkaException | None = None
            try:
                return call(max(_LEAST_S, deadline - time.monotonic()))
            except KafkaException as refused:
                cause, error = refused, error_of(refused)
                timed_out = error is not None and error.code() == KafkaError._TIMED_OUT  # noqa: SLF001 - as above
                if not timed_out and (error is None or error.code() not in _PASSING):
                    raise unreachable(refused, self.bootstrap, wanted) from None
            except FutureTimeoutError:
                timed_out = True
            if timed_out or time.monotonic() + PAUSE_S > deadline:
                if not once_more or not self._answers():
                    raise unreachable(cause, self.bootstrap, wanted) from None
                deadline, once_more = time.monotonic() + self.timeout_s, False
            else:
                time.sleep(PAUSE_S)
                self._answers()  # what the client remembers of leaders may be what failed

    def _answers(self) -> bool:
        with contextlib.suppress(KafkaException):
            self.client.list_topics(timeout=_LEAST_S)
            return True
        return False
