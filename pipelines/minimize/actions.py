"""What each action means for each Avro type: from the contract's words to finished sinks.

Runs once, when a contract is compiled. An action that a type does not take is a ValueError: the contract's own checks
refuse it by name long before, and nothing is guessed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from pipelines.contract.actions import (
    Action,
    Bucket,
    CountWhere,
    Handle,
    Keep,
    MapTo,
    Matches,
    OneOf,
    Scalar,
    Truncate,
    Within,
)  # fmt: skip
from pipelines.contract.avro import AvroType, Enum, Fixed, Nullable, Primitive, not_null
from pipelines.contract.model import DAY_MS
from pipelines.contract.readings import EPOCH_SECONDS, ISO8601
from pipelines.minimize.faults import IDENTIFIER_SIZE, NOT_LISTED, OUT_OF_RANGE, UNPARSABLE, Fault
from pipelines.minimize.leaves import BY_LENGTH, Choice, Decimal, Identifier, Number, Real, Text, Truth
from pipelines.minimize.sinks import (
    BUCKET,
    ISO,
    LIMITED,
    LOOKUP,
    REAL,
    SECONDS,
    TRUNCATE,
    WHOLE,
    IdentifierSink,
    MarkSink,
    NumberSink,
    TableSink,
    TextSink,
)  # fmt: skip
from pipelines.minimize.walk import Step
from pipelines.minimize.wire import INT, LONG, long_form, text_form

# Units of each time type in a millisecond (a date counts days): numerator, denominator.
_PER_MS: Final = {
    "timestamp-millis": (1, 1),
    "timestamp-micros": (1_000, 1),
    "timestamp-nanos": (1_000_000, 1),
    "date": (1, DAY_MS),
}
_LEAST_LONG: Final = -(1 << 63)
_FIRST_DAY: Final = -719_162  # 0001-01-01, in days since 1970
_AFTER_LAST_DAY: Final = 2_932_897  # 10000-01-01


@dataclass(frozen=True, slots=True)
class Use:
    """One view's use of one field: which part it fills, how, and the type that the derived schema gives it."""

    view: int
    slot: int
    action: Action
    type: AvroType

    @property
    def branch(self) -> bytes:
        """What stands before a value where the output is nullable."""
        return long_form(1 - self.type.null_index) if isinstance(self.type, Nullable) else b""

    @property
    def blank(self) -> bytes:
        """What the part holds when there is no value: null, or false."""
        return long_form(self.type.null_index) if isinstance(self.type, Nullable) else b"\x00"


def leaf_step(avro_type: AvroType, uses: list[Use], path: str) -> Step:
    """The step that reads a leaf for its uses (at least one, none of them `present`)."""
    match avro_type:
        case Primitive(name="boolean"):
            return Truth(path, [_table(use, [False, True], path) for use in uses])
        case Enum(symbols=symbols):
            return Choice(path, [_table(use, list(symbols), path) for use in uses], len(symbols))
        case Primitive(name="int" | "long" as name, logical=logical):
            return Number(path, [_number(use, path, logical) for use in uses], INT if name == "int" else LONG)
        case Primitive(name="float" | "double" as name):
            return Real(path, [_ranges(use, path) for use in uses], 4 if name == "float" else 8)
        case Primitive(name="bytes") | Fixed():
            size = avro_type.size if isinstance(avro_type, Fixed) else BY_LENGTH
            if avro_type.logical == "decimal":
                return Decimal(path, [_bucket(use, path, avro_type.scale) for use in uses], size)
            return Identifier(path, [_identifier(use, path) for use in uses], size)
        case Primitive(name="string"):
            if any(isinstance(use.action, Handle) for use in uses):
                return Identifier(path, [_identifier(use, path) for use in uses], BY_LENGTH)
            texts = [use for use in uses if not isinstance(use.action, Bucket | Truncate)]
            readers = [_reader(use, path) for use in uses if isinstance(use.action, Bucket | Truncate)]
            return Text(path, [_text(use, path) for use in texts], readers)
        case _:
            raise ValueError(f"{path}: no action but present, count or count_where is for a container")


def mark(use: Use, path: str) -> MarkSink:
    """The sink of `present`."""
    return MarkSink(use.view, use.slot, Fault("", path), use.branch + b"\x01")


def counts(branch: bytes) -> list[bytes]:
    """The forms of the counts 0 … 64: each floored to 0 or a power of two."""
    return [branch + long_form(1 << count.bit_length() - 1 if count else 0) for count in range(65)]


def _choices(use: Use, path: str, *takes: type[Action]) -> tuple[dict[Scalar, bytes], bytes | None]:
    """The form for each value that the action names, and for any other (None: out of bound)."""
    if not isinstance(use.action, takes):
        raise _refused(use, path)
    branch = use.branch
    otherwise: str | None = None
    match use.action:
        case Keep():
            out = not_null(use.type)
            named: list[tuple[Scalar, bytes]] = [(False, b"\x00"), (True, b"\x01")]
            if isinstance(out, Enum):
                named = [(symbol, long_form(index)) for index, symbol in enumerate(out.symbols)]
        case Within(low=low, high=high):
            named = [(value, long_form(value)) for value in range(low, high + 1)]
        case OneOf(values=texts, otherwise=other):
            named, otherwise = [(text, text_form(text)) for text in texts], other
        case Matches(strings=texts):
            named = [(text, text_form(text)) for text in texts]
        case MapTo(pairs=pairs, otherwise=other):
            named, otherwise = [(value, text_form(text)) for value, text in pairs], other
        case CountWhere(values=values):
            return dict.fromkeys(values, b"\x01"), b""
        case _:
            raise _refused(use, path)
    return {value: branch + form for value, form in named}, None if otherwise is None else branch + text_form(otherwise)


