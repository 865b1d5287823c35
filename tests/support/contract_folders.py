"""Contracts for tests: the small valid one, with the files of a fixture laid over it.

Beside the files that it puts into the contract, a fixture may have notes: `expected` are its findings, `removed` names
files to leave out, and `overlay` names that of its overlays under which it is loaded.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

from pipelines.contract import Loaded, build, load
from pipelines.contract.building import Under
from tests.support.signing import sign, sign_as

FIXTURES: Final = Path(__file__).parents[1] / "contract/fixtures"
BASE: Final = FIXTURES / "base"
TODAY: Final = date(2026, 6, 1)
"""A day on which everything in the base contract stands."""


def _link(folder: Path) -> None:
    (folder / "policies/lists.yaml").rename(folder.parent / "elsewhere.yaml")
    (folder / "policies/lists.yaml").symlink_to(folder.parent / "elsewhere.yaml")


def _no_file(folder: Path) -> None:
    (folder / "topics.yaml").unlink()
    (folder / "topics.yaml").mkdir()


def _large(folder: Path) -> None:
    (folder / "policies/lists.yaml").write_text("# padding\n" * 110_000)


def _many(folder: Path) -> None:
    (folder / "policies/lists.yaml").write_text("regions: [" + "a, " * 50_000 + "a]\n")


def _crowd(folder: Path) -> None:
    with (folder / "policies/lists.yaml").open("a") as file:
        file.writelines(f"list-{number}: [a]\n" for number in range(1_000))


MADE: Final[dict[str, Callable[[Path], None]]] = {
    "file-link": _link,
    "file-size": _large,
    "file-unreadable": _no_file,
    "too-many": _crowd,
    "yaml-nodes": _many,
}
"""What cannot lie in a repository as a file: made where it is needed, by the fixture's name."""


def overlaid(to: Path, fixture: Path | None = None) -> Path:
    """A copy of the base contract with a fixture's files over it."""
    shutil.copytree(BASE, to, dirs_exist_ok=True)
    if fixture is not None:
        shutil.copytree(fixture, to, dirs_exist_ok=True, symlinks=True)
    for note in ("expected", "removed", "overlay"):
        path = to / note
        for name in path.read_text().split() if note == "removed" and path.exists() else ():
            (to / name).unlink()
        path.unlink(missing_ok=True)
    if fixture is not None and fixture.name in MADE:
        MADE[fixture.name](to)
    return to


def overlay_of(fixture: Path) -> str | None:
    """The name of the overlay under which a fixture is loaded; None for most."""
    note = fixture / "overlay"
    return note.read_text().strip() if note.exists() else None


def freshened(folder: Path, overlay: str | None = None, *, as_of: date = TODAY) -> Path:
    """The folder with its reviews signed anew, and its derived schemas written when there is a contract in it."""
    loaded = load(folder, as_of=as_of)
    if loaded.readable is not None:
        sign_as(folder, loaded.readable)
    if (contract := loaded.contract) is not None:
        build(folder, contract, as_of=as_of)
        under = None if overlay is None else load(folder, as_of=as_of, overlay=overlay).readable
        if overlay is not None and under is not None:
            build(folder, under, as_of=as_of, under=Under(overlay, contract))
    return folder


def found_in(fixture: Path, to: Path) -> Loaded:
    """What loading finds in a fixture's contract, under the overlay that it names.

    What its name does not say to be the fault, derived schemas and signatures, is right.
    """
    folder, overlay = overlaid(to, fixture), overlay_of(fixture)
    if fixture.name.startswith("derived-"):
        sign(folder, as_of=TODAY)
    elif not fixture.name.startswith("review-signed"):
        freshened(folder, overlay)
    return load(folder, as_of=TODAY, overlay=overlay)


def edited(to: Path, edits: dict[str, tuple[str, str]]) -> Path:
    """A copy of the base contract in which one text of each named file is replaced by another."""
    overlaid(to)
    for name, (old, new) in edits.items():
        text = (to / name).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        (to / name).write_text(text.replace(old, new))
    return to
