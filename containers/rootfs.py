"""Assembles the image's root file system: an interpreter, one environment, the libraries they need, and nothing else.

    python rootfs.py ROOT ENVIRONMENT

No shell, no package manager, no pip, no compiler. Which libraries are needed the loader itself says (ldd); of which
Debian packages they come stands in var/lib/dpkg/status.d, where scanners look for it. Standard library only.
"""

from __future__ import annotations

import compileall
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

# Of the standard library, what a running program does not need.
LEFT_OUT = shutil.ignore_patterns(
    *("__pycache__", "site-packages", "dist-packages", "config-*", "*.a", "test", "tests", "*.exe"),
    *("idlelib", "tkinter", "turtledemo", "turtle.py", "lib2to3", "distutils", "ensurepip", "pydoc_data"),
)
USER = 10001
FILES = ("/etc/ld.so.cache", "/etc/ssl/certs/ca-certificates.crt", "/etc/os-release", "/etc/debian_version")
TEXTS = {
    "etc/passwd": f"root:x:0:0:root:/root:/none\npipelines:x:{USER}:{USER}:pipelines:/home/pipelines:/none\n",
    "etc/group": f"root:x:0:\npipelines:x:{USER}:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
# Folders that volumes are mounted at take over owner and mode; the first is where the key-encryption key is made.
OWN_FOLDERS = ("home/pipelines/.pipelines", "home/pipelines", "keys")


def main(root: Path, environment: Path) -> None:
    """Fill the folder `root`, which must not exist."""
    root.mkdir(parents=True)
    for link, target in (("lib", "usr/lib"), ("lib64", "usr/lib64"), ("bin", "usr/bin")):
        (root / target).mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(target)
    standard = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(standard, inside(root, standard), symlinks=True, ignore=LEFT_OUT)
    sources = shutil.ignore_patterns("*.c", "*.h", "*.pyx", "*.pxd")
    shutil.copytree(environment, inside(root, environment), symlinks=True, ignore=sources)
    for file in (*interpreter(environment), *map(Path, FILES)):
        copy(root, file)
    needed = sorted(libraries([Path(sys.executable), *standard.rglob("*.so"), *environment.rglob("*.so*")]))
    for library in needed:
        copy(root, library)
    describe(root, needed)
    for name, text in TEXTS.items():
        (root / name).write_text(text)
    for folder in OWN_FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
        os.chown(root / folder, USER, USER)
        (root / folder).chmod(0o700)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    for folder in (inside(root, standard), inside(root, environment)):
        # By content and unchecked: the files never change, and an image is the same whenever it is built.
        compileall.compile_dir(
            folder, stripdir=str(root), prependdir="/", quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
        )


def inside(root: Path, path: Path) -> Path:
    """Where a file of this machine goes: its folder with all links followed, so that merged folders stay merged."""
    return root / (path.parent.resolve() / path.name).relative_to("/")


def copy(root: Path, file: Path) -> None:
    """Copy a file's content to its place."""
    place = inside(root, file)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, place)


def interpreter(environment: Path) -> Iterator[Path]:
    """The interpreter that the environment's links lead to, under every name on the way."""
    link = environment / "bin/python"
    while link.is_symlink():
        link = (link.parent / link.readlink()).absolute()
        if not link.is_relative_to(environment):
            yield link


def libraries(programs: Iterable[Path]) -> set[Path]:
    """The shared libraries that the programs load, apart from those that lie in their own environment."""
    found: set[Path] = set()
    for program in programs:
        told = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        found |= {Path(path) for path in re.findall(r"(?:=> )?(/\S+) \(0x", told)}
    return {path for path in found if not path.is_relative_to("/opt")}


def describe(root: Path, files: Iterable[Path]) -> None:
    """Name the Debian packages that the files are from, one file each."""
    folder = root / "var/lib/dpkg/status.d"
    folder.mkdir(parents=True)
    for file in files:
        # A package may still name its files by the folder that is a link since the merge of /lib into /usr/lib.
        names = {str(file.resolve()), str(file.resolve()).removeprefix("/usr")}
        owner = subprocess.run(["dpkg", "-S", *names], capture_output=True, text=True, check=False).stdout
        for package in re.findall(r"^([^:,\s]+(?::\w+)?): ", owner, re.MULTILINE):
            status = subprocess.run(["dpkg-query", "-s", package], capture_output=True, text=True, check=True).stdout
            (folder / package.partition(":")[0]).write_text(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
