"""The values of a replay: its counts as metadata, its selection, its name."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import load_valid
from pipelines.replay.selection import ByPlace, ByTime, Edges, Place
from pipelines.replay.tally import Tally, ViewTally
from pipelines.replay.task import Task
from tests.support.relay_fixture import TODAY

ROOT = Path(__file__).parents[2]
counts = st.integers(0, 2**63 - 1)
topics = st.from_regex(r"[a-z]{1,20}\.[a-z]{1,20}", fullmatch=True)
tallies = st.builds(
    Tally, counts, counts, counts, st.dictionaries(topics, st.builds(ViewTally, *[counts] * 7), max_size=8)
)
HOSTILE = [
    "",
    "null",
    "{}",
    "[]",
    "[1,2,3,4]",
    "[2,0,0,0,{}]",
    "[1,-1,0,0,{}]",
    "[1,0,0,0,[]]",
    "[1,true,0,0,{}]",
    '[1,0,0,0,{"a":null}]',
    '[1,0,0,0,{"a":[1]}]',
    '[1,0,0,0,{"a":[1,2,3,4,5,6,7,8]}]',
    '[1,0,0,0,{"a":[1,2,3,4,5,6,"7"]}]',
    '{"v":1}',
    "\x00",
    "[" * 4_000,
]


@given(tallies)
def test_counts_travel_as_metadata_and_come_back_the_same(tally: Tally) -> None:
    assert Tally.from_metadata(tally.to_metadata()) == tally
    assert tally.copy() == tally


@pytest.mark.parametrize("metadata", HOSTILE, ids=range(len(HOSTILE)))
def test_metadata_that_no_replay_wrote_is_no_counts(metadata: str) -> None:
    assert Tally.from_metadata(metadata) is None


@given(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 40_000)), st.just(Place(("a.b",), 9)), max_size=40))
def test_spans_hold_every_place_that_is_left_and_each_offset_once(places: dict[tuple[int, int], Place]) -> None:
    edges = {0: Edges(0, 40_001, 0, 0), 1: Edges(10_000, 20_000, 0, 0), 2: Edges(5, 5, 0, 0)}
    selection = ByPlace(places, 0)
    spans = selection.spans(edges)
    inside = {
        place for place in places if place[0] in edges and edges[place[0]].start <= place[1] < edges[place[0]].end
    }
    for number, offset in inside:
        assert sum(first <= offset < end for first, end in spans[number]) == 1
    for mine in spans.values():
        assert all(one[1] < other[0] for one, other in pairwise(mine))
    assert len(selection.gone(edges)) == len(places) - len(inside)


def test_a_replay_is_named_by_all_that_it_does_and_by_nothing_else() -> None:
    contract = load_valid(ROOT, as_of=TODAY)
    plain = Task("vpn.session", ByTime(1, 2, ("a.b", "a.c")))
    places = {(0, 1): Place(("a.b",), 5), (0, 2): Place(("a.b",), 6)}
    others = [
        replace(plain, event="vpn.policy-decision"),
        replace(plain, again=True),
        replace(plain, selection=ByTime(1, 3, ("a.b", "a.c"))),
        replace(plain, selection=ByTime(0, 2, ("a.b", "a.c"))),
        replace(plain, selection=ByTime(1, 2, ("a.b",))),
        replace(plain, selection=ByPlace(places, 0)),
        replace(plain, selection=ByPlace({**places, (0, 2): Place(("a.c",), 6)}, 0)),
    ]
    named = [task.name(contract, bytes(16)) for task in [plain, *others]]
    named += [plain.name(contract, b"\1" * 16), plain.name(replace(contract, digest=bytes(32)), bytes(16))]
    assert len(set(named)) == len(named)
    assert plain.name(contract, bytes(16)) == replace(plain, selection=ByTime(1, 2, ("a.c", "a.b"))).name(
        contract, bytes(16)
    )
    turned = ByPlace(dict(reversed(places.items())), 77)  # when it is looked at changes nothing
    assert Task("x.y", turned).name(contract, b"") == Task("x.y", ByPlace(places, 0)).name(contract, b"")
