"""The `pipelines` command: finds a command's module, and turns trouble into a message and an exit code."""

from __future__ import annotations

import importlib
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click

from pipelines import __version__
from pipelines.cli.interrupting import Interruption, interruptible
from pipelines.cli.printing import discard, encodable_streams, flush, refused_by_the_system, say
from pipelines.hardening import forbid_core_dumps
from pipelines.trouble import ClosedPipe, Exit, Trouble

# Command -> (module with a click command named `command`, one line of help). Modules load on use: `validate` must not
# pay for the Kafka client, nor `--help` for anything.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "new": ("pipelines.cli.new", "Write the first lines of an event type, a purpose or a view."),
    "validate": ("pipelines.cli.validate", "Check the contract and report every error with its location and fix."),
    "review": ("pipelines.cli.review", "Show what a purpose receives, what changed, and the digest to sign."),
    "diff": ("pipelines.cli.diff", "Compare two contracts: what makes privacy worse, better, neither."),
    "build": ("pipelines.cli.build", "Write the derived schemas of the minimized topics."),
    "docs": ("pipelines.cli.docs", "Write a page for each topic's consumers and event type's producers."),
    "explain": ("pipelines.cli.explain", "Say what happens to an event type or to one field, and why."),
    "linkage": ("pipelines.cli.linkage", "Say how much two purposes share of one event, in bits."),
    "singling-out": ("pipelines.cli.singling", "Say which fields together few devices of a sample share."),
    "test": ("pipelines.cli.cases", "Run the cases beside the policies: raw event in, views out."),
    "lint-sample": ("pipelines.cli.lint_sample", "Say which values of a sample contradict the class of their field."),
    "try": ("pipelines.cli.try_", "Minimize events from a file, with a throwaway key and no broker."),
    "topics": ("pipelines.cli.topics", "Plan, apply and verify the contract's topics and their retention."),
    "keys": ("pipelines.cli.keys", "Make the keys of the coming epochs; show how far ahead they last."),
    "run": ("pipelines.cli.run", "Run the minimizer workers."),
    "health": ("pipelines.cli.health", "Say whether the workers of a run are alive and make progress."),
    "replay": ("pipelines.cli.replay", "Run raw events that are still alive through the policy again."),
    "quarantine": ("pipelines.cli.quarantine", "Show what could not be minimized; try it again."),
    "simulate": ("pipelines.cli.simulate", "Publish synthetic events of the contract's systems."),
    "consume": ("pipelines.cli.consume", "Read a minimized topic, decoded."),
    "broker": ("pipelines.cli.broker", "Start, stop or look at the embedded Kafka."),
    "demo": ("pipelines.cli.demo", "Run the whole pipeline on this machine and check it, in a minute."),
    "doctor": ("pipelines.cli.doctor", "Look at this installation and say what is missing."),
}


class _LazyGroup(click.Group):
    def make_context(self, *words: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*words, **options)
        except BrokenPipeError:
            raise ClosedPipe from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ClosedPipe from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"No such command {args[0]!r}.{f' Did you mean {close[0]!r}?' if close else ''}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "PIPELINES",
        "max_content_width": 100,
    },
    epilog="Exit codes: 0 done, 1 findings, 2 usage, 3 the broker or a key is not available, 4 refused for safety, "
    "70 a fault of the program, 130 interrupted, 141 standard output was closed.",
)
@click.version_option(__version__, package_name="telemetry-pipelines")
def pipelines() -> None:
    """Minimize product telemetry on Kafka: raw events in; reduced, purpose-tagged, expiring events out."""


def main() -> None:
    """Run the command line; the only place where trouble becomes text.

    A fault of the program itself is shown by its class and its places in the code, without its message: that, and
    what it was raised from, may hold an event's value.
    """
    with interruptible() as interruption:
        encodable_streams()
        try:
            code = _run(interruption)
        except OSError:  # what went wrong cannot be told: standard error fails, too
            discard(sys.stderr)
            code = Exit.USAGE
        sys.exit(code)


def _run(interruption: Interruption) -> int:
    """Run the command that was typed, say on standard error what went wrong, and return the exit code."""
    try:
        forbid_core_dumps()
        done = pipelines(standalone_mode=False)  # click hands back the code of an Exit that a command raised
        flush(sys.stdout)
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except click.ClickException as misuse:
        misuse.show()
        return Exit.USAGE
    except Trouble as trouble:
        return _said(trouble)
    except (ClosedPipe, BrokenPipeError):
        discard(sys.stdout)  # the reader has enough
        return Exit.CLOSED_PIPE
    except ImportError as missing:
        say(f"pipelines: {missing}\n  Install the locked packages again: make setup", err=True)
        return Exit.UNAVAILABLE
    except OSError as error:
        discard(sys.stdout)
        refused = refused_by_the_system(error)
        return _fault(error) if refused is None else _said(refused)
    except Exception as fault:  # noqa: BLE001 - nothing may reach Python's own traceback, which prints messages
        return Exit.INTERRUPTED if interruption.came else _fault(fault)
    return done if isinstance(done, int) else Exit.DONE


def _said(trouble: Trouble) -> int:
    say(f"pipelines: {trouble}\n  {trouble.hint}", err=True)
    return trouble.exit_code


def _fault(fault: Exception) -> int:
    say(_without_message(fault), err=True)
    return Exit.FAULT


def _without_message(fault: Exception) -> str:
    places = [
        f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(fault.__traceback__)
    ]
    return "\n".join([
        f"pipelines: a fault of the program, {type(fault).__name__}, at",
        *places,
        "  Its message is held back, because it could hold data. Please report these lines.",
    ])  # fmt: skip
