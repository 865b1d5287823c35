"""Sinks: where a value that was read goes, and as what. One sink is one view's use of one field.

All that can be decided from the contract is decided before the first event: a sink holds the finished wire forms
(with the union's branch in front, where the output is nullable), and an event's value only chooses among them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

from pipelines.contract.readings import iso8601, real, text_seconds, whole
from pipelines.minimize.faults import Fault
from pipelines.minimize.wire import long_form

BUCKET: Final = 0
LOOKUP: Final = 1
TRUNCATE: Final = 2
LIMITED: Final = 3

NO_READING: Final = 0
WHOLE: Final = 1
REAL: Final = 2
ISO: Final = 3
SECONDS: Final = 4

_CACHED_TIMES: Final = 4096


class Sink:
    """Writes into part `slot` of the output; `fault` is view number `view`'s when the value is out of bound."""

    def __init__(self, view: int, slot: int, fault: Fault) -> None:
        self.view = view
        self.slot = slot
        self.fault = fault


class MarkSink(Sink):
    """Writes `form` when there is a value at all."""

    def __init__(self, view: int, slot: int, fault: Fault, form: bytes) -> None:
        super().__init__(view, slot, fault)
        self.form = form


class TableSink(Sink):
    """Writes `forms[i]`; `i` is a boolean, an enum's index, or a count up to 64. None: out of bound."""

    def __init__(self, view: int, slot: int, fault: Fault, forms: list[bytes | None]) -> None:
        super().__init__(view, slot, fault)
        self.forms = forms


class TextSink(Sink):
    """Writes the form for a text (UTF-8), else `otherwise`; None: out of bound. `longest` is that of the keys."""

    def __init__(
        self, view: int, slot: int, fault: Fault, forms: Mapping[bytes, bytes], otherwise: bytes | None
    ) -> None:
        super().__init__(view, slot, fault)
        self.forms = dict(forms)
        self.otherwise = otherwise
        self.longest = max(map(len, forms), default=0)


class IdentifierSink(Sink):
    """Holds back the identifier's bytes, until the whole event is known to be well-formed, for the handle.

    `branch` stands before the handle where the output is nullable.
    """

    def __init__(self, view: int, slot: int, fault: Fault, branch: bytes) -> None:
        super().__init__(view, slot, fault)
        self.branch = branch


class NumberSink(Sink):
    """Chooses by a number.

    `kind` BUCKET: `forms[i]`, where i edges are not above the number (None: out of bound); `marks` are the edges of a
    float or double. `reading` is how a text or a double is read; what cannot be read is the fault `unparsable`.
    LOOKUP: `table`, else `otherwise` (None: out of bound).
    TRUNCATE: the number floored to a multiple of `step`, if neither it nor the result leaves `low` … `high`.
    LIMITED: the same, or `blank` where the number, counted in steps, lies more than `within` from the broker's time,
    counted in steps of `step_ms`.
    """

    def __init__(self, view: int, slot: int, fault: Fault, kind: int) -> None:
        super().__init__(view, slot, fault)
        self.kind = kind
        self.edges: list[int] = []
        self.marks: list[float] = []
        self.forms: list[bytes | None] = []
        self.table: dict[int, bytes] = {}
        self.otherwise: bytes | None = None
        self.step = 1
        self.step_ms = 1
        self.within = 0
        self.blank = b""
        self.low = 0
        self.high = 0
        self.branch = b""
        self.reading = NO_READING
        self.unparsable = fault

    def form_of_text(self, text: bytes, broker_ms: int) -> tuple[bool, bytes | None]:
        """Whether a text can be read by the sink's rule, and the form for it (None: out of bound)."""
        if self.reading == REAL:
            value = real(text)
            return value is not None, None if value is None else self.forms[bisect_right(self.marks, value)]
        if self.reading == WHOLE:
            number = whole(text)
            return number is not None, None if number is None else self.forms[bisect_right(self.edges, number)]
        moment = iso8601(text) if self.reading == ISO else text_seconds(text)
        return moment is not None, None if moment is None else self.time(moment, broker_ms)

    def time(self, value: int, broker_ms: int) -> bytes | None:
        """The form of a time by the sink's kind, TRUNCATE or LIMITED."""
        return self.limited(value, broker_ms) if self.kind == LIMITED else self.floor(value)

    def floor(self, value: int) -> bytes | None:
        """The form of a time, floored. Remembers a few thousand answers: the times of a stream lie close together."""
        floored = value // self.step * self.step
        form = self.table.get(floored)
        if form is None:
            if floored < self.low or value > self.high:
                return None
            if len(self.table) >= _CACHED_TIMES:
                self.table.clear()
            form = self.branch + long_form(floored)
            self.table[floored] = form
        elif value > self.high:
            return None
        return form

    def limited(self, value: int, broker_ms: int) -> bytes | None:
        """The form of a time, floored; `blank` if it lies too far from the broker's time."""
        form = self.floor(value)
        if form is None:
            return None
        apart = value // self.step - broker_ms // self.step_ms
        return form if -self.within <= apart <= self.within else self.blank


class CountSink(Sink):
    """Writes how many items there are, floored (`forms[0…64]`); more than `most` (-1: no limit) are out of bound."""

    def __init__(self, view: int, slot: int, fault: Fault, forms: list[bytes], most: int) -> None:
        super().__init__(view, slot, fault)
        self.forms = forms
        self.most = most


class ItemsSink(Sink):
    """Writes one view's array of records, or with `counted` (by 0…64) how many items count; `most` bounds all items.

    The parts `low` … `high` of an item's output are its record; when counting, the one part is empty for an item that
    does not count, and one byte long for one that does. `branch` stands before the array where it is nullable.
    """

    def __init__(self, view: int, slot: int, fault: Fault, most: int) -> None:
        super().__init__(view, slot, fault)
        self.most = most
        self.low = 0
        self.high = 0
        self.branch = b""
        self.counted: list[bytes] = []
