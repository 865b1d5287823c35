"""What validates can be run: the contract's bounds lie within those of the rooms that take it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import books
from pipelines.contract.extents import MAX_NESTING, MAX_PATH
from pipelines.contract.model import Event
from pipelines.contract.report import Report
from pipelines.envelope import Kind, quarantine_record
from pipelines.minimize import compile_event
from pipelines.relay.accounting import METADATA_LIMIT_BYTES, to_metadata
from pipelines.relay.books import PartitionBook, ViewBook
from tests.contract.parts import raw, view

MOST = 2**63 - 1
WRAPS = st.lists(st.sampled_from(["null", "array", "map", "record"]), min_size=MAX_NESTING, max_size=MAX_NESTING)
TOPICS = st.lists(st.from_regex(r"[a-z]{2,20}\.[a-z]{2,64}", fullmatch=True), unique=True, max_size=60)


def nested(wraps: list[str], levels: int) -> list[dict[str, Any]]:
    """Fields of a record that is so many levels deep, the names defined bottom-up, and a flag beside."""
    fields: list[dict[str, Any]] = [{"name": "flag", "type": "boolean"}]
    type_: Any = "boolean"
    depth, count = 1, 0
    for wrap in wraps:
        if depth == levels - 1:
            break
        depth += 1
        if wrap == "null" and not isinstance(type_, list):
            type_ = ["null", type_]
        elif wrap in ("array", "null"):
            type_ = {"type": "array", "items": type_}
        elif wrap == "map":
            type_ = {"type": "map", "values": type_}
        else:
            inner = {"name": "n", "type": type_, "class": "metadata"}
            fields.append(
                {"name": f"f{count}", "type": {"type": "record", "name": f"record{count}", "fields": [inner]}}
            )
            if not wants_class(type_):
                del inner["class"]
            type_ = f"record{count}"
            count += 1
    last = {"name": "deepest", "type": type_}
    return [*fields, last | ({"class": "metadata"} if wants_class(type_) else {})]


def wants_class(type_: Any) -> bool:
    """A map's keys and every leaf are classed, a record is not."""
    while isinstance(type_, list) or (isinstance(type_, dict) and type_["type"] == "array"):
        type_ = type_[1] if isinstance(type_, list) else type_["items"]
    return not (isinstance(type_, str) and type_.startswith("record"))


@given(wraps=WRAPS)
def test_every_schema_at_the_limit_of_nesting_compiles(wraps: list[str]) -> None:
    schema = raw(nested(wraps, MAX_NESTING))
    draft, report = view("flag: keep\ndeepest: present", schema)
    assert draft.view is not None, report.mistakes
    compile_event(Event("vpn.session", (schema,), (draft.view,), ()))


@given(wraps=WRAPS)
def test_one_level_more_is_refused(wraps: list[str]) -> None:
    report = Report()
    with pytest.raises(AssertionError):
        raw(nested([*wraps, "array"], MAX_NESTING + 1), report=report)
    assert [check for check, _ in report.mistakes] == ["schema-size"]


def test_the_longest_path_fits_into_a_quarantine_note() -> None:
    path = f"{'a' * 127}.{'b' * 127}[].{'c' * 127}{{}}.{'d' * 127}"
    path += "d" * (MAX_PATH - len(path))
    assert quarantine_record(Kind("raw.vpn.session", 0, "vpn.session", None, "too-many-items", path), 0)


@given(topics=TOPICS)
def test_the_books_are_as_long_as_the_relay_writes_them(topics: list[str]) -> None:
    full = {topic: ViewBook(MOST, MOST, MOST, MOST, MOST) for topic in topics}
    book = PartitionBook(0, MOST, MOST, full)
    assert books.LIMIT_BYTES == METADATA_LIMIT_BYTES
    if books.fitting(topics) == len(topics):
        assert len(to_metadata(book)) == books.longest(topics)
    else:
        with pytest.raises(ValueError, match="exceed"):
            to_metadata(book)
