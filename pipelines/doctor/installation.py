"""The installation: Python, packages, whether the walk is compiled, what an embedded broker needs."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pipelines.broker import jars, java
from pipelines.doctor.observation import Observation, State
from pipelines.minimize import walk
from pipelines.trouble import Trouble

_DISTRIBUTION: Final = "telemetry-pipelines"
_OLDEST, _NEWEST = (3, 11), (3, 14)
_REQUIREMENT: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)[^;]*(?:;.*extra == ['\"](?P<extra>[a-z]+)['\"])?")


def look_at_installation(environment: Mapping[str, str]) -> Iterator[Observation]:
    """What is installed, from the interpreter outwards."""
    yield _python(sys.version_info[:2])
    yield _packages(importlib.metadata.requires(_DISTRIBUTION) or ())
    yield _walk(Path(walk.__file__))
    yield _java(environment)
    yield _jars(jars.cache_folder(environment))


def _python(version: tuple[int, int]) -> Observation:
    text = ".".join(map(str, version))
    if _OLDEST <= version <= _NEWEST:
        return Observation("python", State.OK, text)
    return Observation("python", State.FAIL, text, "Use Python 3.11 to 3.14.")


def _packages(requirements: Iterable[str]) -> Observation:
    versions: list[str] = []
    missing: list[str] = []
    optional: list[str] = []
    for requirement in requirements:
        match = _REQUIREMENT.match(requirement)
        if match is None:
            continue
        try:
            versions.append(f"{match['name']} {importlib.metadata.version(match['name'])}")
        except importlib.metadata.PackageNotFoundError:
            (optional if match["extra"] else missing).append(match["name"])
    if missing:
        remedy = "Install the locked packages: make setup"
        return Observation("packages", State.FAIL, f"missing: {', '.join(missing)}", remedy)
    if optional:
        remedy = f"For the embedded broker: pip install '{_DISTRIBUTION}[broker]'"
        return Observation("packages", State.WARN, f"missing, optional: {', '.join(optional)}", remedy)
    return Observation("packages", State.OK, ", ".join(versions))


def _walk(module: Path) -> Observation:
    if module.suffix == ".so":
        return Observation("walk", State.OK, "compiled")
    return Observation("walk", State.OK, "pure Python (the same results, at a lower rate than compiled)")


def _java(environment: Mapping[str, str]) -> Observation:
    try:
        return Observation("java", State.OK, str(java.find(environment)))
    except Trouble as trouble:
        return Observation("java", State.WARN, str(trouble), trouble.hint)


def _jars(cache: Path) -> Observation:
    wanted = [
        cache / Path(*jar["groupId"].split(".")) / jar["artifactId"] / jar["version"]
        for jar in tomllib.loads(jars.LOCK.read_text(encoding="utf-8"))["dependencies"]
    ]
    there = sum(folder.is_dir() for folder in wanted)
    if there == len(wanted):
        return Observation("kafka jars", State.OK, f"all {there} in {cache}")
    remedy = "`pipelines broker start` fetches them once (about 45 MB)."
    return Observation("kafka jars", State.WARN, f"{there} of {len(wanted)} in {cache}", remedy)
