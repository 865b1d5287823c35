"""Writing: the catalog as files of a folder. Touches nothing there that this room has not made: each page says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.atomic import write_within
from pipelines.contract.folder import leaves, same_text
from pipelines.explain.catalog.page import MARK, Format
from pipelines.trouble import Exit, Trouble

_FOLDERS: Final = ("", "topics", "events")
_FIRST_LINES: Final = 256


@dataclass(frozen=True, slots=True)
class Kept:
    """Pages by path in the folder, sorted: which are not there, not what they should be, and nobody's any more."""

    missing: tuple[str, ...]
    stale: tuple[str, ...]
    surplus: tuple[str, ...]
    unchanged: tuple[str, ...]

    @property
    def changes(self) -> int:
        """How many files are not as they should be."""
        return len(self.missing) + len(self.stale) + len(self.surplus)


def differences(folder: Path, wanted: Mapping[str, str], form: Format) -> Kept:
    """How a folder differs from the catalog that belongs there.

    Raises:
        Trouble: (exit 4) a link, or a file that this room has not made, is where a page belongs.
    """
    for path in (*(part for part in _FOLDERS if part), *sorted(wanted)):
        if leaves(folder, path) or not _regular(folder / path, is_folder=path in _FOLDERS):
            raise Trouble(
                f"{folder / path} is, or is reached through, a symbolic link or a special file",
                hint="Move it away, or give another folder by --output: pages are written and removed there.",
                exit_code=Exit.REFUSED,
            )
    there = {path: _content(folder / path) for path in _files(folder, form)}
    foreign = sorted(path for path in wanted.keys() & there.keys() if not _made_here(there[path]))
    if foreign:
        raise Trouble(
            f"{folder / foreign[0]} is there already, and was not made by `pipelines docs`",
            hint="Move it away, or give another folder by --output.",
            exit_code=Exit.REFUSED,
        )
    same = {path for path in wanted.keys() & there.keys() if same_text(there[path], wanted[path])}
    return Kept(
        missing=tuple(sorted(wanted.keys() - there.keys())),
        stale=tuple(sorted((wanted.keys() & there.keys()) - same)),
        surplus=tuple(sorted(path for path in there.keys() - wanted.keys() if _made_here(there[path]))),
        unchanged=tuple(sorted(same)),
    )


def write(folder: Path, wanted: Mapping[str, str], kept: Kept) -> None:
    """Make the folder what it should be.

    Raises:
        Trouble: (exit 2) a file cannot be written or removed.
    """
    try:
        for path in (*kept.missing, *kept.stale):
            write_within(folder, path, wanted[path].encode())
        for path in kept.surplus:
            (folder / path).unlink()
    except OSError as error:
        hint = "Make the folder writable; every page that is there is whole."
        raise Trouble(f"{folder} cannot be written: {error.strerror}", hint=hint, exit_code=Exit.USAGE) from None


def _files(folder: Path, form: Format) -> list[str]:
    """The files of this format in the folders that pages are in; links are not followed out of them."""
    found = []
    for part in _FOLDERS:
        at = folder / part
        entries = sorted(at.iterdir()) if at.is_dir() else []
        found += [
            (Path(part) / entry.name).as_posix()
            for entry in entries
            if entry.suffix == f".{form}" and entry.is_file() and not entry.is_symlink()
        ]
    return found


def _regular(path: Path, *, is_folder: bool) -> bool:
    """Return whether nothing is there, or what belongs there."""
    return not path.exists() or (path.is_dir() if is_folder else path.is_file())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "Make the page readable, or remove it."
        raise Trouble(f"{path} cannot be read: {error.strerror}", hint=hint, exit_code=Exit.USAGE) from None


def _made_here(content: bytes) -> bool:
    return MARK.encode() in content[:_FIRST_LINES]
