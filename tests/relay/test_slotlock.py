"""A slot runs once on a machine."""

import errno
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.relay.settings import WorkerSettings
from pipelines.relay.slotlock import hold
from pipelines.trouble import Exit, Trouble

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")

SETTINGS = WorkerSettings("probe", "test", 0, Path(), "127.0.0.1:1", Path("keyring"), Path("kek"))


def ids() -> dict[str, bytes]:
    """Those of a cluster of the test's own."""
    return {"raw.probe.ping": os.urandom(16)}


def test_a_slot_that_a_run_holds_is_refused_to_another_until_that_run_ends() -> None:
    cluster = ids()
    first = hold([SETTINGS, replace(SETTINGS, slot=1)], cluster)
    with pytest.raises(
        Trouble, match=r"another `pipelines run` on this machine runs the slot minimizer\.probe\.test\.1"
    ) as why:
        hold([replace(SETTINGS, slot=2), replace(SETTINGS, slot=1)], cluster)
    assert why.value.exit_code == Exit.REFUSED
    assert "--instance" in why.value.hint
    # The refused run left nothing held, and other slots, instances and clusters are free.
    others = hold([replace(SETTINGS, slot=2), replace(SETTINGS, instance="other")], cluster) + hold([SETTINGS], ids())
    assert len(others) == 3
    for lock in first:
        lock.close()
    again = hold([SETTINGS, replace(SETTINGS, slot=1)], cluster)
    for lock in again + others:
        lock.close()


def test_a_system_without_such_names_runs_without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(errno.EPERM, f"synthetic {address}")

    monkeypatch.setattr(socket, "socket", Refusing)
    assert hold([SETTINGS], ids()) == []
