"""A real Kafka on this machine, for the demo, the tests and a first look: one broker or three, for local use only.

Everything lies in one folder: `cluster.json` (which nodes, on which ports), and for each node its data, its log and the
identity of its process. Starting what runs and stopping what does not are no errors. This is no production broker:
any user of this machine can reach it, and its data is kept in the folder until somebody deletes it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import javaproperties
from filelock import FileLock

from pipelines.broker import jars, java, startup_cache
from pipelines.broker.cluster import Cluster
from pipelines.broker.node import LOOPBACK, Door, Node, free_nodes, settings
from pipelines.broker.process import Process
from pipelines.trouble import Exit, Trouble

GRACE_S: Final = 20.0
READY_S: Final = 90.0
_ASK_S: Final = 2.0
_LOOK_S: Final = 0.05
_STORAGE_TOOL: Final = "kafka.tools.StorageTool"
_SERVER: Final = "kafka.Kafka"


@dataclass(frozen=True, slots=True)
class _Plan:
    cluster_id: str
    nodes: tuple[Node, ...]


class EmbeddedKafka:
    """A Kafka of one or three nodes with its data in `folder`.

    Args:
        folder: made if missing; one cluster to a folder.
        brokers: 1 or 3; a folder that holds a cluster of another size is refused.
        settings: server.properties that differ, for nodes that are started from here on.
        doors: node id → a second way into that node, for clients behind a proxy.
        environments: node id → variables for that node's process, for tests that move its clock, say.
        cache: where the jars are kept; by default the user's cache folder.
        progress: told in a sentence when there is something to wait for.
    """

    def __init__(
        self,
        folder: Path,
        brokers: int = 1,
        settings: Mapping[str, str] | None = None,
        *,
        doors: Mapping[int, Door] | None = None,
        environments: Mapping[int, Mapping[str, str]] | None = None,
        cache: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        if brokers not in {1, 3}:
            raise ValueError("an embedded Kafka has 1 broker or 3")
        self.folder = folder.absolute()
        self.brokers = brokers
        self._settings = dict(settings or {})
        self._doors = dict(doors or {})
        self._environments = dict(environments or {})
        self._cache = cache
        self._progress = progress
        self._class_path: tuple[Path, ...] | None = None

    @property
    def bootstrap(self) -> str:
        """HOST:PORT[,…] of the nodes that the folder knows.

        Raises:
            Trouble: (exit 3) nothing was ever started in the folder.
        """
        return ",".join(node.address for node in self._planned().nodes)

    @property
    def cluster(self) -> Cluster:
        """The cluster, for clients."""
        return Cluster(self.bootstrap)

    def pids(self) -> dict[int, int | None]:
        """Each node's process id, None for a node that does not run; empty when nothing was ever started."""
        plan = self._plan()
        return {} if plan is None else {node.id: self._process(node.id).pid() for node in plan.nodes}

    def is_running(self) -> bool:
        """Whether every node's process runs."""
        pids = self.pids()
        return bool(pids) and None not in pids.values()

    def start(self) -> None:
        """Start every node that does not run, and wait until the cluster answers with all of them.

        Raises:
            Trouble: (exit 3) no Java, no jars, a node that ends or does not answer in 90 s; (exit 4) a jar is not the
                one that was locked; (exit 2) the folder holds a cluster of another size.
        """
        with self._locked():
            plan = self._plan()
            if plan is not None and len(plan.nodes) != self.brokers:
                raise Trouble(
                    f"{self.folder} holds a cluster of {_brokers(len(plan.nodes))}, not {self.brokers}",
                    hint=f"Start it with --brokers {len(plan.nodes)}, or stop it and delete the folder.",
                    exit_code=Exit.USAGE,
                )
            if not self.is_running():
                self._start_missing(plan)
        self._wait_until_ready()

    def stop(self) -> bool:
        """End every node, together, by SIGTERM and after 20 s by SIGKILL. True when no node had to be killed."""
        with self._locked():
            processes = [self._process(node_id) for node_id in self.pids()]
            for process in processes:
                process.ask_to_end()
            deadline = time.monotonic() + GRACE_S
            gracefully = [process.stop(grace_s=max(0.0, deadline - time.monotonic())) for process in processes]
            return all(gracefully)

    def kill(self, node_id: int) -> None:
        """End one node at once, as a power cut would."""
        self._process(node_id).kill()

    def restart(self, node_id: int) -> None:
        """End one node gracefully if it runs, start it again on its ports and data, and wait for the whole cluster."""
        with self._locked():
            self._process(node_id).stop(grace_s=GRACE_S)
            self._start_node(node_id)
        self._wait_until_ready()

    def _start_missing(self, plan: _Plan | None) -> None:
        alive = [] if plan is None else [pid for pid in self.pids().values() if pid is not None]
        if plan is None or not alive:
            # Nobody has learnt these ports yet, or nobody is left that did.
            nodes = free_nodes(self.brokers, () if plan is None else plan.nodes)
            plan = _Plan(_new_cluster_id() if plan is None else plan.cluster_id, nodes)
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "cluster.json").write_text(json.dumps(asdict(plan)), encoding="utf-8")
        self._progress(f"Starting Apache Kafka with {_brokers(len(plan.nodes))} at {self.bootstrap}.")
        for node in plan.nodes:
            if self._process(node.id).pid() is None:
                self._start_node(node.id)

    def _start_node(self, node_id: int) -> None:
        plan = self._planned()
        node = next(node for node in plan.nodes if node.id == node_id)
        folder = self._node_folder(node_id)
        folder.mkdir(parents=True, exist_ok=True)
        data, config, output = folder / "data", folder / "server.properties", folder / "log"
        properties = settings(node, plan.nodes, str(data), self._settings, self._doors.get(node_id))
        config.write_text(javaproperties.dumps(properties), encoding="latin-1")
        if not (data / "meta.properties").exists():
            self._format(plan, config)
        environment = {"LANG": "C.UTF-8", **self._environments.get(node_id, {})}
        self._process(node_id).spawn([*self._java(), _SERVER, str(config)], output=output, environment=environment)

    def _format(self, plan: _Plan, config: Path) -> None:
        done = subprocess.run(  # noqa: S603 - our own Java and jars
            [*self._java(), _STORAGE_TOOL, "format", "-t", plan.cluster_id, "-c", str(config)],
            capture_output=True,
            text=True,
            check=False,
            env={"LANG": "C.UTF-8"},
        )
        if done.returncode != 0:
            (config.parent / "log").write_text(done.stdout + done.stderr, encoding="utf-8")
            raise Trouble("Kafka could not prepare its data folder", hint=f"Look into {config.parent / 'log'}.")

    def _java(self) -> list[str]:
        cache = jars.cache_folder() if self._cache is None else self._cache
        if self._class_path is None:
            self._class_path = jars.class_path(cache, self._progress)
        executable, *rest = command = java.command(self._class_path)
        return [executable, *startup_cache.options(cache, command), *rest]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        # A client that finds a closed port waits ever longer before it tries again, so the ports come first.
        while not all(_is_open(node) for node in self._planned().nodes):
            self._still_hopeful(deadline)
        admin = self.cluster.admin(timeout_s=_ASK_S)
        while True:
            with contextlib.suppress(Trouble):
                if len(admin.broker_ids()) == self.brokers:
                    return
            self._still_hopeful(deadline)

    def _still_hopeful(self, deadline: float) -> None:
        for node_id, pid in self.pids().items():
            if pid is None:
                raise Trouble(
                    f"node {node_id} of the embedded Kafka has ended",
                    hint=f"Look into {self._node_folder(node_id) / 'log'}.",
                )
        if time.monotonic() > deadline:
            raise Trouble(
                f"the embedded Kafka did not answer within {READY_S:.0f} s", hint=f"Look into {self.folder}/*/log."
            )
        time.sleep(_LOOK_S)

    def _plan(self) -> _Plan | None:
        try:
            plan = json.loads((self.folder / "cluster.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return _Plan(plan["cluster_id"], tuple(Node(**node) for node in plan["nodes"]))

    def _planned(self) -> _Plan:
        plan = self._plan()
        if plan is None:
            raise Trouble(
                f"no Kafka was ever started in {self.folder}",
                hint="Start one with `pipelines broker start`, or name another with --bootstrap.",
            )
        return plan

    def _node_folder(self, node_id: int) -> Path:
        return self.folder / f"node-{node_id}"

    def _process(self, node_id: int) -> Process:
        return Process(self._node_folder(node_id) / "process.json")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # The default folder lies beside the keys, which are refused where others may write.
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(exist_ok=True)
        with FileLock(self.folder / ".lock"):
            yield


def find_running(folder: Path) -> EmbeddedKafka | None:
    """The embedded Kafka of a folder, if all its nodes run."""
    kafka = EmbeddedKafka(folder)
    kafka.brokers = len(kafka.pids())
    return kafka if kafka.is_running() else None


def _new_cluster_id() -> str:
    """A Kafka UUID that its tools do not take for an option, as Kafka's own are."""
    while (text := urlsafe_b64encode(uuid4().bytes).decode()[:22]).startswith("-"):
        pass
    return text


def _is_open(node: Node) -> bool:
    try:
        socket.create_connection((LOOPBACK, node.port), timeout=_ASK_S).close()
    except OSError:
        return False
    return True


def _brokers(number: int) -> str:
    return f"{number} broker{'s' * (number != 1)}"
