"""README and docs show only commands that there are, with options that they take, and links that lead somewhere."""

import re
import shlex
from pathlib import Path

import click
import pytest

from pipelines.cli.app import pipelines

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```|((?:^    \S.*\n)+)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def _lines(page: Path) -> list[str]:
    blocks = (first or second for first, second in BLOCK.findall(page.read_text(encoding="utf-8")))
    return [line.strip() for block in blocks for line in block.splitlines()]


def _commands() -> list[str]:
    return sorted({line for page in PAGES for line in _lines(page) if re.match(r"pipelines [a-z]", line)})


@pytest.mark.parametrize("line", _commands())
def test_every_command_line_that_a_document_shows_is_understood(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(re.split(r" [>|&]", line)[0], comments=True)[1:]
    command: click.Command = pipelines
    context = click.Context(pipelines)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None
        command = found
    monkeypatch.chdir(ROOT)
    with command.make_context(line, words):
        pass  # the context closes the files that arguments name


def test_documents_show_commands_at_all() -> None:
    assert len(_commands()) > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_in_a_document_leads_somewhere(page: Path) -> None:
    gone = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert not gone


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_document_names_exists(page: Path) -> None:
    named = set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")))
    named |= {line.split()[1] for line in _lines(page) if re.match(r"make [a-z]", line)}
    assert named <= TARGETS


def test_the_page_of_environment_variables_has_each_that_is_read_and_no_other() -> None:
    files = [
        *(ROOT / "pipelines").rglob("*.py"),
        *(ROOT / "containers").glob("*.yml"),
        *ROOT.glob("*.yml"),
        ROOT / "setup.py",
    ]
    named = re.compile(r"\bPIPELINES_[A-Z_]*[A-Z]\b")
    read = {name for file in files for name in named.findall(file.read_text(encoding="utf-8"))}
    read -= {"PIPELINES_READ_AHEAD", "PIPELINES_READ_AHEAD_OVERLAY"}  # from a supervisor to its workers
    shown = set(named.findall((ROOT / "docs/environment.md").read_text(encoding="utf-8")))
    assert shown - {"PIPELINES_RUN_WORKERS"} == read
