"""Asking a cluster: read-only requests, made again while a broker goes away or metadata spreads, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

from pipelines.broker.admin_client import AdminClient
from pipelines.broker.passing import error_of, passes
from pipelines.broker.unreachable import missing, unreachable

LEAST_S: Final = 1.0
PAUSE_S: Final = 0.1
ROUNDS: Final = 4
"""So many times a request gets its whole time, while the cluster answers another one in between."""
# A topic becomes known to every broker within a second; one that is not listed for so long does not exist.
_APPEARS_WITHIN_S: Final = 2.0
_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, whom, and for how long.

    A request may take `timeout_s` seconds with its repetitions. A busy cluster needs longer for one request while it
    answers another: such a request gets that time again, up to `rounds` times in all. So a call that raises has taken
    1.1 times `timeout_s` where nobody answers and, with four rounds, at most six times `timeout_s`. `pause_s` seconds
    pass before a request is made again.
    """

    client: AdminClient
    bootstrap: str
    timeout_s: float
    rounds: int = ROUNDS
    pause_s: float = PAUSE_S

    def ask(
        self,
        call: Callable[[float], Mapping[_Key, Future[_Answer]]],
        wanted: str,
        topics: Collection[str] = (),
    ) -> dict[_Key, _Answer]:
        """The answers to a request of many parts, all of them.

        Args:
            call: makes the request, which may take so many seconds.
            wanted: what it is for, in an error.
            topics: those that it is about.

        Raises:
            Trouble: (exit 3) one part was refused, or did not come in time, or there is no such topic.
        """
        # A little more than the request's own limit: the request answers first, with a reason.
        return self.patiently(
            lambda within_s: {key: future.result(within_s + LEAST_S) for key, future in call(within_s).items()},
            wanted,
            topics,
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
                found[key] = future.result(self.timeout_s + LEAST_S)
            except KafkaException as refused:
                error = error_of(refused)
                if error is None:
                    raise unreachable(refused, self.bootstrap, wanted, administrative=True) from None
                found[key] = error
            except FutureTimeoutError:
                raise unreachable(None, self.bootstrap, wanted) from None
        return found

    def patiently(self, call: Callable[[float], _Answer], wanted: str, topics: Collection[str] = ()) -> _Answer:
        """Make a request, which gets the seconds that it may take, again and again until it is answered.

        Args:
            call: makes the request.
            wanted: what it is for, in an error.
            topics: those that it is about. One that the cluster does not list for two seconds ends the repetitions.

        Raises:
            Trouble: (exit 3) it was refused for good, there was no answer in time, or there is no such topic.
        """
        deadline, round_, listed_at = time.monotonic() + self.timeout_s, 1, time.monotonic()
        while True:
            cause: KafkaException | None = None
            try:
                return call(max(LEAST_S, deadline - time.monotonic()))
            except KafkaException as refused:
                cause, error = refused, error_of(refused)
                # Also a request that was just made times out, with an older one on the same connection.
                timed_out = error is not None and error.code() == KafkaError._TIMED_OUT  # noqa: SLF001 - librdkafka's own codes begin so
                if error is None or not (timed_out or passes(error)):
                    raise unreachable(refused, self.bootstrap, wanted, administrative=True) from None
            except FutureTimeoutError:
                timed_out = True
            if time.monotonic() + self.pause_s <= deadline:
                time.sleep(self.pause_s)
                names = self.listed(LEAST_S)
            else:
                most = self.rounds if timed_out else min(2, self.rounds)
                names = self.listed(max(LEAST_S, self.timeout_s / 2)) if round_ < most else None
                if names is None:
                    raise unreachable(cause, self.bootstrap, wanted, administrative=True) from None
                deadline, round_ = time.monotonic() + self.timeout_s, round_ + 1
            if names is None or names.issuperset(topics):
                listed_at = time.monotonic()
            elif time.monotonic() - listed_at > _APPEARS_WITHIN_S:
                raise missing(set(topics) - names, self.bootstrap) from None

    def listed(self, within_s: float) -> set[str] | None:
        """Return the names of the topics that this client may see; None where nobody answers in so many seconds.

        With the list the client learns of partitions and leaders anew: what it remembers of them may be why a request
        failed, and it does not ask by itself for a leader that it takes to be missing.
        """
        try:
            return set(self.client.list_topics(timeout=within_s).topics)
        except KafkaException:
            return None
