"""The rivals' environments: made on demand in the user's cache, from locked packages and jars."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import javaproperties

from pipelines.broker import jars
from pipelines.keys import topic_hash
from pipelines.trouble import Trouble

HERE: Final = Path(__file__).parent


class MissingError(Exception):
    """A contender cannot take part; the text says why."""


def python_of(name: str) -> str:
    """The interpreter of an environment with `requirements/NAME.txt`."""
    requirements = HERE / "requirements" / f"{name}.txt"
    digest = sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = jars.cache_folder().parent / "bench" / f"{name}-{digest}"
    python = folder / "bin/python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(requirements))
        (folder / "ready").touch()
    return str(python)


def streams_command() -> list[str]:
    """How the Kafka Streams contender is started, compiled by the system's JDK if it is not yet."""
    javac, java = shutil.which("javac"), shutil.which("java")
    if javac is None or java is None:
        raise MissingError("there is no JDK (javac) on PATH")
    try:
        path = jars.class_path(jars.cache_folder(), lambda _: None, HERE / "java/jgo.lock.toml")
    except Trouble as trouble:
        raise MissingError(str(trouble)) from None
    source = HERE / "java/Minimizer.java"
    out = jars.cache_folder().parent / "bench" / f"java-{sha256(source.read_bytes()).hexdigest()[:12]}"
    classes = os.pathsep.join(map(str, [*path, out]))
    if not (out / "Minimizer.class").exists():
        out.mkdir(parents=True, exist_ok=True)
        _run(javac, "-cp", classes, "-d", str(out), str(source))
    return [java, "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes, "Minimizer"]


def properties(job: Mapping[str, Any], folder: Path) -> str:
    """The job as a properties file, for Java; its path."""
    schemas, kept = job["schemas"], set()
    for field in json.loads(schemas["view"])["fields"]:
        kept.add(field["name"])
    raw = json.loads(schemas["raw"])
    projection = {**raw, "fields": [field for field in raw["fields"] if field["name"] in kept]}
    constant = {f"header.{name}": text for name, text in job["headers"].items() if name not in _MADE}
    plain = {name: str(job[name]) for name in ("run", "bootstrap", "raw_topic", "handle_key", "id_key")}
    lines = {
        **plain, **{name: str(value) for name, value in schemas.items()}, **constant, "topic": job["topics"][0],
        "projection": json.dumps(projection), "linger_ms": str(job["settings"]["linger_ms"]),
        "topic_hash": topic_hash(bytes.fromhex(job["raw_topic_id"])).hex(), "state": str(folder / job["run"]),
    }  # fmt: skip
    file = folder / f"{job['run']}.properties"
    file.write_text(javaproperties.dumps(lines, timestamp=False))
    return str(file)


_MADE: Final = frozenset({"ce_id", "ce_handleepoch", "ce_expirytime"})


def _run(*command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if ended.returncode:
        raise MissingError(f"{Path(command[0]).name} failed: {(ended.stderr or ended.stdout).strip().splitlines()[-1]}")
