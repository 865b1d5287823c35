"""`pipelines docs`: the catalog of topics and event types as pages, or whether committed pages still say what is so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from pipelines.cli.options import contract_option, overlay_option
from pipelines.contract import load_for_building
from pipelines.contract.building import Under
from pipelines.explain.catalog import Format, Kept, differences, texts, write
from pipelines.trouble import Exit

_FOLDERS: Final[dict[Format, str]] = {"md": "docs/catalog", "html": "build/catalog"}


@click.command("docs")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the pages are. Default: docs/catalog of the contract's folder; build/catalog for HTML; "
    "-NAME after it for an overlay.",
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
@overlay_option
def command(output: Path | None, form: Format, check: bool, contract_dir: Path, overlay: str | None) -> None:
    """Write a page for each topic's consumers and each event type's producers.

    Everything comes from the contract, so pages are the same wherever they are made; examples are what the minimizer
    makes of synthetic events, under a key that anybody can compute. Pages that no topic and no event type gives any
    more are removed; files that this command has not made are never touched.

    \b
    Examples:
      pipelines docs                  write docs/catalog/
      pipelines docs --check          say which of them are out of date (for CI)
      pipelines docs --format html    write build/catalog/, to be opened or served
      pipelines docs --overlay strict    docs/catalog-strict/: what holds in a deployment under that overlay

    Exit codes: 0 done (with --check: nothing to do), 1 the contract has errors (with --check: or something to do).
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    today = datetime.now(UTC).date()
    contract = load_for_building(contract_dir, as_of=today, overlay=overlay)
    under = None if overlay is None else Under(overlay, load_for_building(contract_dir, as_of=today))
    folder = output or contract_dir / (_FOLDERS[form] if overlay is None else f"{_FOLDERS[form]}-{overlay}")
    wanted = texts(contract, form, under)
    kept = differences(folder, wanted, form)
    if not check:
        write(folder, wanted, kept)
    _tell(kept, folder, check=check)
    if check and kept.changes:
        said = {"--format": None if form == "md" else form, "--overlay": overlay, "--output": output}
        again = " ".join(["pipelines docs", *(f"{option} {value}" for option, value in said.items() if value)])
        click.echo(f"Run `{again}` and commit what it writes.")
        raise click.exceptions.Exit(Exit.FINDINGS)


def _tell(kept: Kept, folder: Path, *, check: bool) -> None:
    words = ("missing", "stale", "surplus") if check else ("wrote", "wrote", "removed")
    for word, paths in zip(words, (kept.missing, kept.stale, kept.surplus), strict=True):
        for path in paths:
            click.echo(f"{word} {folder / path}")
    click.echo(f"{kept.changes} {'to update' if check else 'changed'}, {len(kept.unchanged)} up to date")
