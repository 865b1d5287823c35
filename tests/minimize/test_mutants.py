"""Permanent mutants: each breaks the minimizer in one place, and the promise that is named must notice.

To break another line, add it here; `mutants.mutate` does it for tests elsewhere. What one would break first: a bound
is held in `actions._choices` (ranges, lists), `sinks.NumberSink.floor` (times) and `containers.write_items` (items);
what a view lets through is decided in `compile.steps_of`, from the view's rules alone.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipelines.contract.avro import Primitive
from pipelines.minimize import Fault
from tests.minimize.broken_bodies import STRUCTURAL, minimize
from tests.minimize.corruption import every_truncation
from tests.minimize.events import event_of, record_of
from tests.minimize.mutants import mutate
from tests.minimize.properties import PROPERTIES, run

pytestmark = pytest.mark.slow

EXAMPLES = 1_000


def guard_table() -> None:
    for code, path, kind, body, rules in STRUCTURAL:
        assert minimize(kind, body, rules) == Fault(code, path)


def truncations() -> None:
    for text in (Primitive("string"), Primitive("bytes")):
        event = event_of([record_of(f=Primitive("long"), g=text)], {})
        every_truncation(event, b"\xc3\x01" + event.versions[0].fingerprint + b"\x02\x08abcd")


def of(name: str) -> Callable[[], object]:
    return lambda: run(name, EXAMPLES, PROPERTIES[name])


REFERENCE, NONINTERFERENCE, _, BOUNDS = map(of, PROPERTIES)

# What is broken, in which module, the lines, what they become, and what must notice.
MUTANTS: dict[str, tuple[str, str, str, Callable[[], object]]] = {
    "one content field is let through": (
        "walk",
        "        return self.skip(buf, pos, state.end, 1)\n",
        "        stop = self.skip(buf, pos, state.end, 1)\n        parts[-1] += buf[pos:stop]\n        return stop\n",
        NONINTERFERENCE,
    ),
    "an identifier is let through in the place of its handle": (
        "program",
        "key = handler(identifier)",
        "key = (identifier + bytes(16))[:16]",
        REFERENCE,
    ),
    "a bound check is skipped": (
        "leaves",
        "        for sink in self.sinks:\n            kind = sink.kind",
        "        for sink in self.sinks:\n            value = max(value, 0)\n            kind = sink.kind",
        REFERENCE,
    ),
    "a number outside the range is let through": (
        "actions",
        "named = [(value, long_form(value)) for value in range(low, high + 1)]",
        "named = [(value, long_form(value)) for value in range(low - 50, high + 51)]",
        BOUNDS,
    ),
    "more items than max_items are let through": (
        "containers",
        "    if total > output.most:\n        state.fail(output)\n    elif output.counted:",
        "    if output.counted:",
        REFERENCE,
    ),
    "an array is written as if it were cut": (
        "containers",
        "[output.branch, long_form(total), *forms,",
        "[output.branch, b''.join(long_form(1) + form for form in forms),",
        REFERENCE,
    ),
    "the exact time is let through": (
        "sinks",
        "floored = value // self.step * self.step",
        "floored = value",
        NONINTERFERENCE,
    ),
    "the first letter of an unlisted text is let through": (
        "leaves",
        "                form = sink.otherwise\n",
        "                form = b'\\x02' + text[:1] if sink.otherwise else None\n",
        NONINTERFERENCE,
    ),
    "a bucket tells the number's last bits": (
        "leaves",
        "                form = sink.forms[bisect_right(sink.edges, value)]\n            elif",
        "                form = bytes([value & 62])\n            elif",
        NONINTERFERENCE,
    ),
    "the case of a map's key matters": ("containers", "buf[start:pos].lower()", "buf[start:pos]", REFERENCE),
    "a text that is not UTF-8 is let through": ("leaves", "not is_utf8(text)", "len(text) < 0", guard_table),
    "a number may be longer than it need be": ("wire", "    if byte == 0 or (", "    if (", guard_table),
    "an int may have more than 32 bits": ("wire", "28 if bits == INT else 63", "63", guard_table),
    "a count of items is believed": (
        "wire",
        "    if count > (end - pos) // (least or 1):",
        "    if count > 1_000_000:",
        guard_table,
    ),
    "the size of a block is believed": (
        "wire",
        "        if size & 1 or stop > end:\n            raise Malformed(BLOCK_SIZE)\n",
        "        stop = -1\n",
        guard_table,
    ),
    "a boolean may be 2": ("walk", "        if first > 1:", "        if first > 2:", guard_table),
    "a negative length is taken for a positive one": (
        "wire",
        "    if value & 1:\n        raise Malformed(NEG",
        "    if value < 0:\n        raise Malformed(NEG",
        guard_table,
    ),
    "the length of a dropped text is not held against the end": (
        "walk",
        "                    if pos > end:\n                        raise Malformed(TRUNCATED)\n",
        "                    pos = min(pos, end)\n",
        truncations,
    ),
    "bytes after the last value are not noticed": (
        "program",
        "if pos != state.end:",
        "if pos > state.end:",
        guard_table,
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_line_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, line, changed, promise = MUTANTS[name]
    mutate(monkeypatch, module, line, changed)
    with pytest.raises(BaseException) as noticed:  # noqa: PT011 - what fails first is chance's choice
        promise()
    assert not isinstance(noticed.value, KeyboardInterrupt | SystemExit | NameError | SyntaxError)
