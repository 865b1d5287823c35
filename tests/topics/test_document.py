"""Plan files: what is not a plan, was edited, or is hostile is refused, in words, and never does a thing."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.topics.document import MOST_BYTES, document, fingerprint, read, read_state, state_document
from pipelines.topics.planning import plan
from pipelines.topics.state import USUAL, ClusterState, TopicState
from pipelines.trouble import Exit, Trouble
from tests.topics.golden_files import GOLDENS, before, contract_of

SITUATION = GOLDENS / "everything-at-once"
CONTRACT = contract_of(SITUATION / "topics.yaml")
PLAN = plan(CONTRACT, before(SITUATION))
DOCUMENT = json.loads(orjson.dumps(document(PLAN, None)))
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(said: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


PLACES = places(DOCUMENT)[1:]


def edited(path: tuple[Any, ...], value: Any) -> Any:
    said = json.loads(json.dumps(DOCUMENT))
    at = said
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return said


def refused(data: bytes, overlay: str | None = None) -> str:
    with pytest.raises(Trouble, match="this plan is refused") as trouble:
        read(data, CONTRACT, overlay)
    assert trouble.value.exit_code == Exit.REFUSED
    assert trouble.value.hint
    return str(trouble.value)


def test_a_plan_is_read_back_as_it_was() -> None:
    assert read(orjson.dumps(DOCUMENT), CONTRACT, None) == PLAN
    assert read(json.dumps(DOCUMENT, indent=4).encode(), CONTRACT, None) == PLAN


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"format": ' * 5_000, id="deep objects"),
        pytest.param(b'{"format": NaN}', id="not a number"),
        pytest.param(b"raw: {}", id="yaml"),
        pytest.param(b" " * (MOST_BYTES + 1), id="large"),
    ],
)
def test_what_is_no_plan_is_refused(data: bytes) -> None:
    refused(data)


@given(st.sampled_from(PLACES), anything)
def test_whatever_is_edited_anywhere_is_refused(path: tuple[Any, ...], value: Any) -> None:
    said = edited(path, value)
    if said != DOCUMENT:
        refused(orjson.dumps(said))


@given(st.sampled_from([path for path in PLACES if path[0] == "state"]), anything)
def test_a_state_that_is_said_oddly_is_no_state_or_says_itself(path: tuple[Any, ...], value: Any) -> None:
    said = edited(path, value)["state"]
    state = read_state(said)
    if state is not None:
        assert json.loads(orjson.dumps(state_document(state))) == said
        plan(CONTRACT, state)  # and planning from it is no fault of the program


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    refused(data)


def test_another_contract_or_overlay_is_refused_by_name() -> None:
    other = contract_of(GOLDENS / "nothing-to-do/topics.yaml")
    with pytest.raises(Trouble, match="the contract has changed"):
        read(orjson.dumps(DOCUMENT), other, None)
    assert "another overlay" in refused(orjson.dumps(DOCUMENT), overlay="example-strict")


def test_an_edited_step_is_refused_even_with_a_right_fingerprint() -> None:
    said = json.loads(json.dumps(DOCUMENT))
    said["steps"][-2]["settings"]["retention.ms"] = "-1"
    assert "it was edited" in refused(orjson.dumps(said))


def test_the_fingerprint_tells_clusters_contracts_and_steps_apart() -> None:
    def of(state: ClusterState) -> str:
        return fingerprint(plan(CONTRACT, state))

    state = before(GOLDENS / "nothing-to-do")
    other = contract_of(GOLDENS / "nothing-to-do/topics.yaml")
    alone = ClusterState({1: USUAL}, {})
    assert len({of(state), of(alone), of(ClusterState({2: USUAL}, {})), of(ClusterState({1: USUAL}, {}, 7))}) == 4
    assert of(state) != fingerprint(plan(other, state))
    assert of(ClusterState({1: USUAL}, {"raw.vpn.session": TopicState(1, 1, {})})) != of(alone)
    assert of(ClusterState({1: USUAL}, {}, undeclared=("x",))) != of(alone)
