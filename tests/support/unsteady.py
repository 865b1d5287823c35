"""A test on a broker that failed is run once more, alone, when all others are over; the report shows both outcomes.

A run fails when such a test fails again, or when more than three had to be run again: then something is wrong that a
second attempt would only hide. Every other failed test fails the run at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import pytest

MOST: Final = 3
ALONE: Final = "PIPELINES_TEST_ALONE"
"""Set in the environment of the process that runs a test again."""
_WITHIN_S: Final = 900.0
_LINES: Final = 60
_DIED: Final = "???"  # what pytest-xdist reports as the phase in which a test's process died

RunAlone = Callable[[str], "Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test ended that ran alone."""

    passed: bool
    output: str


@dataclass(eq=False)
class Unsteady:
    """The plugin of the process that reports. `run_alone` runs one test again and blocks until it is over."""

    run_alone: RunAlone
    first: dict[str, list[pytest.TestReport]] = field(default_factory=dict)
    again: dict[str, Outcome] = field(default_factory=dict)

    def pytest_report_teststatus(self, report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
        """Set a failed test apart that gets a second attempt."""
        if report.failed and may_run_again(report):
            return "unsteady", "U", "UNSTEADY"
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the failures of each such test."""
        if report.failed and may_run_again(report):
            self.first.setdefault(report.nodeid, []).append(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Run them again, one after the other, and decide what the run ends with."""
        reporter: pytest.TerminalReporter | None = session.config.pluginmanager.get_plugin("terminalreporter")
        if not self.first or session.shouldstop or reporter is None:
            return
        if len(self.first) <= MOST:
            for test in self.first:
                reporter.write_line(f"again, alone: {test}")
                self.again[test] = self.run_alone(test)
        final = [test for test in self.first if test not in self.again or not self.again[test].passed]
        stats = reporter.stats
        stats["unsteady"] = [reports[0] for test, reports in self.first.items() if test not in final]
        stats.setdefault("failed", []).extend(self.first[test][0] for test in final)
        if final:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif session.exitstatus == pytest.ExitCode.TESTS_FAILED and not stats["failed"] and not stats.get("error"):
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show, for each, what the first and the second attempt said."""
        if not self.first:
            return
        terminalreporter.section("unsteady tests")
        if len(self.first) > MOST:
            text = f"{len(self.first)} tests on a broker failed; none was run again, since that is more than {MOST}."
            terminalreporter.write_line(text, red=True)
        for test, outcome in self.again.items():
            verdict = "passed" if outcome.passed else "failed again"
            terminalreporter.section(f"{test}: {verdict} when it ran alone", sep="-")
            terminalreporter.write_line("First attempt:")
            for report in self.first[test]:
                terminalreporter.write_line(report.longreprtext)
                for title, text in report.sections:
                    terminalreporter.write_line(f"{title}:\n{_end_of(text)}")
            terminalreporter.write_line(f"Second attempt:\n{outcome.output}")


def may_run_again(report: pytest.TestReport | pytest.CollectReport) -> bool:
    """Whether a failed test gets a second attempt: it is on a broker, or its process died in native code."""
    return isinstance(report, pytest.TestReport) and ("broker" in report.keywords or report.when == _DIED)


def running_alone(config: pytest.Config, environment: Mapping[str, str] = os.environ) -> RunAlone:
    """Return what runs one test in a pytest of its own, with this run's options that matter to a test."""
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "--kafka", config.getoption("--kafka")]
    for override in config.getoption("override_ini") or ():
        options += ["-o", override]

    def run(test: str) -> Outcome:
        command = [sys.executable, "-m", "pytest", *options, test]
        try:
            ended = subprocess.run(
                command,
                cwd=config.rootpath,
                env={**environment, ALONE: "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_WITHIN_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(passed=False, output=f"not over within {_WITHIN_S:.0f} s")
        return Outcome(ended.returncode == 0, _end_of(ended.stdout))

    return run


def _end_of(text: str) -> str:
    lines = text.splitlines()
    left_out = [f"[{len(lines) - _LINES} lines left out]"] if len(lines) > _LINES else []
    return "\n".join([*left_out, *lines[-_LINES:]])
