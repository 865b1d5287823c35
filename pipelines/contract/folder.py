"""The folder: which files make a contract, and nothing that pretends to be one.

    topics.yaml
    policies/purposes.yaml   policies/<source>/<event>.yaml   policies/<source>/<event>.cases.yaml
    policies/lists.yaml   policies/linkage.yaml   policies/pipeline-topics.yaml   (may be absent)
    schemas/raw/<source>/<event>.v<N>.avsc
    schemas/minimized/<category.purpose>/<source.event>.v<N>.avsc   (derived; see `pipelines build`)
    schemas/minimized/<category.purpose>/superseded/<source.event>.<fingerprint>.avsc   (replaced, but records live)
    schemas/minimized/superseded.json   (which these are, and until when)
    overlays/<name>.yaml   overlays/<name>/schemas/…   (may be absent; as schemas/minimized/)

A file elsewhere in `policies/`, `schemas/` or `overlays/` that is neither hidden nor a `.md` is a mistake: somebody
believes it to be in force.
Follows no symbolic link, and reads nothing larger than `MAX_BYTES`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.contract.findings import Position
from pipelines.contract.reading import MAX_BYTES
from pipelines.contract.report import Report, shown

NAME: Final = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
MAX_NAME: Final = 64
MAX_FILES: Final = 5_000
EVENT: Final = re.compile(rf"({NAME})\.({NAME})", re.ASCII)
MINIMIZED: Final = EVENT  # a minimized topic is spelled alike: <category>.<purpose>

TOPICS: Final = "topics.yaml"
PURPOSES: Final = "policies/purposes.yaml"
LISTS: Final = "policies/lists.yaml"
LINKAGE: Final = "policies/linkage.yaml"
PIPELINE_TOPICS: Final = "policies/pipeline-topics.yaml"
RAW: Final = "schemas/raw"
DERIVED: Final = "schemas/minimized"
OVERLAYS: Final = "overlays"

_SCHEMA: Final = re.compile(
    rf"schemas/raw/(?P<source>{NAME})/(?P<event>{NAME})\.v(?P<version>[1-9][0-9]{{0,3}})\.avsc", re.ASCII
)
_POLICY: Final = re.compile(rf"policies/(?P<source>{NAME})/(?P<event>{NAME})\.yaml", re.ASCII)
_CASES: Final = re.compile(rf"policies/(?P<source>{NAME})/(?P<event>{NAME})\.cases\.yaml", re.ASCII)
_DERIVED_FILE: Final = rf"{NAME}\.{NAME}/{NAME}\.{NAME}\.v[1-9][0-9]{{0,3}}\.avsc"
_SUPERSEDED_FILE: Final = rf"{NAME}\.{NAME}/superseded/{NAME}\.{NAME}\.[0-9a-f]{{16}}\.avsc|superseded\.json"
_DERIVED: Final = re.compile(rf"schemas/minimized/{_DERIVED_FILE}", re.ASCII)
_SUPERSEDED: Final = re.compile(
    rf"(?:schemas/minimized|overlays/(?P<name>{NAME})/schemas)/(?:{_SUPERSEDED_FILE})", re.ASCII
)
_OVERLAY: Final = re.compile(rf"overlays/(?P<name>{NAME})\.yaml", re.ASCII)
_OVERLAID: Final = re.compile(rf"overlays/(?P<name>{NAME})/schemas/{_DERIVED_FILE}", re.ASCII)
_REMEDY: Final = "Name it schemas/raw/<source>/<event>.v<N>.avsc or policies/<source>/<event>.yaml, or move it away."


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A raw schema's file: `version` of `event`, at `path` in the folder."""

    path: str
    event: str
    version: int


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy's file, or the file of the cases beside it."""

    path: str
    event: str


@dataclass(frozen=True, slots=True)
class Folder:
    """What a contract's folder holds, by kind; paths are relative, with `/`."""

    root: Path
    schemas: tuple[SchemaFile, ...]
    policies: tuple[PolicyFile, ...]
    derived: tuple[str, ...]
    cases: tuple[PolicyFile, ...] = ()
    overlays: frozenset[str] = frozenset()
    overlaid: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()

    def derived_under(self, overlay: str | None) -> tuple[str, ...]:
        """The derived schemas of the contract, or those that an overlay has in place of them."""
        if overlay is None:
            return self.derived
        return tuple(path for path in self.overlaid if path.startswith(f"{overlay_derived(overlay)}/"))

    def superseded_under(self, overlay: str | None) -> tuple[str, ...]:
        """The superseded derived schemas of the contract or of an overlay, and their index."""
        return tuple(path for path in self.superseded if path.startswith(f"{derived_folder(overlay)}/"))

    def content(self, path: str, report: Report, *, required: bool = True) -> bytes | None:
        """Return a file's bytes, as the function `content` does."""
        return content(self.root, path, report, required=required)


