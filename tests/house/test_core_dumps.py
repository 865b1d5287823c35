"""What every process of ours says of itself when it is over: it leaves no core dump."""

import subprocess
import sys

import pytest

_SHOW = "(ctypes.CDLL(None).prctl(3), resource.getrlimit(resource.RLIMIT_CORE))"  # 3: PR_GET_DUMPABLE
WORKER = f"""
import ctypes, os, resource, runpy
leave = os._exit
def show(code):
    os.write(1, repr({_SHOW}).encode())
    leave(code)
os._exit = show
runpy.run_module("pipelines.relay.process", run_name="__main__")
"""
COMMAND = f"""
import atexit, ctypes, resource, sys
from pipelines.cli import main
atexit.register(lambda: print({_SHOW}, end=""))
sys.argv = ["pipelines", "--version"]
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
@pytest.mark.parametrize("code", [WORKER, COMMAND], ids=["a worker", "a command"])
def test_a_process_that_may_hold_keys_leaves_no_core_dump(code: str) -> None:
    ended = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert ended.stdout.endswith(b"(0, (0, 0))")
