"""What can be wrong with an event: a closed vocabulary of codes. Owns no logic.

A fault carries a code and a path as the schema spells it (`checks[].id`, `headers{}`): never an index, a map key or a
value. A structural fault says that the bytes are not what their schema says, and is the whole event's. A bound fault
says that a value lies outside what one view allows, and is that view's alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NO_VALUE: Final = "no_value"
NOT_SINGLE_OBJECT: Final = "not_single_object"
UNKNOWN_SCHEMA: Final = "unknown_schema"
TRUNCATED: Final = "truncated"
TRAILING_BYTES: Final = "trailing_bytes"
VARINT: Final = "varint"
NEGATIVE_LENGTH: Final = "negative_length"
UNION_INDEX: Final = "union_index"
ENUM_INDEX: Final = "enum_index"
BOOLEAN: Final = "boolean"
ITEM_COUNT: Final = "item_count"
ITEM_LIMIT: Final = "item_limit"
BLOCK_SIZE: Final = "block_size"
UTF8: Final = "utf8"
DUPLICATE_KEY: Final = "duplicate_key"

OUT_OF_RANGE: Final = "out_of_range"
NOT_LISTED: Final = "not_listed"
TOO_MANY_ITEMS: Final = "too_many_items"
IDENTIFIER_SIZE: Final = "identifier_size"
UNPARSABLE: Final = "unparsable"

STRUCTURAL_CODES: Final[dict[str, str]] = {
    NO_VALUE: "the record has no value",
    NOT_SINGLE_OBJECT: "the value does not begin as an Avro single object does",
    UNKNOWN_SCHEMA: "no version of the event type's schema has this fingerprint",
    TRUNCATED: "the bytes end inside a value",
    TRAILING_BYTES: "bytes follow the last value",
    VARINT: "a number is longer than it need be, or too large for its type",
    NEGATIVE_LENGTH: "a length is negative",
    UNION_INDEX: "a union has no such branch",
    ENUM_INDEX: "an enum has no such symbol",
    BOOLEAN: "a boolean is neither 0 nor 1",
    ITEM_COUNT: "a block says it has more items than the bytes left can hold",
    ITEM_LIMIT: "the arrays and maps of the event hold more than 65,536 items in total",
    BLOCK_SIZE: "a block is not as long as it says",
    UTF8: "a text that a view compares is not UTF-8",
    DUPLICATE_KEY: "a map has a key twice that a view reads",
}
BOUND_CODES: Final[dict[str, str]] = {
    OUT_OF_RANGE: "a number or time lies outside the range that the view allows, or is not a number",
    NOT_LISTED: "a value is not in the view's list, and the view names no other to stand for it",
    TOO_MANY_ITEMS: "an array or map has more items than the schema's max_items",
    UNPARSABLE: "a text or number cannot be read as the view's reading rule says",
    IDENTIFIER_SIZE: "an identifier is empty or longer than 256 bytes",
}
FAULT_CODES: Final[dict[str, str]] = {**STRUCTURAL_CODES, **BOUND_CODES}


@dataclass(slots=True)
class Fault:
    """Why an event, or one view of it, was not minimized.

    `code` is a key of `FAULT_CODES`; `path` is "" where no field is at fault. Treat as frozen: it is not declared so
    because a frozen dataclass costs three times as much to make.
    """

    code: str
    path: str

    @property
    def structural(self) -> bool:
        """Whether the whole event is at fault."""
        return self.code in STRUCTURAL_CODES


class Malformed(Exception):  # noqa: N818 - never leaves this room: `minimize` returns it as a Fault
    """The walk's own way out of a malformed event. The innermost list of steps that knows the place sets `path`."""

    def __init__(self, code: str, path: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.path = path
