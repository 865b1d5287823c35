"""One client's connection through the proxy, and the faults that all connections share.

Runs in the proxy's event loop only. Changes no byte of what it passes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from tests.faults.wire import Request, correlation_id, error_code

_QUEUED: Final = 64  # frames that each direction of a connection may have on their way


@dataclass(slots=True, eq=False)
class Held:
    """One request to hold, from when it is asked for until its answer came.

    `taken`: a client sent it, and its connection is cut. `answered`: the broker dealt with it, after `deliver`.
    """

    wanted: Callable[[Request], bool]
    loop: asyncio.AbstractEventLoop
    release: asyncio.Event = field(default_factory=asyncio.Event)
    taken: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    request: Request | None = None
    answer: bytes = b""

    def deliver(self) -> None:
        """Let the broker have it, at once or as soon as it is taken. Does not wait."""
        self.loop.call_soon_threadsafe(self.release.set)

    @property
    def error(self) -> int:
        """Kafka's error code in the answer of EndTxn, AddOffsetsToTxn or InitProducerId."""
        assert self.answered.is_set()
        assert self.request is not None
        return error_code(self.request, self.answer)


@dataclass(slots=True)
class Faults:
    """What befalls every link: `passed` counts the requests that went on to a broker, by api key."""

    delay_s: float = 0.0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    armed: list[Held] = field(default_factory=list)
    passed: Counter[int] = field(default_factory=Counter)

    def take(self, request: Request) -> Held | None:
        """The first hold that wants this request, which is thereby used up."""
        for held in self.armed:
            if held.wanted(request):
                self.armed.remove(held)
                return held
        return None


class Link:
    """A client's connection, and the one to the broker at port `target` that belongs to it."""

    def __init__(self, faults: Faults, client: asyncio.StreamWriter) -> None:
        self._faults = faults
        self._client = client
        self._broker: asyncio.StreamWriter | None = None
        self._held: Held | None = None

    @property
    def holds(self) -> bool:
        """Whether it has a request back, and no client any more."""
        return self._held is not None

    async def run(self, client: asyncio.StreamReader, target: int) -> None:
        """Carry both ways until either side ends, and end the other one too. Call `close` afterwards, however it ended.

        What was passed on arrives before the end, unless it is cancelled.
        """
        try:
            broker, self._broker = await asyncio.open_connection("127.0.0.1", target)
            tasks = [asyncio.ensure_future(self._carry(*way)) for way in ((client, self._ask), (broker, self._answer))]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for writer in (self._client, self._broker):
                writer.close()
                # Shielded: to cancel this wait would cancel the connection's own future, on which `close` waits, too.
                await asyncio.shield(writer.wait_closed())
        except OSError:
            pass  # no broker at the port, or a connection that ended hard: the other one does too

    async def close(self) -> None:
        """Cut both connections hard, and wait until their sockets are closed."""
        for writer in (self._client, self._broker):
            if writer is not None:
                writer.transport.abort()
                with contextlib.suppress(OSError):  # it had ended hard
                    await writer.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, give: Callable[[bytes], Awaitable[bool]]) -> None:
        """Pass frames on, each when it is due, until there are no more or `give` says that it was the last."""
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]](_QUEUED)

        async def read() -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    size = await reader.readexactly(4)
                    frame = size + await reader.readexactly(int.from_bytes(size, "big"))
                    await queue.put((loop.time() + self._faults.delay_s, frame))
            await queue.put((loop.time() + self._faults.delay_s, b""))

        reading = asyncio.ensure_future(read())
        try:
            while True:
                due, frame = await queue.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self._faults.open.wait()
                if not frame or not await give(frame):
                    return
        except OSError:
            pass  # the other side is gone
        finally:
            reading.cancel()

    async def _ask(self, frame: bytes) -> bool:
        assert self._broker is not None
        request = Request.of(frame)
        held = self._held = self._faults.take(request)
        if held is not None:
            held.request = request
            self._client.transport.abort()
            held.taken.set()
            await held.release.wait()
        self._faults.passed[request.api_key] += 1
        self._broker.write(frame)
        await self._broker.drain()
        if held is not None:
            await asyncio.Event().wait()  # the other direction ends when the answer came
        return True

    async def _answer(self, frame: bytes) -> bool:
        held = self._held
        if held is None:
            self._client.write(frame)
            await self._client.drain()
        elif held.request is not None and correlation_id(frame) == held.request.correlation_id:
            held.answer = frame
            held.answered.set()
            return False
        return True
