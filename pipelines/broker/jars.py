"""The embedded broker's jars: fetched once into the user's cache, checked against `jgo.lock.toml` before every start.

The class path is the lock's list and nothing else, so neither a resolver nor a file that lies about in the cache can
slip a jar in. A download goes to a folder of its own and is moved only after its SHA-256 was found right: what an
interrupted download leaves is never taken for a jar.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from pipelines.trouble import Exit, Trouble

if TYPE_CHECKING:
    from jgo.env import LockFile
    from jgo.env._lockfile import LockedDependency

LOCK: Final = Path(__file__).with_name("jgo.lock.toml")
_AT_ONCE: Final = 4


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the jars lie, shared by every checkout of this user: under `XDG_CACHE_HOME`, else `~/.cache`."""
    root = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "telemetry-pipelines" / "jars"


def class_path(cache: Path, progress: Callable[[str], None], lock_file: Path = LOCK) -> tuple[Path, ...]:
    """The jars to start a broker with, fetched if need be.

    Args:
        cache: a folder in the layout of a Maven repository.
        progress: told in a sentence when there is something to wait for.
        lock_file: which jars; by default the broker's.

    Raises:
        Trouble: (exit 3) a jar cannot be fetched, or jgo is not installed; (exit 4) a jar is not the one that was
            locked.
    """
    lock = _lock(lock_file)
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / ".lock"):
        missing = [jar for jar in lock.dependencies if not (cache / _path(jar)).exists()]
        if missing:
            progress(f"Fetching {len(missing)} jars of Apache Kafka (once; they stay in {cache}).")
            _fetch(missing, cache)
        _check(lock, cache, cache)
    return tuple(cache / _path(jar) for jar in lock.dependencies)


def _lock(file: Path) -> LockFile:
    try:
        from jgo.env import LockFile  # noqa: PLC0415 - an optional dependency, wanted by whoever starts a broker
    except ImportError:
        raise no_extra("jgo") from None
    return LockFile.load(file)


def no_extra(package: str) -> Trouble:
    """What to raise when a package of the extra `broker` is missing."""
    return Trouble(
        f"the embedded broker needs the package {package}",
        hint="Install the extra: pip install 'telemetry-pipelines[broker]', or use another Kafka with --bootstrap.",
    )


def _path(jar: LockedDependency) -> Path:
    suffix = f"-{jar.classifier}" if jar.classifier else ""
    name = f"{jar.artifactId}-{jar.version}{suffix}.{jar.packaging}"
    return Path(*jar.groupId.split("."), jar.artifactId, jar.version, name)


def _fetch(jars: Sequence[LockedDependency], cache: Path) -> None:
    from jgo import MavenContext  # type: ignore[attr-defined]  # noqa: PLC0415
    from jgo.env import LockFile  # noqa: PLC0415

    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as folder:
        staging = Path(folder)
        context = MavenContext(repo_cache=staging)

        def fetch(jar: LockedDependency) -> None:
            component = context.project(jar.groupId, jar.artifactId).at_version(jar.version)
            component.artifact(jar.classifier or "", jar.packaging).resolve()

        try:
            with ThreadPoolExecutor(_AT_ONCE) as workers:
                list(workers.map(fetch, jars))
        except (OSError, RuntimeError) as failed:  # requests' exceptions are OSErrors
            raise Trouble(
                f"cannot fetch the jars of the embedded broker ({type(failed).__name__})",
                hint="Check this machine's way to Maven Central, or use another Kafka with --bootstrap.",
            ) from None
        _check(LockFile(list(jars)), staging, cache)
        for jar in jars:
            (cache / _path(jar)).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(staging / _path(jar), cache / _path(jar))


def _check(lock: LockFile, folder: Path, cache: Path) -> None:
    # A message reads "group:artifact:version what is wrong"; the coordinate is enough.
    wrong = [message.split(" ", 1)[0] for message in lock.verify_checksums(folder)]
    if wrong:
        raise Trouble(
            f"{len(wrong)} of the embedded broker's jars are not those that were locked: {', '.join(wrong)}",
            hint=f"Delete {cache} and start again. If they differ again, something on the way changes them.",
            exit_code=Exit.REFUSED,
        )
