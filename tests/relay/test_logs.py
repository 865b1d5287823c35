import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

import pipelines.relay
import pipelines.replay
import pipelines.topics
from pipelines.relay.logs import _ALWAYS, VOCABULARY, ClientLogHandler, LogStyle, configure


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()  # or what a test configured, such as a level, holds for the tests after it


SECRET = "SYNTHETIC-SECRET-1"
RELAY = Path(pipelines.relay.__file__).parent
TOPICS = Path(pipelines.topics.__file__).parent
REPLAY = Path(pipelines.replay.__file__).parent


def calls() -> list[tuple[str, str, set[str]]]:
    found = []
    for file in sorted((*RELAY.glob("*.py"), *TOPICS.glob("*.py"), *REPLAY.glob("*.py"))):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr not in {"debug", "info", "warning", "error", "exception", "critical"}:
                continue
            if node.args and isinstance(node.args[0], ast.Constant):
                found.append((file.name, node.args[0].value, {str(word.arg) for word in node.keywords}))
    return found


def test_every_log_call_keeps_to_the_vocabulary() -> None:
    assert len(calls()) > 10
    for file, event, fields in calls():
        assert fields <= VOCABULARY[event], f"{file}: {event}"


def test_nothing_outside_the_vocabulary_is_written() -> None:
    output = io.StringIO()
    log = configure("test", output)
    log.info("worker.ready", topics=["raw.synthetic"], value=SECRET)
    log.info(SECRET, topics=SECRET)
    log.warning("position.gap", topic="raw.synthetic", partition=1, offset=2, count=object())
    assert SECRET not in output.getvalue()
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["worker.ready", "log.unknown", "position.gap"]
    assert lines[0]["topics"] == ["raw.synthetic"]
    assert lines[0]["level"] == "error", "a field that had to be dropped is an error of ours"
    assert all(set(line) <= _ALWAYS | VOCABULARY.get(line["event"], frozenset()) for line in lines)


@pytest.mark.parametrize("known", [True, False])
def test_of_other_libraries_only_the_kafka_client_is_heard(*, known: bool) -> None:
    output = io.StringIO()
    record = logging.LogRecord("x", logging.WARNING, "", 0, "broker %s is down", ("synthetic:9092",), None)
    if known:
        record.facility = "FAIL"
    ClientLogHandler(configure("test", output)).handle(record)
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [line["text"] for line in lines] == (["broker synthetic:9092 is down"] if known else [])


def test_a_line_and_its_end_are_one_write_so_that_workers_may_share_a_stream() -> None:
    class Writes(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    written: list[str] = []
    configure("test", Writes()).info("worker.stopped")
    assert [text.count("\n") for text in written] == [1]
    assert written[0].endswith("}\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("style", "output", "as_json"),
    [
        (LogStyle(), io.StringIO, True),
        (LogStyle(), Terminal, False),
        (LogStyle("json"), Terminal, True),
        (LogStyle("text"), io.StringIO, False),
    ],
    ids=["auto in a file", "auto on a terminal", "json on a terminal", "text in a file"],
)
def test_lines_are_text_on_a_terminal_and_json_elsewhere_unless_somebody_says(
    style: LogStyle, output: type[io.StringIO], *, as_json: bool
) -> None:
    written = output()
    configure("test", written, style).info("worker.ready", topics=["raw.synthetic"], value=SECRET)
    line = written.getvalue()
    assert line.count("\n") == 1
    assert line.startswith("{") == as_json
    assert "raw.synthetic" in line
    assert SECRET not in line


def test_text_lines_hold_no_control_that_a_terminal_would_obey() -> None:
    written = io.StringIO()
    configure("test", written, LogStyle("text")).warning("kafka.client", facility="FAIL", text="\x1b[2Jbroker\r\nfake")
    assert written.getvalue().rstrip("\n").isprintable()


def test_a_level_leaves_out_what_is_below_it() -> None:
    written = io.StringIO()
    log = configure("test", written, LogStyle(level="warning"))
    log.info("worker.stopped")
    log.warning("clock.behind", seconds=1)
    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["clock.behind"]


def test_a_style_is_handed_to_a_worker_process_whole() -> None:
    for style in (LogStyle(), LogStyle("text", "error")):
        assert LogStyle.of(style.environment) == style
    assert LogStyle.of({}) == LogStyle()
