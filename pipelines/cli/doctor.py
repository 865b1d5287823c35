"""`pipelines doctor`: what is here, what is missing, and the way out."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from pipelines.cli.connect import connect
from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, kafka_options, key_options, overlay_option
from pipelines.cli.printing import say_json, visible
from pipelines.doctor import Observation, Situation, State, look_at_installation, look_at_surroundings
from pipelines.keys import DEFAULT_KEK_FILE, DEFAULT_KEYRING, open_keyring
from pipelines.text_table import TextTable
from pipelines.trouble import Exit

_STYLE: Final = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}


@click.command("doctor")
@contract_option
@overlay_option
@key_options
@kafka_options
@json_option
def command(
    contract_dir: Path,
    overlay: str | None,
    keyring_file: Path | None,
    kek_file: Path | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    as_json: bool,
) -> None:
    """Look at this installation and say what is missing.

    Python and packages, whether the walk is compiled, Java and jars for the embedded broker, the clock, the contract,
    the keyring and how far it reaches, other names of the key files, whether Kafka answers, and whether its brokers and
    own topics keep a commit that they acknowledged. Changes nothing. Exit code 3 when a part fails; a warning is for
    what only some commands want.
    """
    situation = Situation(
        contract_dir=contract_dir,
        now_ms=time.time_ns() // 1_000_000,
        kafka=lambda: connect(bootstrap, kafka_properties),
        kafka_is_named=bool(bootstrap or kafka_properties),
        keyring=lambda: open_keyring(keyring_file, kek_file),
        keyring_is_named=bool(keyring_file or kek_file),
        key_files=(keyring_file or DEFAULT_KEYRING, kek_file or DEFAULT_KEK_FILE),
        overlay=overlay,
    )
    observations = [*look_at_installation(os.environ), *look_at_surroundings(situation)]
    if as_json:
        say_json([asdict(one) for one in observations])
    else:
        _print(observations)
    if any(one.state is State.FAIL for one in observations):
        raise click.exceptions.Exit(Exit.UNAVAILABLE)


def _print(observations: list[Observation]) -> None:
    rows = []
    for one in observations:
        found = Text(visible(one.found))
        if one.remedy:
            found.append(visible(f"\n→ {one.remedy}"), _STYLE[one.state])
        rows.append((Text(one.state, _STYLE[one.state]), Text(one.part, "bold"), found))
    make_console().print(TextTable(rows))
