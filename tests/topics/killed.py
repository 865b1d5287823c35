"""Applies a plan and ends this process at the n-th moment, as SIGKILL does. `python -m tests.topics.killed FILE N`."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from itertools import count
from pathlib import Path

from pipelines.broker import Cluster
from pipelines.topics.applying import apply


def main(file: Path, number: int) -> None:
    """Run; the file holds a contract, a plan and a bootstrap, pickled by the test itself."""
    contract, planned, bootstrap = pickle.loads(file.read_bytes())  # noqa: S301 - written by the test
    moments = count(1)

    def watch(_moment: str) -> None:
        if next(moments) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    apply(planned, contract, Cluster(bootstrap), "tests", watch=watch)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
