"""Writes docs/long-run.md: what the last `make test-long` found, on which commit and machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

_LEAST_S: Final = 10.0
_SIZES: Final = (
    "PIPELINES_JOB_EVENTS",
    "PIPELINES_FAULT_EVENTS",
    "PIPELINES_OVERLOAD_S",
    "PIPELINES_EVERY_VALUE",
    "PIPELINES_ALL_SEEDS",
    "PIPELINES_EXAMPLES",
)


@dataclass(eq=False)
class LongRun:
    """The plugin of the process that reports. It writes `page` when the run is over, whatever its outcome."""

    page: Path
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, list[tuple[str, object]]] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up what a test took, its set-up and tear-down included, and keep the figures that it recorded."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.when == "call" and report.user_properties:
            self.figures[report.nodeid] = list(report.user_properties)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the page."""
        counts = {
            outcome: sum(1 for report in reports if getattr(report, "when", "call") in {"call", "setup", "???"})
            for outcome, reports in terminalreporter.stats.items()
            if outcome in {"passed", "failed", "error", "skipped", "unsteady"}
        }
        root = terminalreporter.config.rootpath
        self.page.write_text("\n".join(self.lines(counts, commit_of(root), os.environ)), encoding="utf-8")
        terminalreporter.write_line(f"written: {self.page}")

    def lines(self, counts: Mapping[str, int], commit: str, environment: Mapping[str, str]) -> Iterable[str]:
        """Yield the page's lines."""
        minutes = (datetime.now(UTC) - self.began).total_seconds() / 60
        outcome = [f"{count} {name}" for name, count in sorted(counts.items())]
        sizes = [f"`{name}={environment[name]}`" for name in _SIZES if name in environment]
        yield from (
            "# The last long run",
            "",
            "Written by `make test-long`; not edited by hand. What it runs: [testing.md](testing.md).",
            "",
            "| | |",
            "|-|-|",
            f"| commit | {commit} |",
            f"| date | {self.began:%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes |",
            f"| machine | {_machine()} |",
            f"| sizes | {', '.join(sizes) or 'those of `make test`'} |",
            f"| outcome | {', '.join(outcome) or 'nothing ran'} |",
            "",
            f"Tests of {_LEAST_S:.0f} s and more:",
            "",
            "| test | seconds |",
            "|-|-:|",
        )
        for test, seconds in sorted(self.seconds.items(), key=lambda each: -each[1]):
            if seconds >= _LEAST_S:
                yield f"| `{test.removeprefix('tests/')}` | {seconds:.0f} |"
        if self.figures:
            yield from ("", "Figures that tests recorded:", "", "| test | figure | value |", "|-|-|-|")
        for test, figures in sorted(self.figures.items()):
            yield from (f"| `{test.removeprefix('tests/')}` | {name} | {value} |" for name, value in figures)
        yield ""


def commit_of(root: Path) -> str:
    """Return the short id of the commit, and whether files differ from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def _machine() -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.machine()}, {system}"
