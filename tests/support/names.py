"""Names that no other test process chooses, for sources, topics and groups on a broker that several processes share."""

from __future__ import annotations

import os
from itertools import count

_NUMBERS = count(1)
_LETTERS = str.maketrans("0123456789", "abcdefghij")


def unique(prefix: str, worker: str | None = None) -> str:
    """Return the prefix, letters for the pytest-xdist worker, and a number: `probe1`, or `probea1` in worker `gw0`.

    Only small letters and digits are added, so that a contract takes the name for a source. `worker` replaces the
    value of PYTEST_XDIST_WORKER, which a process that a test starts inherits: such a process must take its names from
    the test.
    """
    here = os.environ.get("PYTEST_XDIST_WORKER", "") if worker is None else worker
    return f"{prefix}{here.removeprefix('gw').translate(_LETTERS)}{next(_NUMBERS)}"
