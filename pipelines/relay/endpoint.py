"""What a run serves over HTTP: `/metrics` for Prometheus and `/health` for the program that restarts stuck workers.

Counts, codes and names from the contract, nothing else; so it has no password. It listens where it is told to.
"""

from __future__ import annotations

import io
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import CollectorRegistry, make_wsgi_app

from pipelines.relay.health import WITHIN_S, State, look
from pipelines.relay.on_disk import Finding
from pipelines.trouble import Trouble

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_LONGEST_S: Final = 86_400.0
_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
MOST_CONNECTIONS: Final = 16
"""A Prometheus, a health check and a person need one each."""
SILENCE_S: Final = 10.0
LONGEST_CONNECTION_S: Final = 30.0
"""Longer than `pipelines health` waits for an answer (20 s)."""

Application = Callable[..., Iterable[bytes]]


class _Server(WSGIServer):
    """Answers each connection in a thread, at most MOST_CONNECTIONS at a time, and ends the oldest for one more.

    So a client that opens connections and is silent takes a bounded number of the supervisor's threads, and a client
    that sends its request at once is answered.
    """

    longest_s = LONGEST_CONNECTION_S
    request_queue_size = 4 * MOST_CONNECTIONS  # a client that finds the queue full tries again after a second

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}
        self._ending: set[socket.socket] = set()
        super().__init__(*arguments, **more)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for the connection, or close it when there are too many."""
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                self._end(next(iter(self._open)))
            if len(self._ending) >= MOST_CONNECTIONS:
                self.shutdown_request(request)
                return
            self._open[request] = time.monotonic()
        try:
            threading.Thread(target=self._answer, args=(request, client_address), daemon=True).start()
        except RuntimeError:  # the system has no thread left
            self._forget(request)
            self.shutdown_request(request)

    def service_actions(self) -> None:
        """End connections that are too old; the server's loop calls this twice a second."""
        oldest_allowed = time.monotonic() - self.longest_s
        with self._lock:
            for request in [request for request, since in self._open.items() if since < oldest_allowed]:
                self._end(request)

    def _end(self, request: socket.socket) -> None:
        """Make the thread of a connection end: it reads the end of the stream."""
        del self._open[request]
        self._ending.add(request)
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def _answer(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001 - as handle_error
            self.handle_error(request, client_address)
        finally:
            self._forget(request)
            self.shutdown_request(request)

    def _forget(self, request: socket.socket) -> None:
        with self._lock:
            self._open.pop(request, None)
            self._ending.discard(request)

    def handle_error(self, *_args: Any) -> None:
        """Say nothing: a connection that broke is nobody's fault here, and its address is for no log."""


class _Quiet(WSGIRequestHandler):
    timeout = SILENCE_S  # of each read and write (socketserver.StreamRequestHandler)

    def log_message(self, *_args: Any) -> None:
        """Say nothing: the log has a vocabulary of its own."""

    def get_stderr(self) -> io.StringIO:
        """Where a traceback would go: it could hold what was asked."""
        return io.StringIO()


def serve(
    address: str,
    port: int,
    registry: CollectorRegistry,
    slots: Iterable[tuple[str, int]],
    on_disk: Finding | None = None,
) -> WSGIServer:
    """Serve from threads of this process until it ends; returns the server (its port, if 0 was asked for).

    Args:
        on_disk: tells how the contract on disk stands to what workers run.

    Raises:
        Trouble: it cannot listen there (exit 3).
    """
    try:
        server = make_server(address, port, application(registry, tuple(slots), on_disk), _Server, _Quiet)
    except OSError as refused:
        raise Trouble(
            f"cannot serve metrics at {address}:{port} ({refused.strerror})",
            hint="Choose another --metrics-port or --metrics-address, or end what listens there.",
        ) from None
    threading.Thread(target=server.serve_forever, name="endpoint", daemon=True).start()
    return server


def application(
    registry: CollectorRegistry, slots: tuple[tuple[str, int], ...], on_disk: Finding | None = None
) -> Application:
    """The WSGI application (PEP 3333)."""
    metrics: Application = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/health":
            return metrics(environ, start_response)
        status, document = _health(registry, slots, environ.get("QUERY_STRING", ""), on_disk)
        body = orjson.dumps(document)
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _health(
    registry: CollectorRegistry, slots: tuple[tuple[str, int], ...], query: str, on_disk: Finding | None
) -> tuple[str, dict[str, Any]]:
    within_s = _within(query)
    if within_s is None:
        return "400 Bad Request", {"error": f"within is a number of seconds above 0, at most {_LONGEST_S:.0f}"}
    workers = look(slots, registry, time.time(), within_s)
    healthy = all(worker.state is State.WORKING for worker in workers)
    status = "200 OK" if healthy else "503 Service Unavailable"
    document = {"healthy": healthy, "within_s": within_s, "workers": [asdict(worker) for worker in workers]}
    if on_disk is not None:
        document["contract_on_disk"] = on_disk({one.policy_version for one in workers if one.policy_version})
    return status, document


def _within(query: str) -> float | None:
    """The `within` of a query; None for one that makes no sense."""
    try:
        asked = parse_qs(query, keep_blank_values=True, max_num_fields=8).get("within")
    except ValueError:
        return None
    if asked is not None and not _SECONDS.fullmatch(asked[-1]):  # Python also reads 1_0, and digits of other scripts
        return None
    seconds = WITHIN_S if asked is None else float(asked[-1])
    return seconds if 0 < seconds <= _LONGEST_S else None