def _table(use: Use, values: list[Scalar], path: str) -> TableSink:
    forms, otherwise = _choices(use, path, Keep, MapTo, CountWhere)
    if isinstance(use.action, Keep) and not set(values) <= set(forms):
        raise ValueError(f"{path}: the derived schema lacks a symbol of the raw one")
    return TableSink(use.view, use.slot, Fault(NOT_LISTED, path), [forms.get(value, otherwise) for value in values])


def _text(use: Use, path: str) -> TextSink:
    forms, otherwise = _choices(use, path, OneOf, Matches, MapTo, CountWhere)
    by_bytes = {value.encode(): form for value, form in forms.items() if isinstance(value, str)}
    return TextSink(use.view, use.slot, Fault(NOT_LISTED, path), by_bytes, otherwise)


def _number(use: Use, path: str, logical: str | None) -> NumberSink:
    if isinstance(use.action, Bucket):
        return _bucket(use, path, 0)
    if isinstance(use.action, Truncate):
        return _truncate(use, path, logical, use.action)
    code = OUT_OF_RANGE if isinstance(use.action, Within) else NOT_LISTED
    sink = NumberSink(use.view, use.slot, Fault(code, path), LOOKUP)
    forms, sink.otherwise = _choices(use, path, Within, MapTo, CountWhere)
    sink.table = {value: form for value, form in forms.items() if isinstance(value, int)}
    return sink


def _truncate(use: Use, path: str, logical: str | None, action: Truncate) -> NumberSink:
    if logical not in _PER_MS:
        raise _refused(use, path)
    numerator, denominator = _PER_MS[logical]
    sink = NumberSink(use.view, use.slot, Fault(OUT_OF_RANGE, path), TRUNCATE)
    sink.branch = use.branch
    sink.step = action.step_ms * numerator // denominator
    if action.within_ms is not None:
        if not isinstance(use.type, Nullable):
            raise _refused(use, path)
        sink.kind, sink.step_ms, sink.blank = LIMITED, action.step_ms, use.blank
        sink.within = action.within_ms // action.step_ms
    # Nanoseconds since 1970 fill 64 bits within three centuries; flooring the first of them would leave a long. Where
    # times begin is a whole day, so that a coarser step holds back nothing that a finer one lets through.
    day = DAY_MS * numerator // denominator
    sink.low = max(_FIRST_DAY * day, -(-_LEAST_LONG // day) * day)
    sink.high = _AFTER_LAST_DAY * DAY_MS * numerator // denominator - 1
    if sink.step < 1:
        raise _refused(use, path)
    return sink


def _bucket(use: Use, path: str, scale: int) -> NumberSink:
    if not isinstance(use.action, Bucket):
        raise _refused(use, path)
    sink = NumberSink(use.view, use.slot, Fault(OUT_OF_RANGE, path), BUCKET)
    whole = [edge for edge in use.action.edges if isinstance(edge, int)]
    if len(whole) != len(use.action.edges):
        raise _refused(use, path)
    sink.edges = [edge * 10**scale for edge in whole]
    sink.forms = [None, *(use.branch + long_form(edge) for edge in whole)]
    return sink


def _ranges(use: Use, path: str) -> NumberSink:
    """The buckets of a float or double: whole edges are written as longs, others as the field's own type.

    Of a double of seconds, the time.
    """
    if isinstance(use.action, Truncate) and use.action.read == EPOCH_SECONDS:
        return _reader(use, path)
    if not isinstance(use.action, Bucket):
        raise _refused(use, path)
    sink = NumberSink(use.view, use.slot, Fault(OUT_OF_RANGE, path), BUCKET)
    sink.marks = list(use.action.edges)
    out = not_null(use.type)
    if out == Primitive("long"):
        forms = [long_form(edge) for edge in use.action.edges if isinstance(edge, int)]
    else:
        form = Struct("<f" if out == Primitive("float") else "<d")
        forms = [form.pack(edge) for edge in use.action.edges]
    sink.forms = [None, *(use.branch + one for one in forms)]
    return sink


def _reader(use: Use, path: str) -> NumberSink:
    """A text, or a double of seconds, that is read as a number or a time."""
    match use.action:
        case Bucket(read="decimal"):
            sink = _ranges(use, path) if use.action.fractional else _bucket(use, path, 0)
            sink.reading = REAL if use.action.fractional else WHOLE
        case Truncate(read="iso8601" | "epoch_seconds"):
            sink = _truncate(use, path, "timestamp-millis", use.action)
            sink.reading = ISO if use.action.read == ISO8601 else SECONDS
        case _:
            raise _refused(use, path)
    sink.unparsable = Fault(UNPARSABLE, path)
    return sink


def _identifier(use: Use, path: str) -> IdentifierSink:
    if not isinstance(use.action, Handle):
        raise _refused(use, path)
    return IdentifierSink(use.view, use.slot, Fault(IDENTIFIER_SIZE, path), use.branch)


def _refused(use: Use, path: str) -> ValueError:
    return ValueError(f"{path}: its type does not take {type(use.action).__name__}")
