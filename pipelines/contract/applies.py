"""Which action applies to which Avro type: a table. What is not in it is refused by name; there is no default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Map, Primitive, Record, not_null
from pipelines.contract.readings import DECIMAL, EPOCH_SECONDS, ISO8601

MAX_SYMBOLS: Final = 64
TIMESTAMPS: Final = ("timestamp-millis", "timestamp-micros", "timestamp-nanos")


def _plain(*names: str) -> Callable[[AvroType], bool]:
    return lambda kind: isinstance(kind, Primitive) and kind.logical is None and kind.name in names


def _logical(*names: str) -> Callable[[AvroType], bool]:
    return lambda kind: isinstance(kind, (Primitive, Fixed)) and kind.logical in names


def _identifier(kind: AvroType) -> bool:
    if isinstance(kind, Fixed):
        return kind.logical in (None, "uuid")
    return _plain("string", "bytes")(kind) or (isinstance(kind, Primitive) and kind.logical == "uuid")


def _either(*tests: Callable[[AvroType], bool]) -> Callable[[AvroType], bool]:
    return lambda kind: any(test(kind) for test in tests)


def _few_symbols(kind: AvroType) -> bool:
    return isinstance(kind, Enum) and len(kind.symbols) <= MAX_SYMBOLS


def _container(kind: AvroType) -> bool:
    return isinstance(kind, (Array, Map))


def _of_records(kind: AvroType) -> bool:
    return isinstance(kind, Array) and isinstance(not_null(kind.items), Record)


APPLIES: Final[dict[str, tuple[Callable[[AvroType], bool], str]]] = {
    "keep": (_either(_plain("boolean"), _few_symbols), f"boolean and enums of at most {MAX_SYMBOLS} symbols"),
    "within": (_plain("int", "long"), "int and long"),
    "bucket": (_either(_plain("int", "long", "float", "double"), _logical("decimal")), "numbers and decimals"),
    "truncate": (_logical(*TIMESTAMPS, "date"), "timestamps and dates"),
    "one_of": (_plain("string"), "string"),
    "matches": (_plain("string"), "string"),
    "map": (
        _either(_plain("string", "int", "boolean"), lambda kind: isinstance(kind, Enum)),
        "string, enum, int and boolean",
    ),
    "count": (_container, "arrays and maps"),
    "count_where": (_of_records, "arrays of records"),
    "present": (lambda _: True, "anything"),
    "handle": (_identifier, "string, bytes, fixed and uuid"),
}

# Reading rules: action -> rule -> what it reads.
READS: Final[dict[str, dict[str, tuple[Callable[[AvroType], bool], str]]]] = {
    "bucket": {DECIMAL: (_plain("string"), "string")},
    "truncate": {
        ISO8601: (_plain("string"), "string"),
        EPOCH_SECONDS: (_plain("string", "double"), "string and double"),
    },
}

COUNT_WHERE_FIELD: Final = _either(_plain("string", "int", "long", "boolean"), lambda kind: isinstance(kind, Enum))
