"""`pipelines test`: run the cases beside the policies, and say what differs and what no case exercises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.cli.unsigned import print_unsigned
from pipelines.contract import load_to_look_at
from pipelines.contract.findings import Finding, Position
from pipelines.contract.report import counted
from pipelines.explain import find_event
from pipelines.explain.cases import Coverage, Run, cover, junit, read_cases, run_cases, said
from pipelines.trouble import Exit, Trouble


@dataclass(frozen=True, slots=True)
class _Tested:
    """All that a run of cases has to say. `silent`: the event types that have no case; `unsigned`: purposes.

    `unsigned_topics`: those of `raw`, `quarantine` and `changes` whose review is unsigned.
    """

    runs: tuple[Run, ...]
    findings: tuple[Finding, ...]
    coverage: Coverage
    silent: tuple[str, ...]
    unsigned: frozenset[str]
    unsigned_topics: frozenset[str]
    not_run: tuple[tuple[str, str], ...]

    @property
    def failed(self) -> int:
        return sum(not run.passed for run in self.runs)

    def passed(self, *, covered: bool) -> bool:
        return not self.failed and not self.findings and not (covered and self.coverage.missing)


@click.command("test")
@click.argument("events", metavar="[EVENT]...", nargs=-1)
@click.option(
    "--require-coverage", is_flag=True, help="Also end with 1 when a case is missing that would exercise an action."
)
@click.option(
    "--junit",
    "junit_file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Also write JUnit XML there, for continuous integration.",
)
@contract_option
@overlay_option
@json_option
def command(
    events: tuple[str, ...],
    require_coverage: bool,
    junit_file: Path | None,
    contract_dir: Path,
    overlay: str | None,
    as_json: bool,
) -> None:
    """Run the cases beside the policies: raw event in, views out.

    Cases stand in policies/<source>/<event>.cases.yaml. Each gives a raw event and a broker time, and says what comes
    out in every view: the record, or that quarantine gets a note and with which reason. The program that workers run
    runs them, with a throwaway key and no broker. EVENT is an event type; all are tested if none is named.

    Printed of a case that fails are the view, the field, and the minimized values that should and did come out; never a
    raw value. What no case exercises is told: an action is exercised by cases in which it says something and, if it
    turns values away (a range, a list), in which it turns one away.

    Policies can be tested before they are built and signed; purposes that are not signed are named as UNSIGNED. Under
    an overlay, what it leaves alone must come out as the cases say, and of the rest nothing more.
    docs/privacy-reviewer.md says how to write a case.

    \b
    Examples:
      pipelines test
      pipelines test vpn.session --require-coverage
      pipelines test --junit cases.xml --json

    Exit codes: 0 all cases pass, 1 one does not or a file is wrong (or, when it is required, coverage lacks).
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    tested = _test(contract_dir, overlay, events)
    if junit_file is not None:
        _write(junit_file, junit(tested.runs, tested.findings))
    passed = tested.passed(covered=require_coverage)
    if as_json:
        say_json({"passed": passed, **_plain(tested)})
    else:
        _print(make_console(), tested, passed=passed)
    if not passed:
        raise click.exceptions.Exit(Exit.FINDINGS)


def _test(contract_dir: Path, overlay: str | None, events: Sequence[str]) -> _Tested:
    day = datetime.now(UTC).date()
    found = load_to_look_at(contract_dir, as_of=day)
    base = found.contract
    contract = base if overlay is None else load_to_look_at(contract_dir, as_of=day, overlay=overlay).contract
    names = tuple(dict.fromkeys(find_event(base, name).name for name in events))
    cases = read_cases(contract_dir, base, names)
    runs = tuple(run_cases(contract, cases.cases, base=None if overlay is None else base))
    there = {run.case.event for run in runs}
    silent = tuple(sorted(name for name in names or base.events if name not in there))
    fed = {view.purpose for name in names or base.events for view in base.events[name].views}
    coverage = cover(contract, runs, names)
    unsigned = (found.unsigned & fed, found.unsigned_topics)
    return _Tested(runs, cases.findings, coverage, silent, *unsigned, cases.not_run)


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        what = f"{file} cannot be written: {error.strerror}"
        raise Trouble(what, hint="Name a file in a folder that is there.", exit_code=Exit.USAGE) from None


