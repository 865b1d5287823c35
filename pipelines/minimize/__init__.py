"""Minimizing: raw events in, reduced views out. Pure: no I/O, no clock, no randomness."""

from pipelines.minimize import walk as _walk
from pipelines.minimize.faults import FAULT_CODES, Fault
from pipelines.minimize.program import EventProgram, Handler, Minimized, compile_event

__all__ = ["FAULT_CODES", "EventProgram", "Fault", "Handler", "Minimized", "compile_event", "compiled"]


def compiled() -> bool:
    """Whether the walk runs compiled (mypyc), or as plain Python."""
    return not (_walk.__file__ or "").endswith(".py")
