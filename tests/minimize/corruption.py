"""Takes a proper event and spoils it in every small way; what is made of each must be what the reference makes of it."""

from __future__ import annotations

from pipelines.contract.model import Event
from pipelines.minimize import EventProgram, Fault, compile_event
from pipelines.minimize.faults import BOUND_CODES, STRUCTURAL_CODES
from pipelines.minimize.reference import bound_faults, minimize_event
from tests.minimize.properties import Handler, handler

# The reference is slow: these of the 255 other values are compared with it; for the others the walk must only answer.
TELLING = (0x00, 0x01, 0x02, 0x7F, 0x80, 0xFF)


def every_truncation(event: Event, proper: bytes) -> int:
    """Cut the event at every byte; gives how many cuts were tried. None of them can be minimized."""
    program, handlers = compile_event(event), _handlers(event)
    for at in range(len(proper)):
        outcome = program.minimize(proper[:at], handlers)
        assert isinstance(outcome, Fault)
        assert outcome.code in STRUCTURAL_CODES
    return len(proper)


def every_corruption(event: Event, proper: bytes) -> tuple[int, int]:
    """Put every other value in the place of every byte; gives how many were tried, and how many were accepted."""
    program, handlers = compile_event(event), _handlers(event)
    tried = accepted = 0
    for at, byte in enumerate(proper):
        telling = {*TELLING, *(byte ^ 1 << bit for bit in range(8))}
        for other in range(256):
            if other != byte:
                spoiled = b"%b%c%b" % (proper[:at], other, proper[at + 1 :])
                tried += 1
                accepted += check(event, program, handlers, spoiled, compare=other in telling)
    return tried, accepted


def check(event: Event, program: EventProgram, handlers: list[Handler | None], value: bytes, *, compare: bool) -> bool:
    """Whether the walk accepts it; an outcome that the reference would not have is an AssertionError."""
    outcome = program.minimize(value, handlers)
    if isinstance(outcome, Fault):
        assert outcome.code in STRUCTURAL_CODES
        return False
    if compare:
        for view, got, wanted in zip(event.views, outcome, minimize_event(event, value, handlers), strict=True):
            if isinstance(got, Fault):
                assert got.code in BOUND_CODES
                assert got in bound_faults(event, view, value)
            else:
                assert got == wanted
    return True


def _handlers(event: Event) -> list[Handler | None]:
    return [handler(view) for view in range(len(event.views))]
