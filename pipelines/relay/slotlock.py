"""One `pipelines run` a slot on one machine: a second one would fence the first again and again.

A name in Linux' abstract namespace of sockets is the lock: the kernel frees it with the process that holds it, whatever
ends that process, and nothing lies on a disk (unix(7)). It is seen within one network namespace, so by the processes of
one machine or one container. Two machines with the same --instance are found by the fencing itself
(`Succession.refused`).
"""

from __future__ import annotations

import errno
import hashlib
import socket
import sys
from collections.abc import Iterable, Mapping

from pipelines.relay.settings import WorkerSettings
from pipelines.trouble import Exit, Trouble


def hold(settings: Iterable[WorkerSettings], topic_ids: Mapping[str, bytes]) -> list[socket.socket]:
    """Take the slots until this process ends or the sockets are closed.

    Args:
        settings: one for each slot.
        topic_ids: raw topic → its id, which is the cluster's own: slots of another cluster have other names.

    Raises:
        Trouble: another process of this machine holds one of them (exit 4).
    """
    if sys.platform != "linux":
        return []
    cluster = b"".join(sorted(topic_ids.values()))
    held: list[socket.socket] = []
    for one in settings:
        name = hashlib.sha256(cluster + one.slot_id.encode()).hexdigest()
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        held.append(lock)
        try:
            lock.bind(f"\0pipelines-run-{name}")
        except OSError as refused:
            for each in held:
                each.close()
            if refused.errno != errno.EADDRINUSE:
                return []  # no lock to be had here: Kafka's fencing is what is left
            raise Trouble(
                f"another `pipelines run` on this machine runs the slot {one.slot_id}",
                hint="Stop the other run, or give this one an --instance of its own; more workers: --workers N.",
                exit_code=Exit.REFUSED,
            ) from None
    return held
