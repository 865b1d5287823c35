"""The cyclic garbage collector of a worker's process: what a batch makes goes by reference counts; it may look rarely.

With Python's thresholds it walks through each batch's events several times and finds nothing: a twentieth of a
compiled worker's CPU.
"""

from __future__ import annotations

import gc
from typing import Final

_THRESHOLDS: Final = (50_000, 20, 20)  # a full batch of 2,000 events makes some 20,000 objects that it looks at


def relax() -> None:
    """Leave what is there now alone for good (`gc.freeze`), and look at what comes less often."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
