"""Reports how many of the random examples reached what their property is about."""

import pytest

from tests.minimize.properties import TALLIES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLIES:
        terminalreporter.section("minimize: random examples")
    for tally in TALLIES:
        terminalreporter.line(f"{tally.name}: {tally.tried} examples, {tally.share:.0%} accepted")
