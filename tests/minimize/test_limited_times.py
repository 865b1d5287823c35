"""Limited times: a time that lies too far from the broker's is null, and nothing else of either clock shows."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.actions import Truncate
from pipelines.contract.avro import AvroType, Nullable, Primitive
from pipelines.contract.model import DAY_MS, HOUR_MS, MINUTE_MS, Event
from pipelines.minimize import Fault, Minimized, compile_event
from pipelines.minimize.reference import minimize_event
from tests.minimize.events import BROKER_MS, event_of, record_of
from tests.support.random_data import UNIT, varint

STEPS = (MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, 8 * HOUR_MS, DAY_MS)
KINDS = (*UNIT, "date")
NULL, THERE = b"\x00", b"\x02"


def event_with(kind: AvroType, action: Truncate) -> Event:
    return event_of([record_of(f=kind)], {"f": action})


def body(event: Event, number: int, broker_ms: int, *, before: bytes = b"") -> Any:
    """What the walk makes of a time; the reference makes the same."""
    value = b"\xc3\x01" + event.versions[0].fingerprint + before + varint(number)
    outcome = compile_event(event).minimize(value, [lambda one: one[:16]], broker_ms)
    assert isinstance(outcome, list)
    assert outcome == minimize_event(event, value, [lambda one: one[:16]], broker_ms)
    return outcome[0].value[10:] if isinstance(outcome[0], Minimized) else outcome[0]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[str, Truncate, int, int]:
    """A type's name, an action, the event's time and the broker's, both in milliseconds, near each other or not."""
    kind = draw(st.sampled_from(KINDS))
    step = DAY_MS if kind == "date" else draw(st.sampled_from(STEPS))
    within = step * draw(st.integers(1, 80))
    broker_ms = BROKER_MS + draw(st.integers(0, 2 * DAY_MS))
    near = st.integers(-within - 2 * step, within + 2 * step)
    edge = st.sampled_from([sign * (within + more) for sign in (-1, 1) for more in (-step, -1, 0, 1, step)])
    return kind, Truncate(step, within), broker_ms + draw(st.one_of(near, edge)), broker_ms


def number_of(kind: str, time_ms: int) -> int:
    return time_ms // DAY_MS if kind == "date" else time_ms * UNIT[kind]


def primitive(kind: str) -> Primitive:
    return Primitive("int" if kind == "date" else "long", kind)


def steps(kind: str, action: Truncate, number: int) -> int:
    """How many steps of the action lie before a time in its unit."""
    return number if kind == "date" else number // (action.step_ms * UNIT[kind])


@given(scenes())
def test_a_time_in_the_window_is_floored_and_any_other_is_null(scene: tuple[str, Truncate, int, int]) -> None:
    kind, action, time_ms, broker_ms = scene
    assert action.within_ms is not None
    number = number_of(kind, time_ms)
    floored = number if kind == "date" else number - number % (action.step_ms * UNIT[kind])
    apart = steps(kind, action, number) - broker_ms // action.step_ms
    expected = THERE + varint(floored) if abs(apart) * action.step_ms <= action.within_ms else NULL
    assert body(event_with(primitive(kind), action), number, broker_ms) == expected


@given(scenes(), st.integers(0, DAY_MS), st.integers(0, DAY_MS))
def test_nothing_shows_of_either_clock_but_the_step_that_it_is_in(
    scene: tuple[str, Truncate, int, int], later_ms: int, other_ms: int
) -> None:
    kind, action, time_ms, broker_ms = scene
    event, step = event_with(primitive(kind), action), action.step_ms
    other_time = time_ms // step * step + later_ms % step
    other_broker = broker_ms // step * step + other_ms % step
    said = body(event, number_of(kind, time_ms), broker_ms)
    assert said == body(event, number_of(kind, other_time), other_broker)


@given(scenes())
def test_a_null_time_and_one_that_is_too_far_away_look_alike(scene: tuple[str, Truncate, int, int]) -> None:
    kind, action, _, broker_ms = scene
    assert action.within_ms is not None
    event = event_with(Nullable(primitive(kind)), action)
    far = number_of(kind, broker_ms + action.within_ms + 2 * action.step_ms)
    value = b"\xc3\x01" + event.versions[0].fingerprint + NULL
    absent = compile_event(event).minimize(value, [lambda one: one[:16]], broker_ms)
    assert isinstance(absent, list)
    assert isinstance(absent[0], Minimized)
    assert absent[0].value[10:] == body(event, far, broker_ms, before=THERE) == NULL


def test_a_year_beyond_9999_is_a_bound_fault_and_not_null() -> None:
    event = event_with(primitive("timestamp-millis"), Truncate(HOUR_MS, 72 * HOUR_MS))
    assert body(event, 253_402_300_800_000, BROKER_MS) == Fault("out_of_range", "f")
    assert body(event, 253_402_300_799_999, BROKER_MS) == NULL


def test_a_time_is_compared_although_the_walk_remembers_the_same_time_from_another_day() -> None:
    event = event_with(primitive("timestamp-millis"), Truncate(HOUR_MS, 72 * HOUR_MS))
    program = compile_event(event)
    value = b"\xc3\x01" + event.versions[0].fingerprint + varint(BROKER_MS)
    said = [program.minimize(value, [lambda one: one], BROKER_MS + days * DAY_MS) for days in (0, 4, 0)]
    bodies = [one[0].value[10:] for one in said if isinstance(one, list) and isinstance(one[0], Minimized)]
    assert [one == NULL for one in bodies] == [False, True, False]
