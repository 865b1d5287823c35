"""The `pipelines` command: finds a command's module, and turns trouble into a message and an exit code."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

from pipelines import __version__
from pipelines.trouble import Exit, Trouble

# Command -> (module with a click command named `command`, one line of help). Modules load on use: `validate` must not
# pay for the Kafka client, nor `--help` for anything.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "validate": ("pipelines.cli.validate", "Check the contract; every mistake at once, with its place and mend."),
    "build": ("pipelines.cli.build", "Write the derived schemas of the minimized topics."),
    "explain": ("pipelines.cli.explain", "Say what happens to an event type or to one field, and why."),
    "try": ("pipelines.cli.try_", "Minimize events from a file, with a throwaway key and no broker."),
    "topics": ("pipelines.cli.topics", "Create the contract's topics with the retention that keeps their promise."),
    "keys": ("pipelines.cli.keys", "Make the keys of the coming epochs; show how far they reach."),
    "run": ("pipelines.cli.run", "Run the minimizer workers."),
    "simulate": ("pipelines.cli.simulate", "Publish synthetic events of the contract's systems."),
    "consume": ("pipelines.cli.consume", "Read a minimized topic, decoded."),
    "broker": ("pipelines.cli.broker", "Start, stop or look at the embedded Kafka."),
    "demo": ("pipelines.cli.demo", "The whole thing on this machine, checked, in a minute."),
    "doctor": ("pipelines.cli.doctor", "Look at this installation and say what is missing."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "PIPELINES", "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 findings, 2 usage, 3 the broker or a key cannot be had, 4 refused for safety.",
)
@click.version_option(__version__, package_name="telemetry-pipelines")
def pipelines() -> None:
    """Minimize product telemetry on Kafka: raw events in; reduced, purpose-tagged, expiring events out."""


def main() -> None:
    """Run the command line; the only place where trouble becomes text."""
    try:
        pipelines(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as misuse:
        misuse.show()
        sys.exit(Exit.USAGE)
    except Trouble as trouble:
        click.echo(f"pipelines: {trouble}\n  {trouble.hint}", err=True)
        sys.exit(trouble.exit_code)
