"""The command line as a whole: every command is there, documented, and silent about data when something breaks."""

import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipelines.cli import app
from pipelines.cli.app import COMMANDS, main, pipelines
from pipelines.trouble import Exit, Trouble

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _commands() -> list[tuple[str, click.Command]]:
    context = click.Context(pipelines)
    found = []
    for name in COMMANDS:
        command = pipelines.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {sub}", command.commands[sub]) for sub in command.list_commands(context)]
    return found


@pytest.mark.parametrize(("name", "command"), _commands(), ids=[name for name, _ in _commands()])
def test_every_command_says_what_it_does_and_so_does_each_of_its_options(name: str, command: click.Command) -> None:
    assert command.help, name
    assert "\\b" not in command.help, "click wants the character, not a backslash and a b"
    undocumented = [p.name for p in command.params if isinstance(p, click.Option) and not (p.help or p.hidden)]
    assert not undocumented


def test_every_command_that_takes_a_contract_takes_an_overlay_too_or_the_environments() -> None:
    for name, command in _commands():
        options = {option.name: option for option in command.params if isinstance(option, click.Option)}
        # `demo` has a broker and topics of its own; `new` writes the contract's files, which an overlay leaves alone.
        if "contract_dir" in options and name != "demo" and not name.startswith("new"):
            assert "overlay" in options, name
            assert options["overlay"].envvar == "PIPELINES_OVERLAY"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert f"`{name}" in README


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_exits_with_0(name: str) -> None:
    result = CliRunner().invoke(pipelines, [name, "--help"])
    assert result.exit_code == 0
    assert f"pipelines {name}" in result.output


def test_a_mistyped_command_is_answered_with_the_nearest_one() -> None:
    result = CliRunner().invoke(pipelines, ["exlpain", "vpn.session"])
    assert result.exit_code == Exit.USAGE
    assert "Did you mean 'explain'?" in result.output


def test_help_loads_no_kafka_client_and_no_yaml() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from pipelines.cli.app import pipelines;"
        "CliRunner().invoke(pipelines, ['--help']);"
        "print(sorted({'confluent_kafka', 'yaml', 'rich', 'fastavro'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.strip() == "[]"


def _run(monkeypatch: pytest.MonkeyPatch, failure: BaseException) -> int | str | None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(app, "pipelines", fail)
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_trouble_becomes_its_message_its_hint_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = _run(monkeypatch, Trouble("no key", hint="make one", exit_code=Exit.REFUSED))
    assert code == Exit.REFUSED
    assert capsys.readouterr().err == "pipelines: no key\n  make one\n"


def test_a_fault_of_the_program_shows_its_place_and_never_its_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = ValueError("canary-7f3a")
    fault.__cause__ = KeyError("canary-7f3a")
    assert _run(monkeypatch, fault) == 70
    shown = capsys.readouterr()
    assert "canary" not in shown.err + shown.out
    assert "ValueError" in shown.err
    assert "test_app.py" in shown.err


@pytest.mark.parametrize(
    ("failure", "code"),
    [(click.Abort(), 130), (click.UsageError("which?"), 2), (click.FileError("x"), 2), (ImportError("no such"), 3)],
    ids=["interrupted", "usage", "file", "a package is missing"],
)
def test_what_click_raises_ends_with_the_documented_code(
    monkeypatch: pytest.MonkeyPatch, failure: BaseException, code: int
) -> None:
    assert _run(monkeypatch, failure) == code


def test_an_interruption_that_native_code_makes_another_exception_of_is_one_and_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except SystemExit:
            raise SystemError("a call returned a result with an exception set") from None

    monkeypatch.setattr(app, "pipelines", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == Exit.INTERRUPTED
    assert capsys.readouterr().err == ""
