"""Values of leaves: for each Avro type a maker that suits the views, or plants a canary in what they drop.

A maker takes what a product's own model has given for the leaf (or `UNSET`) and uses it only where schema and views
would accept it: a contract may be tightened without a word changed here. Logical types appear as what they are on the
wire (times as numbers, decimals and UUIDs of fixed size as bytes).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from pipelines.contract.avro import Enum, FieldClass, Fixed, Primitive
from pipelines.contract.readings import DECIMAL, ISO8601
from pipelines.simulate import canaries
from pipelines.simulate.draw import Draw, shape_for
from pipelines.simulate.fleet import EVENT_KIND, synthetic_id
from pipelines.simulate.limits import Limits
from pipelines.simulate.quantities import number_maker

Maker = Callable[[Draw, object], object]
UNSET: Final = object()

Leaf = Primitive | Enum | Fixed
_IDENTIFIERS: Final = (FieldClass.DEVICE_IDENTIFIER, FieldClass.ACCOUNT_IDENTIFIER)
# How often a word comes that a vocabulary with an `else` does not know; it is a canary.
_UNKNOWN_WORD: Final = 0.02


def leaf_maker(leaf: Leaf, name: str, class_: FieldClass, limits: Limits, slot: int) -> Maker:
    """The maker for one leaf. `slot` numbers the leaf within its schema, below 64, for what stays with a device."""
    match leaf:
        case _ if class_ is FieldClass.EVENT_ID:
            return _event_id(leaf)
        case _ if class_ in _IDENTIFIERS and not isinstance(leaf, Enum):
            return _identifier(leaf, class_, limits, slot)
        case Primitive("boolean"):
            return lambda draw, given: given if isinstance(given, bool) else draw.random() < 0.5
        case Primitive("string" | "double" as kind) if limits.read is not None:
            return _read(limits, as_text=kind == "string")
        case Primitive("string"):
            return _text(name, limits)
        case Enum(_, symbols):
            return _symbol(symbols, limits)
        case Primitive("bytes", "decimal") | Fixed(_, _, "decimal"):
            return _decimal(leaf, limits)
        case Primitive("bytes"):
            return lambda draw, _: f"synthetic {draw.canary()} bytes".encode()
        case Fixed(_, size):
            return lambda draw, _: _marked(draw, size)
        case Primitive(_, logical) if logical is not None:
            return _time(logical)
        case _ if name.endswith("port") and limits.droppable:
            return lambda draw, _: 1_024 + int(draw.random() * 64_000)
        case _:
            return number_maker(leaf, limits)


def _read(limits: Limits, *, as_text: bool) -> Maker:
    """A number or a time as views read it: of seconds a double, or a text."""
    number = number_maker(Primitive("long"), limits)

    def make(draw: Draw, given: object) -> object:
        if limits.read == DECIMAL:
            return str(number(draw, given))
        if limits.read == ISO8601:
            return datetime.fromtimestamp(draw.now_ms // 1_000, UTC).isoformat()
        return f"{draw.now_ms // 1_000}.{draw.now_ms % 1_000:03}" if as_text else draw.now_ms / 1_000

    return make


def _marked(draw: Draw, size: int) -> bytes:
    if size >= canaries.TEXT_LENGTH:
        return draw.canary().encode().ljust(size, b"~")
    if size >= canaries.SMALLEST_MARKED:
        return canaries.short(draw.rng.getrandbits(40), size)
    return draw.rng.randbytes(size)


def _event_id(leaf: Leaf) -> Maker:
    as_text = isinstance(leaf, Primitive) and leaf.name == "string"
    size = leaf.size if isinstance(leaf, Fixed) else 16

    def make(draw: Draw, _: object) -> object:
        number = synthetic_id(EVENT_KIND, draw.seed, draw.event_number)
        return number if as_text else bytes.fromhex(number.replace("-", ""))[-size:].rjust(size, b"\0")

    return make


def _identifier(leaf: Primitive | Fixed, class_: FieldClass, limits: Limits, slot: int) -> Maker:
    of_device = class_ is FieldClass.DEVICE_IDENTIFIER
    main = limits.handled or leaf.logical == "uuid"

    def standing(draw: Draw) -> int:
        return canaries.FIRST_STANDING_NUMBER | (draw.device.number * 64 + slot) & 0x7FFF_FFFF

    match leaf:
        case Primitive("string") if main:
            return lambda draw, _: draw.device.id if of_device else draw.device.account_id
        case Primitive("string"):
            return lambda draw, _: f"synthetic-{canaries.text(standing(draw))}"
        case Fixed(_, 16) if main:
            return lambda draw, _: draw.device.id_bytes if of_device else draw.device.account_id_bytes
        case Fixed(_, size) if size < canaries.TEXT_LENGTH:
            return lambda draw, _: (
                canaries.short(standing(draw), size) if size >= canaries.SMALLEST_MARKED else bytes(size)
            )
        case Fixed(_, size):
            return lambda draw, _: canaries.text(standing(draw)).encode().ljust(size, b"~")
        case Primitive("bytes"):
            return lambda draw, _: f"synthetic-{canaries.text(standing(draw))}".encode()
        case _:
            return number_maker(leaf, limits)


def _text(name: str, limits: Limits) -> Maker:
    shape = shape_for(name)
    if limits.droppable:
        return lambda draw, _: shape.replace("{}", draw.canary())
    words = limits.allowed if limits.allowed is not None else limits.suggested
    if not words:
        return lambda draw, _: shape.replace("{}", draw.canary())
    known, binding = frozenset(words), limits.allowed is not None

    def make(draw: Draw, given: object) -> object:
        if not binding and draw.random() < _UNKNOWN_WORD:
            return f"synthetic {draw.canary()} word"
        return given if isinstance(given, str) and given in known else words[int(draw.random() * len(words))]

    return make


def _symbol(symbols: tuple[str, ...], limits: Limits) -> Maker:
    allowed = limits.allowed
    usable = symbols if allowed is None else tuple(symbol for symbol in symbols if symbol in allowed)
    known = frozenset(usable)
    return lambda draw, given: (
        given if isinstance(given, str) and given in known else usable[int(draw.random() * len(usable))]
    )


_PER_MS: Final = {"timestamp-micros": 1_000, "timestamp-nanos": 1_000_000, "local-timestamp-micros": 1_000}
_DAY_MS: Final = 86_400_000


def _time(logical: str) -> Maker:
    """Times near the event's own; a product gives milliseconds since 1970 (days for dates)."""
    factor = _PER_MS.get(logical, 1)
    if logical == "date":
        return lambda draw, given: given if isinstance(given, int) else draw.now_ms // _DAY_MS - int(draw.heavy(1, 400))
    if logical.startswith("time-"):
        day = _DAY_MS * (1_000 if logical == "time-micros" else 1)
        return lambda draw, _: int(draw.random() * day)
    return lambda draw, given: (
        (given if isinstance(given, int) else draw.now_ms - int(draw.heavy(1, 3 * _DAY_MS))) * factor
        + (int(draw.random() * factor) if factor > 1 else 0)
    )


def _decimal(leaf: Primitive | Fixed, limits: Limits) -> Maker:
    whole = number_maker(Primitive("double"), limits)
    scale = leaf.scale
    size = leaf.size if isinstance(leaf, Fixed) else None

    def make(draw: Draw, given: object) -> object:
        value = whole(draw, float(given) if isinstance(given, Decimal | float | int) else given)
        unscaled = int(float(value) * 10**scale) if isinstance(value, float) else 0
        length = size if size is not None else (unscaled.bit_length() + 8) // 8
        return unscaled.to_bytes(length, "big", signed=True)

    return make
