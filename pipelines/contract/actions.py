"""Actions: what a view does with one raw field. There is no wildcard and no action beyond these.

Operands have the raw field's type already: times in milliseconds, enum symbols as text. Standard library only.
"""

from dataclasses import dataclass

Scalar = str | int | bool
Number = int | float


@dataclass(frozen=True, slots=True)
class Keep:
    """The value itself (boolean, enum)."""


@dataclass(frozen=True, slots=True)
class Within:
    """The value itself, if `low` <= value <= `high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """The greatest of the ascending `edges` that is not above the value. A decimal's edges are in whole units.

    Edges are whole numbers, or all of them are numbers of the field's own type (float or double); then the edge is
    written as such a number. `read` is how a text is read as a number (`readings`): exactly for whole edges, as a
    double for others.
    """

    edges: tuple[int, ...] | tuple[float, ...]
    read: str | None = None

    @property
    def fractional(self) -> bool:
        """Whether the edges are numbers of the field's own floating-point type."""
        return any(isinstance(edge, float) for edge in self.edges)


@dataclass(frozen=True, slots=True)
class Truncate:
    """The time, floored in UTC to a multiple of `step_ms` since 1970.

    With `within_ms`, a whole multiple of `step_ms`, the time is null if it lies further than that from the broker's
    time of the raw record. Both are floored to `step_ms` before they are compared.
    `read` is how a text or a double is read as a time (`readings`), which is then written as timestamp-millis.
    """

    step_ms: int
    within_ms: int | None = None
    read: str | None = None


@dataclass(frozen=True, slots=True)
class OneOf:
    """The text, if it is one of `values`; else `otherwise`, and without that a bound fault."""

    values: tuple[str, ...]
    otherwise: str | None = None
    list_name: str | None = None


@dataclass(frozen=True, slots=True)
class Matches:
    """The text, if the RE2 `pattern` accepts all of it and it has at most `max_length` characters.

    `strings` is the accepted language, counted out when the contract is loaded (at most 65,536 strings).
    """

    pattern: str
    max_length: int
    strings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MapTo:
    """The text that `pairs` gives for the value; else `otherwise`, and without that a bound fault."""

    pairs: tuple[tuple[Scalar, str], ...]
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many items or entries, floored to 0, 1, 2, 4, 8, 16, 32 or 64."""


@dataclass(frozen=True, slots=True)
class CountWhere:
    """How many records of an array have one of `values` in `field`, floored as `Count` does."""

    field: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Present:
    """Whether there is a value at all."""


@dataclass(frozen=True, slots=True)
class Handle:
    """The keyed handle of the identifier that the purpose names."""


def is_limited(action: "Action") -> bool:
    """Return whether the action is a time that is null when it lies too far from the broker's time."""
    return isinstance(action, Truncate) and action.within_ms is not None


Action = Keep | Within | Bucket | Truncate | OneOf | Matches | MapTo | Count | CountWhere | Present | Handle
