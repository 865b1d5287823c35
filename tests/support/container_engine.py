"""A container engine as a person uses it: `docker` and `docker-compose`, as processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from filelock import FileLock

from tests.support.waiting import LIMIT_S

ROOT = Path(__file__).parents[2]
IMAGE = "telemetry-pipelines:tests"
KAFKA = "apache/kafka:4.3.1"
PROMETHEUS = "prom/prometheus:v3.5.0"
PYTHON = "/opt/pipelines/bin/python"  # the only program in the image beside `pipelines`


class CommandFailedError(AssertionError):
    """A command ended badly; says how."""


def run(
    command: Sequence[str], *, cwd: Path = ROOT, seconds: float = LIMIT_S, environment: Mapping[str, str] | None = None
) -> str:
    """Run a command that must end well; what it printed."""
    ended = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if ended.returncode:
        raise CommandFailedError(
            f"{' '.join(command)}: {ended.returncode}\n{ended.stdout[-4000:]}{ended.stderr[-4000:]}"
        )
    return ended.stdout


def docker(*arguments: str, seconds: float = LIMIT_S) -> str:
    """Run `docker` to a good end; what it printed, without the line's end."""
    return run(["docker", *arguments], seconds=seconds).strip()


def inspected(container: str) -> dict[str, Any]:
    """All that the engine knows of a container."""
    found: list[dict[str, Any]] = orjson.loads(docker("inspect", container))
    return found[0]


def python(container: str, code: str) -> str:
    """Run a line of Python in a running container."""
    return docker("exec", container, PYTHON, "-c", code)


@cache
def why_no_engine() -> str:
    """Why there is none to be had here; empty when there is one."""
    if shutil.which("docker") is None:
        return "no container engine: docker is not installed"
    ended = subprocess.run(["docker", "info"], capture_output=True, check=False)
    return "" if ended.returncode == 0 else "no container engine: `docker info` does not answer"


def require_engine() -> None:
    """Skip the test that asks, where there is no engine."""
    if why_no_engine():
        pytest.skip(why_no_engine())


@cache
def compose_command() -> tuple[str, ...]:
    """Compose 1.29 or 2, whichever is here."""
    return ("docker-compose",) if shutil.which("docker-compose") else ("docker", "compose")


def build(tag: str, context: Path, *arguments: str) -> None:
    """Build an image; with the old builder where the client has no new one."""
    buildx = subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode == 0
    environment = {} if buildx else {"DOCKER_BUILDKIT": "0"}
    # One at a time on this machine: whoever comes second finds it all in the cache.
    with FileLock(Path(tempfile.gettempdir(), f"telemetry-pipelines-images-{os.getuid()}.lock")):
        run(["docker", "build", "-q", "-t", tag, *arguments, str(context)], seconds=900, environment=environment)


def has_image(tag: str) -> bool:
    """Whether it is here; nothing is fetched."""
    return subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False).returncode == 0


@cache
def startable_kafka() -> str:
    """Apache Kafka's image.

    Its set-up copies its files with their modes, and then writes to the copies: an image that was built where those
    files are read-only does not start, and is mended here under a name of its own.
    """
    if not docker("run", "--rm", "--entrypoint", "bash", KAFKA, "-c", "test -w /etc/kafka/docker/run || echo no"):
        return KAFKA
    mended = f"telemetry-pipelines-tests/kafka:{KAFKA.partition(':')[2]}"
    if not has_image(mended):
        with tempfile.TemporaryDirectory() as folder:
            steps = f"FROM {KAFKA}\nUSER root\nRUN chmod -R u+w /etc/kafka/docker\nUSER appuser\n"
            Path(folder, "Dockerfile").write_text(steps)
            build(mended, Path(folder))
    return mended


def pipelines() -> str:
    """The project's image, built from this checkout."""
    build(IMAGE, ROOT, "--build-arg", "REVISION=tests")
    return IMAGE


@cache
def prometheus() -> str:
    """Prometheus' image, if it is here; else one with Debian's package, which is some versions older."""
    if has_image(PROMETHEUS):
        return PROMETHEUS
    file = ROOT / "tests/containers/prometheus.Dockerfile"
    with tempfile.TemporaryDirectory() as nothing:
        build("telemetry-pipelines-tests/prometheus", Path(nothing), "-f", str(file))
    return "telemetry-pipelines-tests/prometheus"


@dataclass(frozen=True, slots=True)
class Compose:
    """A project of its own, from the files that a person would use."""

    project: str
    files: Sequence[Path]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, seconds: float = LIMIT_S) -> str:
        """Run a command of Compose to a good end; what it printed."""
        named = [word for file in self.files for word in ("-f", str(file))]
        command = [*compose_command(), "-p", self.project, *named, *arguments]
        return run(command, seconds=seconds, environment=self.environment)

    def containers(self, service: str | None = None) -> list[str]:
        """The ids of the containers of a service, or of all; in the order of their numbers."""
        filters = ["--filter", f"label=com.docker.compose.project={self.project}"]
        if service:
            filters += ["--filter", f"label=com.docker.compose.service={service}"]
        told = docker("ps", "-a", *filters, "--format", '{{.Label "com.docker.compose.container-number"}} {{.ID}}')
        # One that `run` has started may have no number.
        pairs = [line.rpartition(" ") for line in told.splitlines()]
        return [container for _, _, container in sorted(pairs, key=lambda pair: int(pair[0] or 0))]

    def left(self) -> dict[str, str]:
        """What there is of the project: containers, volumes and networks."""
        label = f"label=com.docker.compose.project={self.project}"
        found = {
            "containers": docker("ps", "-aq", "--filter", label),
            "volumes": docker("volume", "ls", "-q", "--filter", label),
            "networks": docker("network", "ls", "-q", "--filter", label),
        }
        return {kind: ids for kind, ids in found.items() if ids}


def health(container: str) -> str:
    """What the engine's health check says: starting, healthy or unhealthy."""
    return docker("inspect", "--format", "{{.State.Health.Status}}", container)


def logged(container: str) -> bytes:
    """Everything that a container logged."""
    ended = subprocess.run(["docker", "logs", container], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    return ended.stdout
