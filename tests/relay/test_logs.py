import ast
import io
import json
import logging
from pathlib import Path

import pytest

import pipelines.relay
import pipelines.replay
import pipelines.topics
from pipelines.relay.logs import _ALWAYS, VOCABULARY, ClientLogHandler, configure

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
