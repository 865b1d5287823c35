"""Building: the derived schemas as files, one for each view. Owns schemas/minimized/ and overlays/*/schemas/ alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pipelines.contract.folder import DERIVED, overlay_derived, same_text, survey
from pipelines.contract.model import Contract
from pipelines.contract.report import Report
from pipelines.trouble import Exit, Trouble


@dataclass(frozen=True, slots=True)
class Built:
    """Paths in the contract's folder, sorted: what was written (or would be), removed, and left as it was."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]

    @property
    def changes(self) -> int:
        """How many files are not as they were."""
        return len(self.written) + len(self.removed)


@dataclass(frozen=True, slots=True)
class Under:
    """The overlay that a contract is under, and the contract without it."""

    overlay: str
    base: Contract


def derived_schemas(contract: Contract, under: Under | None = None) -> dict[str, str]:
    """The derived schemas of a contract; under an overlay those that are not as they are without it.

    Returns:
        Path in the contract's folder -> text: `schemas/minimized/<topic>/<event>.v<N>.avsc`, N being the newest raw
        version, since one schema serves all of them. An overlay's are in `overlays/<name>/schemas/`.
    """
    texts = {
        f"{view.topic}/{event.name}.v{event.versions[-1].version}.avsc": view.schema
        for _, event in sorted(contract.events.items())
        for view in event.views
    }
    if under is None:
        return {f"{DERIVED}/{path}": text for path, text in texts.items()}
    whole = derived_schemas(under.base)
    top = overlay_derived(under.overlay)
    return {f"{top}/{path}": text for path, text in texts.items() if whole.get(f"{DERIVED}/{path}") != text}


def build(root: Path, contract: Contract, *, write: bool = True, under: Under | None = None) -> Built:
    """Make schemas/minimized/ (or an overlay's own folder) what the contract's views give.

    Args:
        root: the contract's folder.
        contract: what it holds.
        write: False only says what would be done.
        under: the overlay that is in the contract, if there is one.

    Raises:
        Trouble: a file cannot be written or removed.
    """
    wanted = derived_schemas(contract, under)
    folder = survey(root, Report())
    mine = folder.derived_under(None if under is None else under.overlay)
    there = {path: folder.content(path, Report()) or b"" for path in mine}
    written = tuple(sorted(path for path, text in wanted.items() if not same_text(there.get(path, b""), text)))
    removed = tuple(sorted(there.keys() - wanted.keys()))
    if write:
        try:
            for path in written:
                _write(root / path, wanted[path])
            for path in removed:
                _remove(root / path)
        except OSError as error:
            hint = "Make the contract's folder writable; what was written so far is whole."
            where = DERIVED if under is None else overlay_derived(under.overlay)
            raise Trouble(f"{where} cannot be written: {error.strerror}", hint=hint, exit_code=Exit.USAGE) from None
    return Built(written, removed, tuple(sorted(wanted.keys() - set(written))))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, path)  # noqa: PTH105 - the same, and said as what it is: atomic
    finally:
        part.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    path.unlink()
    if not any(path.parent.iterdir()):
        path.parent.rmdir()