def content(root: Path, path: str, report: Report, *, required: bool = True) -> bytes | None:
    """Return a file's bytes; None, and a mistake if it is `required` or unreadable, when they cannot be had.

    Args:
        root: the contract's folder.
        path: relative to `root`, with `/`. No part of it may be a symbolic link.
        report: takes the mistakes.
        required: a missing file is a mistake.
    """
    place = Position(path)
    try:
        if leaves(root, path):
            report.add(
                "file-link", place, "A symbolic link.", "Put the file itself here: links may leave the contract."
            )
            return None
        if not stat.S_ISREG((root / path).stat().st_mode):  # to open a pipe would wait for its other end
            report.add("file-unreadable", place, "This is not a regular file.", "Put a file here.")
            return None
        with (root / path).open("rb") as file:
            return file.read(MAX_BYTES + 1)  # one too many tells the reader that it is too large
    except FileNotFoundError:
        if required:
            report.add("file-missing", place, "The file is missing.", "Add it: a contract cannot do without.")
    except OSError as error:
        report.add("file-unreadable", place, f"The file cannot be read: {error.strerror}.", "Fix its permissions.")
    return None


def leaves(root: Path, path: str) -> bool:
    """Return whether any part of a path below a folder is a symbolic link."""
    at = root
    for part in path.split("/"):
        at /= part
        if at.is_symlink():
            return True
    return False


def same_text(content: bytes, text: str) -> bool:
    """Whether a file's content is the text, be its line ends LF or CRLF: git with core.autocrlf writes the latter."""
    return content.replace(b"\r\n", b"\n") == text.encode()


def overlay_file(name: str) -> str:
    """The file of an overlay."""
    return f"{OVERLAYS}/{name}.yaml"


def overlay_derived(name: str) -> str:
    """Where the derived schemas of an overlay are, those that are not as they are without it."""
    return f"{OVERLAYS}/{name}/schemas"


def derived_folder(overlay: str | None) -> str:
    """Where the derived schemas of the contract or of an overlay are."""
    return DERIVED if overlay is None else overlay_derived(overlay)


def superseded_index(overlay: str | None) -> str:
    """The file that lists the superseded derived schemas of the contract or of an overlay."""
    return f"{derived_folder(overlay)}/superseded.json"


def survey(root: Path, report: Report) -> Folder:
    """List a contract's files; every name that does not fit is a mistake and is left out."""
    schemas, policies, derived, cases = [], [], [], []
    overlays: list[str] = []
    overlaid: list[str] = []
    superseded: list[str] = []
    if not (root / RAW).is_dir():
        report.add("file-missing", Position(RAW), "There are no raw schemas.", f"Add {RAW}/<source>/<event>.v1.avsc.")
    for path in _files(root, report):
        if _too_long(path):
            report.add("file-name", Position(path), f"A name of more than {MAX_NAME} characters.", "Shorten it.")
        elif found := _SCHEMA.fullmatch(path):
            schemas.append(SchemaFile(path, f"{found['source']}.{found['event']}", int(found["version"])))
        elif found := _POLICY.fullmatch(path):
            policies.append(PolicyFile(path, f"{found['source']}.{found['event']}"))
        elif found := _CASES.fullmatch(path):
            cases.append(PolicyFile(path, f"{found['source']}.{found['event']}"))
        elif _DERIVED.fullmatch(path):
            derived.append(path)
        elif found := _OVERLAY.fullmatch(path):
            overlays.append(found["name"])
        elif _OVERLAID.fullmatch(path):
            overlaid.append(path)
        elif _SUPERSEDED.fullmatch(path):
            superseded.append(path)
        elif path not in (PURPOSES, LISTS, LINKAGE, PIPELINE_TOPICS) and not path.endswith(".md"):
            report.add(
                "file-name", Position(ascii_path(path)), f"{shown(path)} is not the name of a contract file.", _REMEDY
            )
    schemas.sort(key=lambda file: (file.event, file.version))
    for path in (*overlaid, *(path for path in superseded if path.startswith(f"{OVERLAYS}/"))):
        if (name := path.split("/")[1]) not in overlays:
            what = f"There is no overlay '{name}'."
            report.add("file-name", Position(path), what, f"Add {overlay_file(name)}, or remove this file.")
    kinds = (tuple(schemas), tuple(policies), tuple(derived), tuple(cases))
    return Folder(root, *kinds, frozenset(overlays), tuple(overlaid), tuple(superseded))


def ascii_path(path: str) -> str:
    """A path that can be printed and encoded, whatever the file system allowed."""
    return path if path.isprintable() else ascii(path)[1:-1]


def _files(root: Path, report: Report) -> Iterator[str]:
    seen = 0
    for top in ("policies", "schemas", OVERLAYS):
        if (root / top).is_symlink():
            report.add("file-link", Position(top), "A symbolic link.", "Put the folder itself here.")
            continue
        for where, folders, files in os.walk(root / top):
            base = Path(where).relative_to(root).as_posix()
            for link in [name for name in folders if Path(where, name).is_symlink()]:
                place = Position(ascii_path(f"{base}/{link}"))
                report.add("file-link", place, "A symbolic link.", "Put the folder itself here.")
            folders.sort()
            for name in sorted(name for name in files if not name.startswith(".")):  # editors' own
                seen += 1
                if seen > MAX_FILES:
                    report.add(
                        "file-name",
                        Position(top),
                        f"More than {MAX_FILES:,} files.",
                        "This is not the folder of a contract.",
                    )
                    return
                yield f"{base}/{name}"


def _too_long(path: str) -> bool:
    return any(len(part) > 2 * MAX_NAME for part in path.split("/"))