def _plain(tested: _Tested) -> dict[str, Any]:
    coverage = tested.coverage
    return {
        "cases": [
            {
                "event": run.case.event,
                "name": run.case.name,
                **_place(run.case.position),
                "passed": run.passed,
                "differences": [
                    {
                        **_place(one.position),
                        **{key: getattr(one, key) for key in ("topic", "field", "expected", "got")},
                    }
                    for one in run.differences
                ],
            }
            for run in tested.runs
        ],
        "findings": [
            {"check": one.check, **_place(one.position), "message": one.message, "remedy": one.remedy}
            for one in tested.findings
        ],
        "coverage": {"actions": coverage.actions, "exercised": coverage.exercised, "missing": coverage.missing},
        "without_cases": tested.silent,
        "unsigned": sorted(tested.unsigned),
        "unsigned_topics": sorted(tested.unsigned_topics),
        "not_run": [{"event": event, "name": name} for event, name in tested.not_run],
    }


def _place(position: Position) -> dict[str, Any]:
    return {"file": position.file, "line": position.line, "column": position.column}


def _print(console: Console, tested: _Tested, *, passed: bool) -> None:
    for event, runs in groupby(tested.runs, key=lambda run: run.case.event):
        listed = list(runs)
        failed = [run for run in listed if not run.passed]
        tally = f"{len(listed) - len(failed)} of {counted(len(listed), 'case')} pass"
        line = Text.assemble(("✗ " if failed else "✓ ", "red" if failed else "green"), (event, "bold"), f"  {tally}")
        console.print(line)
        for run in failed:
            _print_failed(console, run)
    for one in tested.findings:
        console.print(Text.assemble((f"{one.position}", "cyan"), f"  [{one.check}]"))
        console.print(Text(f"      {one.message}"))
        console.print(Text(f"      -> {one.remedy}", style="green"))
    for event, name in tested.not_run:
        line = Text.assemble(("- ", "yellow"), (event, "bold"), f"  not run, like a case that cannot be read: {name}")
        console.print(line)
    for event in tested.silent:
        console.print(Text.assemble(("- ", "yellow"), (event, "bold"), "  no case"))
    _print_coverage(console, tested.coverage)
    print_unsigned(console, tested.unsigned, topics=tested.unsigned_topics)
    cases = len(tested.runs)
    wrong = f", {counted(len(tested.findings), 'mistake')} in case files" if tested.findings else ""
    left = f", {len(tested.not_run)} not run" if tested.not_run else ""
    verdict = f"{cases} case{'s' * (cases != 1)}: {cases - tested.failed} pass, {tested.failed} do not{left}{wrong}."
    console.print(Text(verdict, style="bold green" if passed else "bold red"))


def _print_failed(console: Console, run: Run) -> None:
    console.print(Text.assemble("  ✗ ", (run.case.name, "red"), (f"  {run.case.position}", "dim")))
    for one in run.differences:
        console.print(Text.assemble(f"      {said(one)}", (f"  {one.position}", "dim")))


def _print_coverage(console: Console, coverage: Coverage) -> None:
    style = "yellow" if coverage.missing else ""
    told = f"Coverage: {coverage.exercised} of {coverage.actions} actions are exercised"
    console.print(Text(f"{told}{'; no case in which' if coverage.missing else '.'}", style))
    for (event, topic), lines in groupby(coverage.missing, key=lambda line: (line.event, line.topic)):
        console.print(Text.assemble("  ", (event, "bold"), " → ", (topic, "bold cyan")))
        for line in lines:
            console.print(Text(f"    {line.field} ({line.action}) {line.deed}"))
