"""The stage: an embedded Kafka with the contract's topics, and keys, all in one folder that is cleared afterwards.

Everything is made anew for each run and lives below the folder, so that a demo never meets keys or topics that matter.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.broker import Cluster, EmbeddedKafka
from pipelines.contract.model import DAY_MS, Contract
from pipelines.demo.interrupt import undisturbed
from pipelines.keys import Keyring, LocalKeyEncryption, extend, open_keyring
from pipelines.topics.applying import create_missing
from pipelines.trouble import Exit, Trouble

# As far as `keys init` reaches, so that a kept demo can be played with.
_AHEAD_MS = 30 * DAY_MS

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands while a demo runs."""

    folder: Path
    contract_dir: Path
    contract: Contract
    cluster: Cluster

    def keyring(self) -> Keyring:
        """The keyring, opened."""
        return open_keyring(self.keyring_file, self.kek_file)

    @property
    def keyring_file(self) -> Path:
        """The throwaway roots."""
        return self.folder / "keyring.json"

    @property
    def kek_file(self) -> Path:
        """What they are wrapped under."""
        return self.folder / "kek"

    @property
    def worker_log(self) -> Path:
        """What the workers log."""
        return self.folder / "workers.log"

    @property
    def logs(self) -> list[Path]:
        """Every log of the run: the workers', their supervisor's, Kafka's."""
        return [self.worker_log, self.folder / "supervisor.log", *sorted(self.folder.glob("broker/node-*/log"))]

    @property
    def metrics(self) -> Path:
        """The folder of Prometheus' multiprocess files."""
        return self.folder / "metrics"


@contextmanager
def staged(
    folder: Path, contract_dir: Path, contract: Contract, now_ms: int, say: Say, *, keep: bool
) -> Iterator[Stage]:
    """Set everything up in `folder`; on leaving, end the broker and delete the folder, unless `keep`.

    What an earlier run kept there is cleared first.

    Raises:
        Trouble: (exit 4) another demo runs in the folder; (exit 3) no broker, or no topics.
    """
    with _alone(folder):
        _clear(folder)
        try:
            kafka = EmbeddedKafka(folder / "broker", progress=say)
            kafka.start()
            _, made = create_missing(contract, kafka.cluster, "demo")
            count = sum(step.kind == "create" for step in made.made)
            say(f"Made {count} topics, each with the retention that keeps its promise.")
            yield _with_keys(Stage(folder, contract_dir, contract, kafka.cluster), now_ms, say)
        except (KeyboardInterrupt, SystemExit):
            say("Broken off: Kafka ends, and its data is deleted.")
            keep = False  # whoever breaks it off does not want what is left
            raise
        finally:
            if not keep:
                undisturbed()
                _clear(folder)
                _remove(folder)


def clear(folder: Path) -> bool:
    """End and delete what an earlier run kept; whether there was anything.

    Raises:
        Trouble: (exit 4) a demo runs in the folder.
    """
    if not folder.exists():
        return False
    with _alone(folder):
        _clear(folder)
        _remove(folder)
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder itself locked (flock(2)): no lock file is left behind, and the kernel frees it if we die."""
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(
                "another demo runs in this folder", hint="Wait for it, or end it.", exit_code=Exit.REFUSED
            ) from None
        yield
    finally:
        os.close(held)


def _with_keys(stage: Stage, now_ms: int, say: Say) -> Stage:
    contract = stage.contract
    kek = LocalKeyEncryption.create(stage.kek_file)
    first_ms = now_ms - max(topic.ttl_ms for topic in contract.raw_topics.values())
    extend(stage.keyring_file, kek, contract.purposes.values(), first_ms=first_ms, last_ms=now_ms + _AHEAD_MS)
    stage.metrics.mkdir()
    say(f"Made keys for {len(contract.purposes)} purposes: one device gets another handle in each.")
    return stage


def _clear(folder: Path) -> None:
    """End the broker and delete everything in the folder."""
    EmbeddedKafka(folder / "broker").stop()
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _remove(folder: Path) -> None:
    """Delete the empty folder, and its parent if nothing else is in it."""
    folder.rmdir()
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()
