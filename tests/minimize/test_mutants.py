"""Permanent mutants: each breaks the minimizer in one line, and the promise that is named must notice."""

import pytest

from pipelines.minimize import program
from tests.minimize import corruption, properties
from tests.minimize.mutants import mutate
from tests.minimize.properties import PROPERTIES, run

EXAMPLES = 1_000
REFERENCE, NONINTERFERENCE, SPELLING, BOUNDS = PROPERTIES

# What is broken, where, the line, what it becomes, and the property that must fail.
MUTANTS = {
    "a number outside the range is let through": (
        "actions", "named = [(value, long_form(value)) for value in range(low, high + 1)]",
        "named = [(value, long_form(value)) for value in range(low - 50, high + 51)]", BOUNDS,
    ),
    "more items than max_items are let through": (
        "containers", "    if total > output.most:\n        state.fail(output)\n    elif output.counted:",
        "    if output.counted:", REFERENCE,
    ),
    "a length beyond the end is let through": (
        "wire", "    stop = pos + (first >> 1)\n    if stop > end:\n        raise Malformed(TRUNCATED)\n    return pos, stop",
        "    stop = pos + (first >> 1)\n    return pos, stop", REFERENCE,
    ),
    "the length of a dropped text is not held against the end": (
        "walk", "                    if pos > end:\n                        raise Malformed(TRUNCATED)\n",
        "                    pos = min(pos, end)\n", REFERENCE,
    ),
    "a number may be longer than it need be": (
        "wire", "    if byte == 0 or (", "    if (", SPELLING,
    ),
    "the items' blocks are copied as the producer cut them": (
        "containers", "[output.branch, long_form(total), *forms,", "[output.branch, long_form(count or total), *forms,", REFERENCE,
    ),
    "the exact time is let through": (
        "sinks", "floored = value // self.step * self.step", "floored = value", NONINTERFERENCE,
    ),
    "an unlisted text is let through": (
        "leaves", "                form = sink.otherwise\n", "                form = b'' if sink.otherwise is None else b'\\x02' + text[:1]\n",
        NONINTERFERENCE,
    ),
    "a bucket gives its place among the edges and the number": (
        "leaves", "                form = sink.forms[bisect_right(sink.edges, value)]\n            elif",
        "                form = bytes([value & 62])\n            elif", NONINTERFERENCE,
    ),
}  # fmt: skip
"""A content field let through, a missing guard and so on; see also the tests below, which break more than a line."""
