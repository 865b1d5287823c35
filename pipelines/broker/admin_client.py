"""The Kafka client's `AdminClient`, destroyed in a thread that does nothing else.

An AdminClient sets its futures in a thread of librdkafka's, in Python. A failed request leaves its client in a cycle:
the future holds the exception, whose traceback holds the frames that hold the future and the client. If the garbage
collector runs in that thread when that same client is garbage, it calls `rd_kafka_destroy` there, which ends the
process: "rd_kafka_destroy() called from librdkafka owned thread is prohibited" (`rd_kafka_destroy_app` in rdkafka.c of
librdkafka 2.16). So no thread but this file's destroys a client, whoever drops the last reference to it.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any, Final

from confluent_kafka.admin import AdminClient as _ClientOfTheLibrary

_dropped: Final[queue.SimpleQueue[_ClientOfTheLibrary]] = queue.SimpleQueue()
_started = threading.Lock()


class AdminClient(_ClientOfTheLibrary):
    """As the library's, and safe to drop in any thread, with requests on their way or without.

    A request of a client that was dropped is never answered.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        """See the library's `AdminClient`: settings, `logger`. Connects in the background."""
        if _started.acquire(blocking=False):
            threading.Thread(target=_destroy_dropped, name="admin-clients", daemon=True).start()
        super().__init__(*arguments, **more)

    def __del__(self) -> None:
        """Keep the client alive until the thread has destroyed it; Python calls this once for an object (PEP 442).

        May run inside the garbage collector, in any thread: `SimpleQueue.put` takes no lock that the thread may hold.
        """
        _dropped.put(self)


def _destroy_dropped() -> None:
    """Destroy clients until the process ends. What has none left to destroy is harmless to collect."""
    while True:
        client = _dropped.get()
        with contextlib.suppress(Exception):  # a callback that failed must not leave the next clients without their end
            client.__exit__(None, None, None)
        del client
