"""Options that several commands share, spelled and documented once."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipelines.contract.folder import NAME

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

contract_option: Decorator = click.option(
    "--contract",
    "contract_dir",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    show_default="the current folder",
    envvar="PIPELINES_CONTRACT",
    help="The folder with schemas/, policies/ and topics.yaml.",
)


def _name(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(NAME, value, re.ASCII):
        raise click.BadParameter(
            f"{value!r} is not a valid overlay name: lower-case letters, digits and single dashes."
        )
    return value


overlay_option: Decorator = click.option(
    "--overlay",
    metavar="NAME",
    envvar="PIPELINES_OVERLAY",
    callback=_name,
    help="Lay overlays/NAME.yaml over the contract, which makes it tighter. One for each deployment.",
)

initial_delay_option: Decorator = click.option(
    "--initial-delay",
    "initial_delay_ms",
    type=click.IntRange(min=0),
    default=30_000,
    show_default=True,
    metavar="MS",
    envvar="PIPELINES_INITIAL_DELAY",
    help="The brokers' log.initial.task.delay.ms, which brokers do not report.",
)

json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


history_option: Decorator = click.option(
    "--history",
    is_flag=True,
    help="Look up what was signed in the folder's git history. Runs git, without the repository's own settings.",
)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


by_option: Decorator = click.option(
    "--by",
    default=_login,
    show_default="the login name",
    envvar="PIPELINES_BY",
    metavar="NAME",
    help="Who does it, for the record of changes.",
)


def kafka_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--bootstrap` and `--kafka-properties`: which Kafka. Gives the arguments `bootstrap` and `kafka_properties`."""
    for option in (
        click.option(
            "--kafka-properties",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            envvar="PIPELINES_KAFKA_PROPERTIES",
            help="A properties file passed through to librdkafka (security, sockets).",
        ),
        click.option(
            "--bootstrap",
            metavar="HOST:PORT[,…]",
            envvar="PIPELINES_BOOTSTRAP",
            help="The Kafka to use. Default: the embedded broker of this folder, when it runs.",
        ),
    ):
        command = option(command)
    return command


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--log-format` and `--log-level`: how log lines look. Gives the arguments `log_format` and `log_level`."""
    for option in (
        click.option(
            "--log-level",
            type=click.Choice(["info", "warning", "error"]),
            default="info",
            show_default=True,
            envvar="PIPELINES_LOG_LEVEL",
            help="The least level of a log line that is written.",
        ),
        click.option(
            "--log-format",
            type=click.Choice(["auto", "json", "text"]),
            default="auto",
            show_default=True,
            envvar="PIPELINES_LOG_FORMAT",
            help="One JSON object a line, or text for people; auto: text on a terminal, JSON elsewhere.",
        ),
    ):
        command = option(command)
    return command


def key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--keyring` and `--kek-file`: which keys. Gives `keyring_file` and `kek_file`, None for the default place."""
    for option in (
        click.option(
            "--kek-file",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="PIPELINES_KEK_FILE",
            help="The key-encryption key. Default: .pipelines/kek.",
        ),
        click.option(
            "--keyring",
            "keyring_file",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="PIPELINES_KEYRING",
            help="The keyring file. Default: .pipelines/keyring.json.",
        ),
    ):
        command = option(command)
    return command
