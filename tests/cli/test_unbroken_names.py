"""Every command that prints a table keeps names whole, on a terminal of 80 columns as in a pipe."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path

import pytest

from pipelines.cli import quarantine, replaying, simulate
from pipelines.cli.app import pipelines
from pipelines.cli.console import console, say_lines
from pipelines.contract.model import Contract
from pipelines.demo import telling
from pipelines.demo.checks import Check
from pipelines.demo.flow import FlowView
from pipelines.envelope import Note
from pipelines.explain.leaves import leaves_of
from pipelines.replay.engine import Outcome
from pipelines.replay.notes import Gathered, Noted
from pipelines.replay.selection import ByTime
from pipelines.replay.tally import Tally, ViewTally
from pipelines.replay.task import Task
from pipelines.topics.promise import promises
from pipelines.topics.verifying import Figures, Verdict, verdict_lines
from tests.demo.world import World, play

ROOT = Path(__file__).parents[2]
SAMPLE = str(ROOT / "docs/examples/vpn.session.json")
COLUMNS = 80
STYLE = re.compile(r"\x1b\[[0-9;]*m")
COMMANDS = (
    "validate --bits",
    "explain posture.report",
    "explain proxy.request",
    "explain vpn.session",
    "explain vpn.session client.platform",
    "review",
    "review security-enforcement",
    "review device-management --against .",
    "diff . --overlay example-strict",
    "linkage",
    "singling-out vpn.session --simulate 50",
    f"lint-sample vpn.session {SAMPLE}",
    "test vpn.session",
    f"try vpn.session {SAMPLE}",
    "topics plan --offline",
    "doctor",
    "keys init --keyring KEYS/keyring.json --kek-file KEYS/kek",
    "keys status --keyring KEYS/keyring.json --kek-file KEYS/kek",
)

Print = Callable[[], None]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def world(shipped: Contract, tmp_path_factory: pytest.TempPathFactory) -> World:
    return play(shipped, tmp_path_factory.mktemp("played"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "kek").write_bytes(bytes(range(32)))
    (folder / "kek").chmod(0o600)
    pipelines.main([*COMMANDS[-2].replace("KEYS", str(folder)).split(), "--contract", str(ROOT)], standalone_mode=False)
    return folder


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("LINES", "24")


def names_of(contract: Contract) -> set[str]:
    """All names of topics, event types, purposes, raw fields and fields of views."""
    views = [view for event in contract.events.values() for view in event.views]
    return {
        *(promise.topic for promise in promises(contract)),
        *contract.events,
        *contract.purposes,
        *(leaf.path for event in contract.events.values() for leaf in leaves_of(event)),
        *(rule.name for view in views for rule in view.rules),
    }


def counted_in(text: str, names: set[str]) -> Counter[str]:
    """How often each name stands in the text with nothing of another name beside it."""
    words = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return Counter(re.findall(rf"(?<![\w.-])(?:{words})(?![\w{{\[-]|\.\w)", text))


def on_the_screen(said: str) -> str:
    """What a terminal shows: it breaks a line that is too long wherever its last column is."""
    lines = STYLE.sub("", said).split("\n")
    return "\n".join(line[at : at + COLUMNS] for line in lines for at in range(0, max(1, len(line)), COLUMNS))


def printed(show: Print) -> tuple[str, str]:
    """What is printed in a pipe and on a terminal."""
    pipe, terminal = io.StringIO(), _Terminal()
    for output in (pipe, terminal):
        with redirect_stdout(output):
            show()
    return pipe.getvalue(), on_the_screen(terminal.getvalue())


def command(line: str, keys: Path) -> Print:
    words = line.replace("KEYS", str(keys)).split()

    def show() -> None:
        with suppress(SystemExit):
            pipelines.main(words, standalone_mode=False)

    return show


def assert_whole(contract: Contract, show: Print) -> Counter[str]:
    names = names_of(contract)
    pipe, terminal = printed(show)
    there, kept = counted_in(pipe, names), counted_in(terminal, names)
    assert {name: count for name, count in there.items() if kept[name] < count} == {}, terminal
    return there


@pytest.mark.parametrize("line", COMMANDS)
def test_no_name_is_broken_by_a_terminal_of_80_columns(shipped: Contract, keys: Path, line: str) -> None:
    assert assert_whole(shipped, command(line, keys)) or line.startswith(("doctor", "keys init", "lint-sample"))


@pytest.mark.parametrize("event", ["posture.report", "proxy.request"])
def test_in_a_pipe_every_field_and_topic_of_an_event_stands_whole(shipped: Contract, keys: Path, event: str) -> None:
    pipe, _ = printed(command(f"explain {event}", keys))
    wanted = {leaf.path for leaf in leaves_of(shipped.events[event])} | {v.topic for v in shipped.events[event].views}
    assert wanted - set(counted_in(pipe, names_of(shipped))) == set()


def test_in_a_pipe_every_purpose_and_topic_stands_whole(shipped: Contract, keys: Path) -> None:
    assert set(shipped.purposes) <= set(printed(command("review", keys))[0].split())
    plan = printed(command("topics plan --offline", keys))[0].replace(":", " ").split()
    assert {promise.topic for promise in promises(shipped)} <= set(plan)


def test_what_is_read_from_a_cluster_is_printed_with_whole_names(shipped: Contract) -> None:
    for number, show in enumerate(_of_a_cluster(shipped)):
        assert assert_whole(shipped, show), number


def test_the_demo_shortens_no_name(shipped: Contract, world: World) -> None:
    example = world.evidence().example
    assert example is not None
    shown = (telling.example(example), telling.verdicts([Check("a promise", True, "audit.ota-release-review")]))
    for one in (*shown, FlowView(shipped, world.books, "", whole=True)):
        assert_whole(shipped, lambda one=one: console(whole_lines=False).print(one, soft_wrap=True))  # type: ignore[misc]
        with redirect_stdout(io.StringIO()) as output:
            console(whole_lines=False).print(one, soft_wrap=True)
        assert not re.search(r"[\w.]…", output.getvalue().split("before")[0])
    paths = {leaf.path for leaf in leaves_of(example.event) if example.event.versions[-1].version in leaf.versions}
    with redirect_stdout(io.StringIO()) as output:
        console(whole_lines=False).print(shown[0], soft_wrap=True)
    assert paths <= set(output.getvalue().split())


def _of_a_cluster(contract: Contract) -> Iterator[Print]:
    """What commands print that need a broker, of what they could have read there."""
    view = max((view for event in contract.events.values() for view in event.views), key=lambda one: len(one.topic))
    event = contract.events[view.event]
    path = max((leaf.path for leaf in leaves_of(event)), key=len)
    note = Note(event.raw_topic, 3, 1_234_567, event.name, view.topic, "out-of-bounds", path)
    left = {note: 7_200_000}
    yield lambda: quarantine._print_kinds(left)
    yield lambda: quarantine._print_each(Gathered((Noted(note, 0),), 0), left)
    counts = {one.topic: ViewTally(1_000_000, 900_000, 100_000) for one in event.views}
    outcome = Outcome("0" * 16, Tally(1, 1_000_000, 1, counts), resumed=True, behind=7, gone_before_ms=1)
    task = Task(event.name, ByTime(0, 1, tuple(counts)))
    yield lambda: replaying.print_outcome(outcome, task, executed=False)
    sent = Counter(dict.fromkeys(contract.events, 10_000_000))
    yield lambda: simulate._print(sent, sent, 0)
    figures = tuple(Figures(one.topic, one.ttl_ms, 3_000_000_001, 2_999_999_999) for one in promises(contract))
    verdict = Verdict(0, figures, (), (), (), (), (), {})
    yield lambda: say_lines(verdict_lines(verdict, console().width))
