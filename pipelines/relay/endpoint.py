"""What a run serves over HTTP: `/metrics` for Prometheus and `/health` for whoever restarts what is stuck.

Counts, codes and names from the contract, nothing else; so it has no password. It listens where it is told to.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import CollectorRegistry, make_wsgi_app

from pipelines.relay.health import WITHIN_S, State, look
from pipelines.trouble import Trouble

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_LONGEST_S: Final = 86_400.0

Application = Callable[..., Iterable[bytes]]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, *_args: Any) -> None:
        """Say nothing: a connection that broke is nobody's fault here, and its address is for no log."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_args: Any) -> None:
        """Say nothing: the log has a vocabulary of its own."""

    def get_stderr(self) -> io.StringIO:
        """Where a traceback would go: it could hold what was asked."""
        return io.StringIO()


def serve(address: str, port: int, registry: CollectorRegistry, slots: Iterable[tuple[str, int]]) -> WSGIServer:
    """Serve from threads of this process until it ends; returns the server (its port, if 0 was asked for).

    Raises:
        Trouble: it cannot listen there (exit 3).
    """
    try:
        server = make_server(address, port, application(registry, tuple(slots)), _Server, _Quiet)
    except OSError as refused:
        raise Trouble(
            f"cannot serve metrics at {address}:{port} ({refused.strerror})",
            hint="Choose another --metrics-port or --metrics-address, or end what listens there.",
        ) from None
    threading.Thread(target=server.serve_forever, name="endpoint", daemon=True).start()
    return server


def application(registry: CollectorRegistry, slots: tuple[tuple[str, int], ...]) -> Application:
    """The WSGI application (PEP 3333)."""
    metrics: Application = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/health":
            return metrics(environ, start_response)
        status, document = _health(registry, slots, environ.get("QUERY_STRING", ""))
        body = orjson.dumps(document)
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _health(registry: CollectorRegistry, slots: tuple[tuple[str, int], ...], query: str) -> tuple[str, dict[str, Any]]:
    within_s = _within(query)
    if within_s is None:
        return "400 Bad Request", {"error": f"within is a number of seconds above 0, at most {_LONGEST_S:.0f}"}
    workers = look(slots, registry, time.time(), within_s)
    healthy = all(worker.state is State.WORKING for worker in workers)
    status = "200 OK" if healthy else "503 Service Unavailable"
    return status, {"healthy": healthy, "within_s": within_s, "workers": [asdict(worker) for worker in workers]}


def _within(query: str) -> float | None:
    """The `within` of a query; None for one that makes no sense."""
    try:
        asked = parse_qs(query, keep_blank_values=True, max_num_fields=8).get("within")
        seconds = WITHIN_S if asked is None else float(asked[-1])
    except ValueError:
        return None
    return seconds if 0 < seconds <= _LONGEST_S else None
