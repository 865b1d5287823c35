"""A proxy between Kafka clients and brokers that can delay, stall and cut, and hold one request back to send on later.

A held request is KAFKA-17754 made to order: the client's connection is cut, so it sends the request anew over another
one, while the broker's side stays open and the first request is still on its way. It reads of a request what says which
one it is, and changes no byte. It never retries and never buffers more than a few requests a connection.

    with Proxy({listen_port: broker_port}) as proxy:
        held = proxy.hold_end_txn(transactional_id="minimizer.vpn.host.0")
        assert held.taken.wait(30)      # the client sent it; its connection is cut
        held.deliver()                  # now the broker gets it
        assert held.answered.wait(30)   # and has dealt with it; nobody is told but `held.error`
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from tests.faults.wire import END_TXN, Request, correlation_id, error_code

_QUEUED: Final = 64  # frames that a direction of a connection may have on their way
_CLOSING_S: Final = 30.0


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
        """Let the broker have it, as soon as there is something to have. Returns at once."""
        self.loop.call_soon_threadsafe(self.release.set)

    @property
    def error(self) -> int:
        """Kafka's error code in the answer of EndTxn, AddOffsetsToTxn or InitProducerId (throttle time, then code)."""
        assert self.answered.is_set()
        assert self.request is not None
        return error_code(self.request, self.answer)


class Proxy:
    """Owns its thread and every connection through it. All methods may be called from any thread.

    Args:
        ports: port to listen at → the broker's port, both on 127.0.0.1.
    """

    def __init__(self, ports: Mapping[int, int]) -> None:
        self._ports = dict(ports)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._links: set[_Link] = set()
        self.passed: Counter[int] = Counter()  # requests that went on to a broker, by api key
        self.armed: list[Held] = []
        self.delay_s = 0.0
        self.open = asyncio.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Raises OSError if a port is taken."""
        self._thread.start()
        try:
            self._call(self._listen())
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Close everything, what is held too, and end the thread."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def hold_end_txn(self, *, transactional_id: str | None = None, commit: bool = True) -> Held:
        """Hold the next commit (or abort) of that transactional id, or of any. Several holds may be armed at once."""
        return self.hold(
            lambda request: (
                request.api_key == END_TXN
                and request.commit is commit
                and transactional_id in {None, request.transactional_id}
            )
        )

    def hold(self, wanted: Callable[[Request], bool]) -> Held:
        """Hold the next request that is wanted, and cut its connection on the client's side."""
        held = Held(wanted, self._loop)
        self._call(self._arm(held))
        return held

    def delay(self, seconds: float) -> None:
        """Let everything that comes from now on arrive so much later, in both directions; 0 ends it."""
        self.delay_s = seconds

    def stall(self, stalled: bool = True) -> None:  # noqa: FBT002 - a switch
        """Let nothing pass, while connections stay open and new ones are taken; False ends it."""
        self._loop.call_soon_threadsafe(self.open.clear if stalled else self.open.set)

    def cut(self) -> None:
        """Cut all connections on both sides, except the broker's side of what is held. Clients may connect anew."""
        self._call(self._cut())

    def connections(self) -> int:
        """How many client connections there are, those with a held request included."""
        return len(self._links)

    def take(self, request: Request) -> Held | None:
        """The hold that wants this request, which is thereby used up. For links, in the loop's thread."""
        for held in self.armed:
            if held.wanted(request):
                self.armed.remove(held)
                return held
        return None

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_CLOSING_S)

    async def _listen(self) -> None:
        self.open.set()
        for port, target in self._ports.items():
            self._servers.append(await asyncio.start_server(self._accept(target), "127.0.0.1", port))

    def _accept(self, target: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            link = _Link(self, writer)
            self._links.add(link)
            try:
                await link.run(reader, target)
            finally:
                self._links.discard(link)

        return accept

    async def _arm(self, held: Held) -> None:
        self.armed.append(held)

    async def _cut(self) -> None:
        for link in list(self._links):
            link.cut()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # the transports' own farewell


class _Link:
    """One client's connection and the broker's that belongs to it."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = client
        self._broker: asyncio.StreamWriter | None = None
        self._held: Held | None = None
        self._task = asyncio.current_task()

    async def run(self, client_reader: asyncio.StreamReader, target: int) -> None:
        try:
            broker_reader, self._broker = await asyncio.open_connection("127.0.0.1", target)
            ways = [self._carry(client_reader, self._ask), self._carry(broker_reader, self._answer)]
            tasks = [asyncio.ensure_future(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for writer in (self._client, self._broker):
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        except OSError:
            pass  # no broker at the port: the client is cut
        finally:
            self._client.transport.abort()
            if self._broker is not None:
                self._broker.transport.abort()

    def cut(self) -> None:
        self._client.transport.abort()
        if self._held is None and self._task is not None:
            self._task.cancel()

    async def _carry(self, reader: asyncio.StreamReader, give: Callable[[bytes], Awaitable[bool]]) -> None:
        """Pass frames on, each when it is due, until either side ends or `give` says that it was the last."""
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes | None]](_QUEUED)

        async def read() -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    size = await reader.readexactly(4)
                    frame = size + await reader.readexactly(int.from_bytes(size, "big"))
                    await queue.put((loop.time() + self._proxy.delay_s, frame))
            await queue.put((loop.time() + self._proxy.delay_s, None))

        reading = asyncio.ensure_future(read())
        try:
            with contextlib.suppress(OSError):
                while True:
                    due, frame = await queue.get()
                    await asyncio.sleep(max(0.0, due - loop.time()))
                    await self._proxy.open.wait()
                    if frame is None or not await give(frame):
                        return
        finally:
            reading.cancel()

    async def _ask(self, frame: bytes) -> bool:
        assert self._broker is not None
        request = Request.of(frame)
        held = self._held = self._proxy.take(request)
        if held is not None:
            held.request = request
            self._client.transport.abort()
            held.taken.set()
            await held.release.wait()
        self._proxy.passed[request.api_key] += 1
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
