"""Commands that write files write them into the folder that they were given, whatever somebody else put into it."""

from __future__ import annotations

import os
import secrets
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from pipelines.atomic import LeavesFolder, write_within
from pipelines.cli.app import pipelines
from pipelines.contract import load
from pipelines.contract.building import build
from pipelines.explain.catalog import differences
from pipelines.trouble import Exit, Trouble
from tests.support.contract_folders import TODAY, overlaid

TEXT: Final = b"what belongs to somebody else\n"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of somebody else's, with one file."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "file").write_bytes(TEXT)
    return folder


def untouched(elsewhere: Path) -> bool:
    return [entry.name for entry in elsewhere.iterdir()] == ["file"] and (elsewhere / "file").read_bytes() == TEXT


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_build_does_not_write_into_a_file_prepared_at_a_guessable_name(
    kind: str, tmp_path: Path, elsewhere: Path
) -> None:
    folder = overlaid(tmp_path / "contract")
    (target := next((folder / "schemas/minimized").rglob("*.avsc"))).unlink()
    trap = target.with_name(f".{target.name}.part")
    os.mkfifo(trap) if kind == "fifo" else trap.symlink_to(elsewhere / "file")
    contract = load(folder, as_of=TODAY).contract
    assert contract is not None
    assert build(folder, contract, as_of=date(2026, 1, 1)).changes == 1
    assert target.is_file()
    assert untouched(elsewhere)


@pytest.mark.parametrize("trap", ["link", "fifo"])
def test_even_a_guessed_temporary_name_is_not_written_through(
    trap: str, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "folder").mkdir()
    monkeypatch.setattr(secrets, "token_hex", lambda _bytes: "guessed")
    at = folder / ".page.guessed"
    os.mkfifo(at) if trap == "fifo" else at.symlink_to(elsewhere / "file")
    with pytest.raises(FileExistsError):
        write_within(folder, "page", b"new")
    assert untouched(elsewhere)
    assert not (folder / "page").exists()


@pytest.mark.parametrize(("path", "link"), [("a/b/file", "a"), ("a/b/file", "a/b"), ("a/file", "a/file")])
def test_no_part_of_a_path_is_followed_out_of_the_folder(path: str, link: str, tmp_path: Path, elsewhere: Path) -> None:
    folder = tmp_path / "folder"
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(elsewhere / "file" if link == path else elsewhere)
    with pytest.raises(LeavesFolder, match=link):
        write_within(folder, path, b"new")
    assert untouched(elsewhere)


def test_a_failed_write_leaves_nothing_beside_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    with pytest.raises(OSError, match=r"(?i)directory"):
        write_within(tmp_path, "page", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["page"]


@pytest.mark.parametrize("link", ["schemas", "schemas/raw", "schemas/raw/lock", "policies/lock", "topics.yaml"])
def test_new_refuses_a_linked_folder_or_file_and_writes_nothing(link: str, tmp_path: Path, elsewhere: Path) -> None:
    folder = tmp_path / "contract"
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(elsewhere / "file" if link.endswith(".yaml") else elsewhere)
    trouble = CliRunner().invoke(pipelines, ["new", "source", "lock.latch", "--contract", str(folder)]).exception
    assert isinstance(trouble, Trouble), trouble
    assert trouble.exit_code is Exit.REFUSED
    assert TEXT.decode().strip() not in str(trouble)
    assert untouched(elsewhere)
    assert [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()] == []


@pytest.mark.parametrize("purposes", ["link", "fifo", "bytes"])
def test_new_reads_only_regular_text_of_the_folder(purposes: str, tmp_path: Path, elsewhere: Path) -> None:
    folder = overlaid(tmp_path / "contract")
    file = folder / "policies/purposes.yaml"
    file.unlink()
    match purposes:
        case "link":
            file.symlink_to(elsewhere / "file")
        case "fifo":
            os.mkfifo(file)
        case _:
            file.write_bytes(b"\xff")
    trouble = CliRunner().invoke(pipelines, ["new", "purpose", "repair", "--contract", str(folder)]).exception
    assert isinstance(trouble, Trouble), trouble
    assert trouble.exit_code is (Exit.USAGE if purposes == "bytes" else Exit.REFUSED)


@pytest.mark.parametrize("trap", ["linked folder", "linked page", "fifo"])
def test_docs_refuses_links_and_special_files_where_pages_belong(trap: str, tmp_path: Path, elsewhere: Path) -> None:
    folder = tmp_path / "catalog"
    folder.mkdir()
    match trap:
        case "linked folder":
            (folder / "topics").symlink_to(elsewhere)
        case "linked page":
            (folder / "index.md").symlink_to(elsewhere / "file")
        case _:
            os.mkfifo(folder / "index.md")
    with pytest.raises(Trouble) as trouble:
        differences(folder, {"index.md": "text", "topics/one.md": "text"}, "md")
    assert trouble.value.exit_code is Exit.REFUSED
    assert untouched(elsewhere)
