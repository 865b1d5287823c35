"""A proxy between Kafka clients and brokers that can delay, stall and cut, and hold one request back to send on later.

A held request is KAFKA-17754 made to order: the client's connection is cut, so it sends the request anew over another
one, while the broker's side stays open and the first request is still on its way. The proxy reads of a request which
one it is, and changes no byte. It never retries, and tells nobody the answer of a held request.

    with Proxy({listen_port: broker_port}) as proxy:
        held = proxy.hold_end_txn(transactional_id="minimizer.vpn.host.0")
        assert held.taken.wait(30)      # the client sent it; its connection is cut
        held.deliver()                  # now the broker gets it
        assert held.answered.wait(30)   # and has dealt with it; `held.error` is what it said
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, Self

from tests.faults.link import Faults, Held, Link
from tests.faults.wire import END_TXN, Request

_CALL_S: Final = 30.0  # for what takes milliseconds


class Proxy:
    """Owns its thread and every connection through it. All methods may be called from any thread.

    Args:
        ports: port to listen at → the broker's port, both on 127.0.0.1.
    """

    def __init__(self, ports: Mapping[int, int]) -> None:
        self.ports = dict(ports)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._links: dict[Link, asyncio.Task[None]] = {}
        self._faults = Faults()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Raises OSError if a port is taken; nothing is left open then."""
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

    @property
    def running(self) -> bool:
        """Between `start` and `stop`."""
        return self._thread.is_alive()

    @property
    def connections(self) -> int:
        """How many clients are connected; a client whose request is held no longer is."""
        return sum(not link.holds for link in list(self._links))

    @property
    def passed(self) -> Counter[int]:
        """How many requests went on to a broker, by api key."""
        return self._faults.passed.copy()

    def hold_end_txn(self, *, transactional_id: str | None = None, commit: bool = True) -> Held:
        """Hold the next commit (or abort) of that transactional id, or of any."""

        def wanted(request: Request) -> bool:
            whose = transactional_id in {None, request.transactional_id}
            return request.api_key == END_TXN and request.commit is commit and whose

        return self.hold(wanted)

    def hold(self, wanted: Callable[[Request], bool]) -> Held:
        """Hold the next request that is wanted. Each call holds one; several may be armed at once."""
        held = Held(wanted, self._loop)
        self._call(self._arm(held))
        return held

    def disarm(self, held: Held) -> bool:
        """Give up a hold; False if a request was taken already."""
        self._call(self._disarm(held))
        return not held.taken.is_set()

    def delay(self, seconds: float) -> None:
        """Let everything that comes from now on arrive so much later, in both directions; 0 ends it."""
        self._faults.delay_s = seconds

    def stall(self, stalled: bool = True) -> None:  # noqa: FBT002 - a switch
        """Let nothing pass, while connections stay open and new ones are taken; False ends it."""
        switch = self._faults.open.clear if stalled else self._faults.open.set
        self._loop.call_soon_threadsafe(switch)

    def cut(self) -> None:
        """Cut all connections on both sides, except the broker's side of what is held. Clients may connect anew."""
        self._call(self._cut())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_S)

    async def _listen(self) -> None:
        self._faults.open.set()
        for port, target in self.ports.items():
            self._servers.append(await asyncio.start_server(self._accept(target), "127.0.0.1", port))

    def _accept(self, target: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            link = Link(self._faults, writer)
            self._links[link] = task = asyncio.ensure_future(link.run(reader, target))
            await asyncio.wait({task})
            # Here and not in `run`, which never begins when it is cancelled before its first step.
            await link.close()
            del self._links[link]

        return accept

    async def _arm(self, held: Held) -> None:
        self._faults.armed.append(held)

    async def _disarm(self, held: Held) -> None:
        if held in self._faults.armed:
            self._faults.armed.remove(held)

    async def _cut(self) -> None:
        for link, task in self._links.items():
            if not link.holds:
                task.cancel()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        # Tasks, and not links alone: a connection that was just accepted has no link yet.
        while asyncio.all_tasks() - {asyncio.current_task()}:
            for task in self._links.values():
                task.cancel()
            await asyncio.sleep(0.001)
        for server in self._servers:
            await server.wait_closed()
