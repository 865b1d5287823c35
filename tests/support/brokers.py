"""Who owns a broker during a test run, and when it ends.

The **shared** broker serves the tests of all processes that need nothing but topics of their own. It starts when it is
first needed and ends with the run; no test may kill or reconfigure it.

Each test process has at most one **private** cluster, for tests that kill, stop or reconfigure brokers. All of its
nodes run when a test gets it. It is replaced when a test asks for another kind, and ends when the next test of its
process needs none.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from filelock import FileLock

from pipelines.broker import Door, EmbeddedKafka
from tests.support.aot_cache import make_startup_cache
from tests.support.kafka import SHORT_TIMINGS, guarded
from tests.support.permits import Permits

_NONE: Final[Mapping[int, Mapping[str, str]]] = MappingProxyType({})


@dataclass(frozen=True)
class Kind:
    """A kind of private cluster; `name` tells kinds apart. `environments`: node id → variables of its process."""

    name: str
    brokers: int = 1
    settings: Mapping[str, str] = field(default_factory=lambda: SHORT_TIMINGS)
    door: Door | None = None
    environments: Mapping[int, Mapping[str, str]] = field(default_factory=lambda: _NONE)


class Brokers:
    """The brokers that one test process may use.

    Args:
        run: a folder that all processes of the run share.
        own: a folder of this process.
    """

    def __init__(self, run: Path, own: Path) -> None:
        self._run = run
        self._own = own
        self._permits = Permits(run / "permits")
        self._permit_to_share = Permits(run / "permits")
        self._kind: Kind | None = None
        self._private: EmbeddedKafka | None = None
        self._ending = contextlib.ExitStack()
        self._started = 0

    def prepare(self, private: int, *, shared: bool, keeps_cluster: bool) -> None:
        """Get the permits for a test. Blocks while other processes hold them.

        Args:
            private: how many brokers the test starts, or has started, for itself alone.
            shared: it uses the shared broker.
            keeps_cluster: it can use the private cluster that is there; otherwise that ends.
        """
        if not keeps_cluster:
            self._end_private()
        self._permits.hold(private)
        if shared:
            self._permit_shared()

    def shared(self) -> EmbeddedKafka:
        """Start the shared broker unless it runs, and return it. Blocks until it is ready."""
        self._permit_shared()
        make_startup_cache()
        kafka = shared_broker(self._run)
        kafka.start()
        return kafka

    def private(self, kind: Kind) -> EmbeddedKafka:
        """Return a running cluster of that kind for this process alone; one of another kind ends. Blocks.

        One that is there already keeps its topics and groups; nodes that a test stopped or killed run again.
        """
        if self._private is None or self._kind != kind:
            self._end_private()
            self._permits.hold(kind.brokers)
            make_startup_cache()
            self._started += 1
            self._private = EmbeddedKafka(
                self._own / f"{kind.name}-{self._started}",
                kind.brokers,
                kind.settings,
                doors={} if kind.door is None else {1: kind.door},
                environments=kind.environments,
            )
            self._kind = kind
            self._ending.enter_context(guarded(self._private))
        for pid in self._private.pids().values():
            if pid is not None:
                os.kill(pid, signal.SIGCONT)
        self._private.start()
        return self._private

    def close(self) -> None:
        """End the private cluster, and give the permits for it back."""
        self._end_private()
        self._permits.hold(0)

    def _end_private(self) -> None:
        if self._private is not None:
            for node_id in self._private.pids():
                self._private.kill(node_id)  # nothing in it is needed any more, and a graceful end takes seconds
            self._ending.close()
            shutil.rmtree(self._private.folder, ignore_errors=True)
            self._private = self._kind = None

    def _permit_shared(self) -> None:
        """Hold the permit of the shared broker until this process ends, unless another process of the run does."""
        permit = self._run / "shared-kafka.permit"
        if not permit.exists():
            with FileLock(f"{permit}.lock"):
                if not permit.exists():
                    self._permit_to_share.hold(1)
                    permit.touch()


def shared_broker(run: Path) -> EmbeddedKafka:
    """The shared broker of the run with that folder, whether or not it was started."""
    return EmbeddedKafka(run / "shared-kafka", 1, SHORT_TIMINGS)
