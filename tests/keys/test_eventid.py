import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.keys import event_block, topic_hash

places = st.tuples(st.binary(min_size=4, max_size=4), st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))


@given(places, places)
def test_two_records_never_share_a_block(one: tuple[bytes, int, int], other: tuple[bytes, int, int]) -> None:
    assert (event_block(*one) == event_block(*other)) == (one == other)
    assert len(event_block(*one)) == 16


@pytest.mark.parametrize(
    "place",
    [(b"abc", 0, 0), (b"abcde", 0, 0), (b"abcd", -1, 0), (b"abcd", 2**31, 0), (b"abcd", 0, -1), (b"abcd", 0, 2**63)],
)
def test_coordinates_that_kafka_does_not_have_are_refused(place: tuple[bytes, int, int]) -> None:
    with pytest.raises(ValueError, match=r"4 bytes|partition"):
        event_block(*place)


def test_a_topic_made_anew_has_another_hash() -> None:
    assert len({topic_hash(bytes([n]) * 16) for n in range(100)}) == 100
