"""RawProducer: raw events into their raw topics, keyed by device, with an account of every one.

Idempotent and acks=all, so that a retry makes no duplicate and an acknowledged event is on every in-sync replica. The
queue is bounded, in librdkafka; when it is full `send` waits, for a bounded time. Every wait here has an end.

Threads may share a producer: no lock is held while one waits. Processes may not: librdkafka's threads do not survive a
fork, and a call on what a child inherited can hang, so it is refused there.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from pipelines.broker import Cluster, KafkaError, KafkaException, Message, error_of
from pipelines.contract.model import Contract
from pipelines.sdk.account import Account
from pipelines.sdk.encoding import Encoder, Misfit, encoders
from pipelines.sdk.leaving import UnacknowledgedError, leave, sentence
from pipelines.sdk.report import INTERRUPTED, QUEUE_FULL, Report

QUEUE_EVENTS: Final = 50_000
ROOM_S: Final = 30.0
CLOSE_S: Final = 30.0
_POLL_S: Final = 0.1
_POLL_EVERY: Final = 256


class RawProducer:
    """Publishes events of the contract.

    Use it as a context manager. On leaving, it waits up to `close_s` seconds for answers and then gives up on what has
    none; when that leaves an event unacknowledged that no `flush` had told of, it raises `UnacknowledgedError`. If
    another exception is already on its way, that one gets a note (PEP 678) which says how many.

    A program that ends without leaving or closing flushes for up to `close_s` seconds, and says on standard error how
    many events were lost. A process that is killed, or that SIGTERM ends by its default, cannot.

    Args:
        cluster: where to.
        contract: the event types and their schemas.
        room_s: how long `send` may wait for room in the queue.
        close_s: how long leaving may wait for answers.
        overrides: librdkafka settings that differ.
    """

    def __init__(
        self,
        cluster: Cluster,
        contract: Contract,
        *,
        room_s: float = ROOM_S,
        close_s: float = CLOSE_S,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        self._bootstrap = cluster.bootstrap
        self._topics = {name: event.raw_topic for name, event in contract.events.items()}
        self._encoders = {name: encoders(event) for name, event in contract.events.items()}
        self._producer = cluster.producer(
            **{"queue.buffering.max.messages": QUEUE_EVENTS, "linger.ms": 10, **(overrides or {})}
        )
        self._room_s = room_s
        self._close_s = close_s
        self._process = os.getpid()
        self._account = Account()
        # Holds the client and the account, but not this object, which must be free to go.
        self._unclosed = weakref.finalize(
            self, leave, self._producer, self._account, self._bootstrap, close_s, self._process
        )

    def send(self, event: str, fields: Mapping[str, Any], *, version: int | None = None) -> None:
        """Encode an event under a version of its schema (default: the newest) and put it into the queue.

        May block: while the queue is full, up to `room_s` seconds. An event that then has no room, or that librdkafka
        does not take, is among the unacknowledged of the next report.

        Interrupted (by Ctrl-C, say) the event is among the unacknowledged, though it may be published.

        Raises:
            Misfit: no such event type or version, or fields that do not fit; nothing was published.
            RuntimeError: the producer is closed, or another process made it.
        """
        encoder = self._encoder(event, version)
        self._publish(event, encoder.encode(fields), encoder.key(fields))

    def send_encoded(self, event: str, value: bytes, *, key: bytes | None) -> None:
        """Put bytes into the queue as they are: for gateways that encode themselves, and for faults on purpose.

        Raises:
            Misfit: no such event type.
        """
        if event not in self._topics:
            raise Misfit("there is no such event type in the contract")
        self._publish(event, value, key)

    def flush(self, timeout: float) -> Report:
        """Wait up to `timeout` seconds for answers, and tell what was settled since the last report."""
        self._require_own()
        self._producer.flush(timeout)
        return self._account.report()

    def close(self, timeout: float) -> Report:
        """Wait up to `timeout` seconds for answers, give up on events without one, and tell what was settled.

        An event given up may have been written all the same: its answer is what is missing.
        """
        self._finish(timeout)
        return self._account.report()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish(self._close_s)
        untold = self._account.untold()
        if untold and error is None:
            raise UnacknowledgedError(untold, self._bootstrap)
        if untold and error is not None:
            error.add_note(sentence(untold, self._bootstrap))

    def _finish(self, timeout: float) -> None:
        self._require_own()
        self._producer.flush(timeout)
        self._producer.purge()
        self._producer.flush(timeout)
        self._unclosed.detach()

    def _require_own(self) -> None:
        if os.getpid() != self._process:
            raise RuntimeError("this RawProducer was made before a fork: make one in each process")

    def _encoder(self, event: str, version: int | None) -> Encoder:
        versions = self._encoders.get(event)
        if versions is None:
            raise Misfit("there is no such event type in the contract")
        encoder = versions.get(max(versions) if version is None else version)
        if encoder is None:
            known = ", ".join(map(str, versions))
            raise Misfit(f"{event} has no such version; there are {known}")
        return encoder

    def _publish(self, event: str, value: bytes, key: bytes | None) -> None:
        self._require_own()
        if not self._unclosed.alive:
            raise RuntimeError("this RawProducer is closed: make another")
        number = self._account.enter(event)
        try:
            self._enqueue(event, number, value, key)
        except BaseException:
            self._account.fail(number, INTERRUPTED)
            raise

    def _enqueue(self, event: str, number: int, value: bytes, key: bytes | None) -> None:
        if number % _POLL_EVERY == 0:
            self._producer.poll(0)
        deadline: float | None = None
        while True:
            try:
                self._producer.produce(
                    self._topics[event], value, key, on_delivery=partial(_settled, self._account, number)
                )
            except BufferError:
                now = time.monotonic()
                deadline = now + self._room_s if deadline is None else deadline
                if now >= deadline:
                    self._account.fail(number, QUEUE_FULL)
                    return
                self._producer.poll(min(_POLL_S, deadline - now))
            except KafkaException as refused:
                error = error_of(refused)
                self._account.fail(number, "UNKNOWN" if error is None else error.name())
                return
            else:
                return


def _settled(account: Account, number: int, error: KafkaError | None, _: Message) -> None:
    if error is None:
        account.acknowledge(number)
    else:
        account.fail(number, error.name())
