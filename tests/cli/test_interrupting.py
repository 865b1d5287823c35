"""A command that is asked to end by a signal ends with the exit code that the README names."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli.interrupting import interruptible
from pipelines.trouble import Exit
from tests.support.commands import COMMAND, surroundings
from tests.support.processes import ended
from tests.support.shipped import ROOT
from tests.support.waiting import until


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_command_that_waits_for_a_broker_ends_with_130_and_no_traceback(
    tmp_path: Path, number: signal.Signals
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        silent.settimeout(120)
        where = ["--contract", str(ROOT), "--bootstrap", f"127.0.0.1:{silent.getsockname()[1]}"]
        process = subprocess.Popen(
            [*COMMAND, "topics", "verify", *where],
            cwd=tmp_path,
            env=surroundings(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            silent.accept()[0].close()
            process.send_signal(number)
            assert ended(process, "a command that was interrupted") == Exit.INTERRUPTED
            assert process.stderr is not None
            assert b"Traceback" not in process.stderr.read()


@pytest.mark.slow
def test_what_a_command_opened_is_closed_and_a_signal_that_is_ignored_stays_so() -> None:
    code = (
        "import signal, sys, time\n"
        "from pipelines.cli.interrupting import interruptible\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with interruptible():\n"
        "    signal.raise_signal(signal.SIGHUP)\n"
        "    try:\n"
        "        print('waits', flush=True)\n"
        "        time.sleep(600)\n"
        "    finally:\n"
        "        print('closed', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGTERM)
        assert ended(process, "what was interrupted") == Exit.INTERRUPTED
        assert process.stdout.read() == "closed\n"


def test_what_handles_a_signal_already_is_left_alone_and_defaults_come_back() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGTERM)
            until(lambda: heard, "the handler")
            assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGHUP, hangup)
