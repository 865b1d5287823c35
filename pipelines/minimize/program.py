"""Programs: an event type's policy, compiled against every version of its raw schema. One walk makes all its views.

    event bytes ── fingerprint ──> writer version ── walk ──> parts ──> one value a view

Fails closed: what has no value, is no single object, or was written by an unknown schema is a structural fault.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.contract.actions import Handle, Keep
from pipelines.contract.avro import Array, AvroType, Nullable, Record
from pipelines.contract.model import Event, OutputArray, OutputField, View
from pipelines.minimize.actions import Use
from pipelines.minimize.compile import ITEMS, Want, hops_of, steps_of
from pipelines.minimize.faults import NO_VALUE, NOT_SINGLE_OBJECT, TRAILING_BYTES, UNKNOWN_SCHEMA, Fault, Malformed
from pipelines.minimize.walk import State, Step, walk_steps
from pipelines.minimize.wire import HEADER_SIZE, MAGIC

Handler = Callable[[bytes], bytes]


class Minimized:
    """A minimized event: its single-object `value`, and the handle as `key` (None without one). Treat as frozen.

    One is made for every event and view, and a dataclass would be made by interpreted code even where this is compiled.
    """

    __slots__ = ("key", "value")

    def __init__(self, value: bytes, key: bytes | None) -> None:
        self.value = value
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Minimized) and (self.value, self.key) == (other.value, other.key)

    def __hash__(self) -> int:
        return hash((self.value, self.key))


Outcome = Minimized | Fault | None


@dataclass(slots=True)
class Frame:
    """Where a view's parts lie: `low` … `high`, the header first. `handle` is the handle's part, or -1."""

    low: int
    high: int
    handle: int = -1
    branch: bytes = b""


class EventProgram:
    """All views of one event type. `views` are in the order of the results of `minimize`."""

    def __init__(
        self, views: tuple[View, ...], frames: list[Frame], blank: list[bytes], versions: dict[bytes, list[Step]]
    ) -> None:
        self.views = views
        self._frames = frames
        self._blank = blank
        self._versions = versions

    def minimize(
        self, value: bytes | None, handlers: Sequence[Handler | None], broker_ms: int
    ) -> Fault | list[Outcome]:
        """Minimize one event.

        Args:
            value: a raw record's value.
            handlers: for each view, what makes a handle (16 bytes) of an identifier; None leaves the view out. A view
                without a handle never calls it.
            broker_ms: the broker's time of the raw record, in milliseconds since 1970; limited times are held to it.

        Returns:
            A structural fault; or for each view its minimized event, its bound fault, or None when it was left out.
        """
        if value is None:
            return Fault(NO_VALUE, "")
        steps = self._versions.get(value[:HEADER_SIZE])
        if steps is None:
            return Fault(UNKNOWN_SCHEMA if value[:2] == MAGIC and len(value) >= HEADER_SIZE else NOT_SINGLE_OBJECT, "")
        parts = self._blank[:]
        state = State(len(value), len(self._frames), broker_ms)
        try:
            pos = walk_steps(steps, value, HEADER_SIZE, parts, state)
        except Malformed as malformed:
            return Fault(malformed.code, malformed.path)
        if pos != state.end:
            return Fault(TRAILING_BYTES, "")
        outcomes: list[Outcome] = []
        faults = state.faults
        view = -1
        for frame in self._frames:
            view += 1
            handler = handlers[view]
            if handler is None:
                outcomes.append(None)
                continue
            if faults is not None:
                fault = faults[view]
                if fault is not None:
                    outcomes.append(fault)
                    continue
            key: bytes | None = None
            identifier = state.identifiers[view]
            if identifier is not None and frame.handle >= 0:  # a guard's identifier makes no handle
                key = handler(identifier)
                parts[frame.handle] = frame.branch + key
            outcomes.append(Minimized(b"".join(parts[frame.low : frame.high]), key))
        return outcomes


def compile_event(event: Event) -> EventProgram:
    """Compile an event type of a valid contract.

    Raises:
        ValueError: the event's policy does not fit its schemas, which a valid contract's always does.
    """
    wants: list[Want] = []
    blank: list[bytes] = []
    frames: list[Frame] = []
    for number, view in enumerate(event.views):
        for guard in view.guards:  # their parts lie outside the frame: they are tried first, and never written
            wants.append(_want(number, len(blank), guard))
            blank.append(wants[-1].use.blank)
        frame = Frame(len(blank), 0)
        blank.append(MAGIC + view.fingerprint)
        for output in view.output:
            wants.append(_want(number, len(blank), output))
            use = wants[-1].use
            if isinstance(use.action, Handle):
                if frame.handle >= 0:
                    raise ValueError(f"{view.topic}: more than one handle for one record")
                frame.handle, frame.branch = use.slot, use.branch
            if ITEMS in wants[-1].hops:
                raise ValueError(f"{view.topic}: {output.name} is in an array's items, but not in an array")
            blank.append(use.blank)
        frame.high = len(blank)
        frames.append(frame)
    versions = {MAGIC + version.fingerprint: steps_of(version.record, wants, "") for version in event.versions}
    return EventProgram(event.views, frames, blank, versions)


def _want(view: int, slot: int, output: OutputField | OutputArray) -> Want:
    if isinstance(output, OutputArray):
        return Want(hops_of(output.source)[:-1], Use(view, slot, Keep(), _array_type(output)), output)
    return Want(hops_of(output.rule.path), Use(view, slot, output.rule.action, output.type))


def _array_type(output: OutputArray) -> AvroType:
    array = Array(Record(output.item_name, ()))
    return Nullable(array) if output.nullable else array
