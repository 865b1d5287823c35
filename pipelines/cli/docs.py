"""`pipelines docs`: the catalog of topics and event types as pages, or whether committed pages still say what is so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from pipelines.cli.options import contract_option
from pipelines.contract import load_for_building
from pipelines.explain.catalog import Format, Kept, differences, texts, write
from pipelines.trouble import Exit

_FOLDERS: Final[dict[Format, str]] = {"md": "docs/catalog", "html": "build/catalog"}


@click.command("docs")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the pages are. Default: docs/catalog of the contract's folder; build/catalog for HTML.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "html"]),
    default="md",
    show_default=True,
    help="Markdown, to be committed, or HTML: each page one file that needs no other and no network.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a page is missing, stale or surplus.")
@contract_option
def command(output: Path | None, form: Format, check: bool, contract_dir: Path) -> None:
    """Write a page for each topic's consumers and each event type's producers.

    Everything comes from the contract, so pages are the same wherever they are made; examples are what the minimizer
    makes of synthetic events, under a key that anybody can compute. Pages that no topic and no event type gives any
    more are removed; files that this command has not made are never touched.

    \b
    Examples:
      pipelines docs                  write docs/catalog/
      pipelines docs --check          say which of them no longer say what is so (for CI)
      pipelines docs --format html    write build/catalog/, to be opened or served

    Exit codes: 0 done (with --check: nothing to do), 1 the contract has errors (with --check: or something to do).
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    contract = load_for_building(contract_dir, as_of=datetime.now(UTC).date())
    folder = output or contract_dir / _FOLDERS[form]
    wanted = texts(contract, form)
    kept = differences(folder, wanted, form)
    if not check:
        write(folder, wanted, kept)
    _tell(kept, folder, check=check)
    if check and kept.changes:
        again = f"pipelines docs{'' if form == 'md' else f' --format {form}'}{f' --output {output}' if output else ''}"
        click.echo(f"Run `{again}` and commit what it writes.")
        raise click.exceptions.Exit(Exit.FINDINGS)


def _tell(kept: Kept, folder: Path, *, check: bool) -> None:
    words = ("missing", "stale", "surplus") if check else ("wrote", "wrote", "removed")
    for word, paths in zip(words, (kept.missing, kept.stale, kept.surplus), strict=True):
        for path in paths:
            click.echo(f"{word} {folder / path}")
    click.echo(f"{kept.changes} {'to mend' if check else 'changed'}, {len(kept.unchanged)} as they should be")
