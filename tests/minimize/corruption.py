"""Spoils a proper event in every small way; what becomes of each must be what the reference makes of it."""

from __future__ import annotations

import os

from pipelines.contract.model import Event
from pipelines.minimize import EventProgram, Fault, compile_event
from pipelines.minimize.faults import BOUND_CODES, STRUCTURAL_CODES
from pipelines.minimize.reference import bound_faults, minimize_event
from tests.minimize.events import BROKER_MS
from tests.minimize.properties import Handler, handler

# In the place of a byte come its eight neighbours by a bit, and these, which the reference (slow) does not look at; or
# all 255 others, which it all looks at, and which takes ten minutes.
TELLING = (0x00, 0x01, 0x02, 0x7F, 0x80, 0xFF)
EVERY_VALUE = os.environ.get("PIPELINES_EVERY_VALUE") == "1"


def every_truncation(event: Event, proper: bytes) -> int:
    """Cut the event at every byte; gives how many cuts were tried. None of them can be minimized."""
    program, handlers = compile_event(event), _handlers(event)
    for at in range(len(proper)):
        outcome = program.minimize(proper[:at], handlers, BROKER_MS)
        assert isinstance(outcome, Fault)
        assert outcome.code in STRUCTURAL_CODES
    return len(proper)


def every_corruption(event: Event, proper: bytes) -> tuple[int, int]:
    """Put other values in the place of every byte; gives how many were tried, and how many were accepted."""
    program, handlers = compile_event(event), _handlers(event)
    tried = accepted = 0
    for at, byte in enumerate(proper):
        flipped = {byte ^ 1 << bit for bit in range(8)}
        others = range(256) if EVERY_VALUE else {*TELLING, *flipped}
        for other in others:
            if other != byte:
                tried += 1
                spoilt = b"%b%c%b" % (proper[:at], other, proper[at + 1 :])
                accepted += check(event, program, handlers, spoilt, compare=EVERY_VALUE or other in flipped)
    return tried, accepted


def check(event: Event, program: EventProgram, handlers: list[Handler | None], value: bytes, *, compare: bool) -> bool:
    """Whether the walk accepts it; an outcome that the reference would not have is an AssertionError."""
    outcome = program.minimize(value, handlers, BROKER_MS)
    if isinstance(outcome, Fault):
        assert outcome.code in STRUCTURAL_CODES
        return False
    if not compare:
        return True
    for view, got, wanted in zip(event.views, outcome, minimize_event(event, value, handlers, BROKER_MS), strict=True):
        if isinstance(got, Fault):
            assert got.code in BOUND_CODES
            assert got in bound_faults(event, view, value)
        else:
            assert got == wanted
    return True


def _handlers(event: Event) -> list[Handler | None]:
    return [handler(view) for view in range(len(event.views))]
