import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.simulate import Tally, canaries, find
from pipelines.simulate.fleet import DEVICE_KIND, synthetic_id

SURROUNDED = st.tuples(st.binary(max_size=20), st.binary(max_size=20))
NUMBERS = st.integers(0, 2**32 - 1)


@given(SURROUNDED, NUMBERS)
def test_a_canary_is_found_in_any_surroundings(around: tuple[bytes, bytes], number: int) -> None:
    assert find(canaries.text(number).encode().join(around)) == "canary"


@given(SURROUNDED, NUMBERS, st.integers(canaries.SMALLEST_MARKED, canaries.TEXT_LENGTH - 1))
def test_a_short_mark_is_found_in_any_surroundings(around: tuple[bytes, bytes], number: int, size: int) -> None:
    mark = canaries.short(number, size)
    assert len(mark) == size
    assert find(mark.join(around)) == "canary"


@given(SURROUNDED, NUMBERS)
def test_a_canary_is_found_in_hexadecimal_and_in_base64(around: tuple[bytes, bytes], number: int) -> None:
    data = canaries.text(number).encode().join(around)
    assert find(data.hex().encode()) == "canary"
    assert find(data.hex().upper().encode()) == "canary"
    assert find(base64.b64encode(data)) == "canary"


@given(SURROUNDED, st.integers(0, 2**48 - 1))
def test_a_synthetic_id_is_found_as_text_as_bytes_in_hexadecimal_and_in_base64(
    around: tuple[bytes, bytes], number: int
) -> None:
    text = synthetic_id(DEVICE_KIND, 7, number)
    raw = bytes.fromhex(text.replace("-", ""))
    for spelled in (text.encode(), text.upper().encode(), text.replace("-", "").encode(), raw):
        assert find(spelled) == "identifier"
        assert find(spelled.join(around)) is not None
    for spelled in (text.encode(), raw):
        assert find(base64.b64encode(spelled)) == "identifier"
        assert find(base64.b64encode(spelled.join(around))) is not None


@pytest.mark.parametrize("harmless", [b"", b"CNR", b"5eed", b"CNRY", bytes(64), b"5eed5eed", b"eu-west"])
def test_what_is_neither_is_not_found(harmless: bytes) -> None:
    assert find(harmless) is None


def test_a_tally_misses_what_was_not_noted_and_nothing_else() -> None:
    tally = Tally(10)
    tally.note(b"..".join(canaries.text(number).encode() for number in range(10) if number != 4))
    tally.note(canaries.text(2).encode() + canaries.text(canaries.FIRST_STANDING_NUMBER).encode())
    assert tally.missing == 1
    tally.note(canaries.text(4).encode())
    assert tally.missing == 0
