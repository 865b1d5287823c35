"""The compiled core's instruction count stays near its baseline. On a compiled wheel with valgrind alone."""

import sys

import pytest

from bench import instructions
from pipelines.minimize import compiled

KEPT = {"machine": "here", "one view": 20_000, "three views": 40_000}


def test_one_event_takes_as_many_instructions_in_the_compiled_core_as_the_baseline_says() -> None:
    if not compiled():
        pytest.skip("the core is not compiled here: `make test-wheel` counts")
    try:
        found = instructions.compare(instructions.count(sys.executable), instructions.baseline())
    except instructions.NotComparableError as why:
        pytest.skip(str(why))
    assert not [line for line in found if line.endswith("away")], "python -m bench.instructions --write, if it is meant"


@pytest.mark.parametrize("counted", [20_500, 19_500])
def test_a_count_beyond_the_tolerance_is_told_whether_it_rose_or_fell(counted: int) -> None:
    one, three = instructions.compare({**KEPT, "one view": counted}, KEPT)
    assert one.endswith("more than 2% away")
    assert three == "three views: 40,000 instructions an event, +0.0% of 40,000"


def test_another_machines_baseline_is_not_compared_with() -> None:
    with pytest.raises(instructions.NotComparableError, match="this is there"):
        instructions.compare({**KEPT, "machine": "there"}, KEPT)
