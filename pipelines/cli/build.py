"""`pipelines build`: write the derived schemas, remove those that no view gives any more."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.cli.unsigned import print_unsigned
from pipelines.contract import build, load_for_building, load_to_look_at
from pipelines.contract.building import Under
from pipelines.contract.changes.expiry import doubts_in
from pipelines.contract.folder import superseded_index
from pipelines.trouble import Exit


@click.command("build")
@contract_option
@overlay_option
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if something would be written or removed.")
@json_option
def command(contract_dir: Path, overlay: str | None, check: bool, as_json: bool) -> None:
    """Write the derived schemas of the minimized topics.

    For each view of each policy, schemas/minimized/TOPIC/EVENT.vN.avsc says what a minimized record holds (N is the
    newest raw version; one schema serves all). They are made from the raw schemas and the policies alone, so commit
    them and do not edit them: a reviewer sees in the diff what changes for a topic's consumers, and `pipelines
    validate` fails while they are stale. Files in schemas/minimized/ that no view gives are removed.

    Records that were written under a schema which is replaced or removed live on. So its file is kept, in
    schemas/minimized/TOPIC/superseded/, until the topic's TTL and 30 days for the rollout have passed, and
    schemas/minimized/superseded.json lists it: fingerprint, file, until when. A later build removes what has expired,
    if the repository's commits say so, too: a date that was only edited, or that no commit has, removes nothing.
    With --check, a file that has expired is named and does not count.

    Purposes that nobody has signed yet are built, too, and named as UNSIGNED.

    \b
    Examples:
      pipelines build            write what has changed
      pipelines build --check    say what would change (for CI)
      pipelines build --overlay strict    overlays/strict/schemas/, those that the overlay changes

    Exit codes: 0 done (with --check: nothing to do), 1 the contract has errors (with --check: or something to do).
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    today = datetime.now(UTC).date()
    found = load_to_look_at(contract_dir, as_of=today, overlay=overlay)
    under = None
    if overlay is not None:
        under = Under(overlay, load_for_building(contract_dir, as_of=today))
    doubts = doubts_in(contract_dir, superseded_index(overlay), found.contract, today)
    built = build(contract_dir, found.contract, as_of=today, write=not check, under=under, doubts=doubts)
    if as_json:
        said = {
            "check": check,
            "written": built.written,
            "removed": built.removed,
            "unchanged": len(built.unchanged),
            "unsigned": sorted(found.unsigned),
            "unsigned_topics": sorted(found.unsigned_topics),
            "superseded": [asdict(one) for one in built.superseded],
            "expired": [asdict(one) for one in built.expired],
            "doubted": [{**asdict(one), "why": why} for one, why in built.doubted],
        }
        say_json(said)
    else:
        write, remove = ("would write", "would remove") if check else ("wrote", "removed")
        for path in built.written:
            click.echo(f"{write} {path}")
        for path in built.removed:
            click.echo(f"{remove} {path}")
        keep = "would keep" if check else "kept"
        for one in built.superseded:
            click.echo(f"{keep} {one.file} until {one.until}: records written under it live on")
        for one in built.expired:
            click.echo(f"{remove} {one.file}: all records written under it expired by {one.until}")
        for one, why in built.doubted:
            click.echo(f"{keep} {one.file}, which expired by its date {one.until}: {why}")
        print_unsigned(make_console(), found.unsigned, topics=found.unsigned_topics)
        click.echo(f"{built.changes} changed, {len(built.unchanged)} as they were")
    if check and built.changes:
        raise click.exceptions.Exit(Exit.FINDINGS)
