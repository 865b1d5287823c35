"""An AdminClient that nobody needs any more ends without ending the process."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import CALL_S

ROOT = Path(__file__).parents[2]

# A broker that answers nothing; clients that wait for less time than their requests, and are dropped in a cycle.
_DROPPED_WITH_A_REQUEST = """
import contextlib, gc, psutil, socket, time
from pipelines.broker import AdminClient

silent = socket.create_server(("127.0.0.1", 0))
threads = psutil.Process().num_threads

def drop():
    client = AdminClient({"bootstrap.servers": "127.0.0.1:%d" % silent.getsockname()[1], "log_level": 0})
    cycle = [client]
    cycle.append(cycle)
    with contextlib.suppress(TimeoutError):
        client.describe_cluster(request_timeout=1.0).result(0.1)

gc.disable()
for _ in range(5):
    drop()
assert threads() > 10
gc.set_threshold(1)
gc.enable()  # this thread allocates nothing while it sleeps, so the threads that set the futures collect
time.sleep(3)
deadline = time.monotonic() + 60
while threads() > 2 and time.monotonic() < deadline:
    time.sleep(0.01)
print(threads())
"""


@pytest.mark.slow
def test_a_client_that_is_collected_while_its_answer_comes_does_not_end_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _DROPPED_WITH_A_REQUEST],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=CALL_S,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, "2\n"), ended.stderr


def test_every_admin_client_is_the_one_that_may_be_dropped_anywhere() -> None:
    home = ROOT / "pipelines/broker/admin_client.py"
    files = [file for folder in ("pipelines", "tests", "bench") for file in (ROOT / folder).rglob("*.py")]
    takers = {
        str(file.relative_to(ROOT))
        for file in files
        if file != home and b"confluent_kafka.admin" in (text := file.read_bytes())
        for node in ast.parse(text).body
        if isinstance(node, ast.ImportFrom) and node.module == "confluent_kafka.admin"
        if "AdminClient" in {alias.name for alias in node.names}
    }
    assert takers == set()
