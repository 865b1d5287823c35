"""What the SDK says of a field that does not fit: its path, the wanted and the given type, and never a value."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.avro import Array, AvroType, Enum, Field, FieldClass, Fixed, Map, Nullable, Primitive, Record
from pipelines.contract.findings import Position
from pipelines.sdk.misfit import misfit

SECRET: Final = "canary-51c0ffee"


def record(**types: AvroType) -> Record:
    place = Position("a.avsc")
    return Record("r", tuple(Field(name, one, place, FieldClass.METADATA) for name, one in types.items()))


LONG = Primitive("long")
WORDS: Final[list[tuple[AvroType, Any, str]]] = [
    (LONG, SECRET, "f must be long, given str"),
    (LONG, True, "f must be long, given bool"),
    (LONG, 1 << 70, "f must be long, given an int of more than 64 bits"),
    (LONG, None, "f must be long, given null"),
    (Primitive("long", "timestamp-millis"), SECRET, "f must be long (timestamp-millis), given str"),
    (Nullable(Primitive("string")), 5, "f must be null or string, given int"),
    (Primitive("string"), datetime.now(UTC), "f must be string, given datetime"),
    (Primitive("boolean"), 1, "f must be boolean, given int"),
    (Enum("n.Side", ("LEFT",)), SECRET, "f must be a symbol of the enum Side, given another str"),
    (Fixed("n.Id", 16), SECRET.encode(), "f must be 16 bytes, given another number of bytes"),
    (Fixed("n.Id", 16), SECRET, "f must be 16 bytes, given str"),
    (Array(record(id=LONG)), [{"id": 1}, {"id": SECRET}], "f[].id must be long, given str"),
    (Array(LONG), SECRET, "f must be an array (list), given str"),
    (Map(LONG), {SECRET: SECRET}, "f{} must be long, given str"),
    (record(a=LONG, b=LONG), {"b": SECRET}, "f.b must be long, given str"),
    (record(a=LONG, b=LONG), {"b": 1}, "f.a is missing; it must be long"),
    (Primitive("double"), Decimal(1), "f must be double, given Decimal"),
    (LONG, type(SECRET, (), {})(), "f must be long, given an object"),
]


@pytest.mark.parametrize(("wanted", "value", "said"), WORDS, ids=[said for _, _, said in WORDS])
def test_the_field_the_wanted_and_the_given_type_are_named(wanted: AvroType, value: Any, said: str) -> None:
    assert misfit(record(f=wanted), "f", {"f": value}) == said


def test_a_missing_field_says_what_it_must_be() -> None:
    assert misfit(record(f=LONG), "f", {}) == "f is missing; it must be long"


VALUES: Final = st.recursive(
    st.sampled_from([None, True, SECRET, SECRET.encode(), 51_064, 5.5, 1 << 80]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just(SECRET), inner, max_size=1),
    max_leaves=5,
)


@given(st.sampled_from([wanted for wanted, _, _ in WORDS]), VALUES)
def test_no_value_and_no_key_is_ever_said(wanted: AvroType, value: Any) -> None:
    said = misfit(record(f=wanted), "f", {"f": value})
    assert SECRET not in said
    assert "51064" not in said
