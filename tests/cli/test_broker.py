import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.broker import EmbeddedKafka
from pipelines.cli.connect import connect
from pipelines.trouble import Exit, Trouble

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs `pipelines …` in an empty folder, and stops what it started."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINES_")}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", "from pipelines.cli import main; main()", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    yield run
    EmbeddedKafka(tmp_path / ".pipelines" / "broker").stop()


def test_a_folder_without_a_broker_says_so_and_exits_3(run: Run) -> None:
    done = run("broker", "status", "--json")
    assert done.returncode == Exit.UNAVAILABLE
    assert json.loads(done.stdout) == {"state": "stopped", "bootstrap": None, "nodes": []}
    assert run("broker", "stop").returncode == Exit.DONE


@pytest.mark.brokers(1)
def test_start_leaves_a_broker_running_that_status_shows_and_stop_ends(run: Run, tmp_path: Path) -> None:
    started = run("broker", "start")
    assert started.returncode == Exit.DONE, started.stderr
    shown = json.loads(run("broker", "status", "--json").stdout)
    assert shown["state"] == "running"
    assert shown["bootstrap"] in started.stdout
    again = run("broker", "start")
    assert again.returncode == Exit.DONE
    assert json.loads(run("broker", "status", "--json").stdout) == shown
    assert "is running at" in run("broker", "status").stdout
    other = run("broker", "start", "--brokers", "3")
    assert other.returncode == Exit.USAGE
    assert "holds a cluster of 1" in other.stderr

    folder = tmp_path / ".pipelines" / "broker"
    assert connect(None, None, folder=folder).bootstrap == shown["bootstrap"]
    assert run("broker", "stop").stdout == "Stopped\n"
    assert run("broker", "status").returncode == Exit.UNAVAILABLE
    with pytest.raises(Trouble, match="no Kafka is named"):
        connect(None, None, folder=folder)


def test_the_option_wins_over_the_properties_file_which_wins_over_the_embedded_broker(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("bootstrap.servers=file:1\nsocket.timeout.ms=5000\n")
    from_file = connect(None, file, folder=tmp_path)
    assert (from_file.bootstrap, dict(from_file.properties)) == ("file:1", {"socket.timeout.ms": "5000"})
    from_option = connect("option:1", file, folder=tmp_path)
    assert (from_option.bootstrap, dict(from_option.properties)) == ("option:1", {"socket.timeout.ms": "5000"})


def test_a_properties_file_that_is_none_is_refused_without_a_word_of_it(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("sasl.password=hunter2\\uXYZ\n")
    with pytest.raises(Trouble) as refused:
        connect(None, file, folder=tmp_path)
    assert refused.value.exit_code == Exit.USAGE
    assert "hunter2" not in f"{refused.value}{refused.value.hint}"
    assert refused.value.__cause__ is None
