"""The file from which a broker's JVM takes its classes loaded and linked (JEP 483): a start takes half the time.

The file lies beside the jars. Its name says which Java, options and jars it belongs to, and the JVM checks them and a
checksum again: a file that does not fit, or is damaged, is ignored. The tests make it (`tests/support/aot_cache.py`),
since they start brokers by the dozen; making one takes longer than one start saves.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_FOLDER: Final = ".startup"
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def location(jars: Path, command: Sequence[str]) -> Path | None:
    """Return where the cache of a command lies, made or not; None for a Java that does not say what it is.

    Args:
        jars: the folder with the jars.
        command: the `java` executable, its options and the class path, without a main class.
    """
    home = Path(command[0]).resolve().parent.parent
    try:
        release = (home / "release").read_bytes()
        classes = (home / "lib" / "modules").stat()
    except OSError:
        return None
    # A class file of the runtime image is known by the image's size and time, as the JVM itself knows it.
    parts = (*map(os.fsencode, command), release, b"%d %d" % (classes.st_size, classes.st_mtime_ns))
    name = hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]
    return jars / _FOLDER / f"{name}.aot"


def options(jars: Path, command: Sequence[str]) -> tuple[str, ...]:
    """Return the JVM's options to start from the cache of a command; none when it has no cache that is ours alone.

    Code comes out of this file, which nobody signed. So it must belong to this user, and no other may write it.
    """
    file = location(jars, command)
    if file is None or not _is_ours_alone(file):
        return ()
    # Where the file does not fit after all, the JVM starts without it, and says nothing.
    return (f"-XX:AOTCache={file}", "-XX:+VerifySharedSpaces", "-Xlog:aot*=off")


def _is_ours_alone(file: Path) -> bool:
    try:
        found = file.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE
