"""Building: the derived schemas as files, one for each view. Owns schemas/minimized/ and overlays/*/schemas/ alone.

A schema that is replaced or removed is kept until its records have expired (`superseded`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipelines.atomic import write_within
from pipelines.contract.describing import documented
from pipelines.contract.folder import (
    DERIVED,
    derived_folder,
    overlay_derived,
    same_text,
    superseded_index,
    survey,
)
from pipelines.contract.model import Contract, View
from pipelines.contract.report import Report
from pipelines.contract.superseded import Superseded
from pipelines.contract.superseding import superseding
from pipelines.trouble import Exit, Trouble

Doubts = Callable[[Sequence[Superseded]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Built:
    """Paths in the contract's folder, sorted: what was written (or would be), removed, and left as it was.

    `superseded` are the schemas that were replaced or removed and are kept; `expired` are those that were kept until
    now and are removed. What has expired depends on the day alone, so it is no change and `--check` does not fail.
    `doubted` have expired by the index and are kept nevertheless, with the reason.
    """

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]
    superseded: tuple[Superseded, ...] = ()
    expired: tuple[Superseded, ...] = ()
    doubted: tuple[tuple[Superseded, str], ...] = ()

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
    views = _views(contract)
    whole = {} if under is None else _views(under.base)
    top = DERIVED if under is None else overlay_derived(under.overlay)
    return {
        f"{top}/{path}": documented(view, contract.purposes.get(view.purpose))
        for path, view in views.items()
        if path not in whole or whole[path].schema != view.schema
    }


def build(
    root: Path,
    contract: Contract,
    *,
    as_of: date,
    write: bool = True,
    under: Under | None = None,
    doubts: Doubts | None = None,
) -> Built:
    """Make schemas/minimized/ (or an overlay's own folder) what the contract's views give.

    Args:
        root: the contract's folder.
        contract: what it holds.
        as_of: the day on which a schema that is replaced counts as superseded, and by which kept ones have expired.
        write: False only says what would be done.
        under: the overlay that is in the contract, if there is one.
        doubts: says which schemas are kept although they have expired by the index; without it, none is removed.

    Raises:
        Trouble: a file cannot be written or removed.
    """
    overlay = None if under is None else under.overlay
    wanted = derived_schemas(contract, under)
    folder = survey(root, Report())
    there = {path: folder.content(path, Report()) or b"" for path in folder.derived_under(overlay)}
    written = tuple(sorted(path for path, text in wanted.items() if not same_text(there.get(path, b""), text)))
    removed = tuple(sorted(there.keys() - wanted.keys()))
    replaced = {path: there[path] for path in (*written, *removed) if path in there}
    kept_there = {path: folder.content(path, Report()) or b"" for path in folder.superseded_under(overlay)}
    # Under an overlay the schemas of the contract itself are there, too, and decode.
    current = _fingerprints(contract) | (set() if under is None else _fingerprints(under.base))
    kept = superseding(superseded_index(overlay), kept_there, replaced, current, contract, as_of, doubts or _doubt_all)
    if write:
        try:
            # Copies and their index first: broken off between two files, nothing that records need is gone.
            for path, content in kept.written.items():
                write_within(root, path, content)
            for path in written:
                write_within(root, path, wanted[path].encode())
            for path in (*removed, *kept.removed):
                _remove(root / path)
        except OSError as error:
            hint = "Make the contract's folder writable; what was written so far is whole."
            where = derived_folder(overlay)
            raise Trouble(f"{where} cannot be written: {error.strerror}", hint=hint, exit_code=Exit.USAGE) from None
    index = (kept.index,) if kept.changed else ()
    unchanged = tuple(sorted(wanted.keys() - set(written)))
    return Built((*written, *index), removed, unchanged, kept.superseded, kept.expired, kept.doubted)


def _doubt_all(expired: Sequence[Superseded]) -> dict[str, str]:
    return dict.fromkeys((one.fingerprint for one in expired), "nothing was asked for a proof of its date")


def _views(contract: Contract) -> dict[str, View]:
    """Every view by the path of its derived schema in a derived folder."""
    return {
        f"{view.topic}/{event.name}.v{event.versions[-1].version}.avsc": view
        for _, event in sorted(contract.events.items())
        for view in event.views
    }


def _fingerprints(contract: Contract) -> set[str]:
    return {view.fingerprint.hex() for event in contract.events.values() for view in event.views}


def _remove(path: Path) -> None:
    path.unlink()
    for folder in (path.parent, path.parent.parent) if path.parent.name == "superseded" else (path.parent,):
        if not any(folder.iterdir()):
            folder.rmdir()
