"""The record of changes in words: what it says of each kind, and that nothing that others wrote harms who reads it."""

from __future__ import annotations

from typing import Any

import orjson
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cli.app import pipelines
from pipelines.contract.model import HOUR_MS
from pipelines.topics.history import Entry, entry, history_lines
from pipelines.topics.record import Done, applied_body, change_body
from pipelines.topics.state import Audience
from pipelines.topics.steps import Step
from pipelines.trouble import Exit
from tests.support.kafka import flushed
from tests.support.relay_fixture import RelayFixture

WHO = {"by": "alice", "principal": "ops", "contract": "c" * 64, "plan": "p" * 32}


def said(body: dict[str, Any]) -> list[str]:
    found = entry(7, 1_700_000_000_000, orjson.dumps({"format": 1, **WHO, **body}))
    assert found is not None
    head, *details = history_lines(found)
    assert head.startswith("2023-11-14T22:13:20Z  alice as ops  ")
    assert head.endswith(f"  (plan {'p' * 12}, contract {'c' * 12})")
    return [head.split("  ")[2], *(detail.strip() for detail in details)]


def test_each_kind_is_said_in_words() -> None:
    assert said(change_body(Step("create", "raw.a.b", {"retention.ms": "5"}, {}, 2, 1))) == [
        "create raw.a.b: 2 partition(s), 1 replica(s)",
        "retention.ms=5",
    ]
    cut = Step("set", "audit.a", {"retention.ms": "5", "segment.ms": "1"}, {"retention.ms": "9", "segment.ms": ""})
    assert said(change_body(cut)) == ["set audit.a", "retention.ms: 9 -> 5", "segment.ms: not set -> 1"]
    more = Step("partitions", "audit.a", {}, {"partitions": "1"}, 3)
    assert said(change_body(more)) == ["partitions of audit.a: 1 -> 3"]
    done = Done({"audit.a": Audience(9, ("desk",))}, {"audit.a": HOUR_MS, "raw.a.b": None}, {}, {}, {})
    assert said(applied_body(done))[1:] == [
        "audit.a kept from 1970-01-01T01:00:00Z",
        "raw.a.b kept from an unknown time",
    ]
    assert said({"kind": "resumed", "steps": [{}, {}]}) == ["resumed: 2 step(s) were found made"]
    (head, when) = said(
        {"kind": "replay", "event": "a.b", "raw_offsets": 4, "views": ["audit.a"], "from": "x", "to": "y"}
    )
    assert ("a.b" in head, "4 raw offset(s) to audit.a" in head, when) == (True, True, "x to y")
    counts = {"audit.a": {"out": 3, "quarantined": 1}}
    assert said({"kind": "replayed", "event": "a.b", "raw_events": 4, "counts": counts}) == [
        "replayed 4 raw event(s) of a.b",
        "audit.a: out 3, quarantined 1",
    ]
    assert said({"kind": "new"}) == ["new: of a kind that this release does not know"]
    assert said({"kind": "change", "step": 5}) == ["a step that this release does not know"]


def test_an_entry_knows_what_it_is_about() -> None:
    for body in (
        change_body(Step("set", "audit.a", {}, {})),
        {"kind": "resumed", "steps": [{"topic": "audit.a"}, 5]},
        {"kind": "applied", "audience": {"audit.a": {}}},
        {"kind": "replay", "views": ["audit.a", 5]},
        {"kind": "replayed", "counts": {"audit.a": {}}},
    ):
        assert Entry(0, 0, body).topics == {"audit.a"}
    assert Entry(0, 0, {"kind": "change", "step": {"topic": ["audit.a"]}}).topics == frozenset()


json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["kind", "step", "steps", "by", "principal", "contract", "plan", "replay", "event", "views", "counts", "kept_from",
     "audience", "raw_offsets", "raw_events", "from", "to"]
)  # fmt: skip
kinds = st.sampled_from(["change", "applied", "resumed", "replay", "replayed"])
steps = st.fixed_dictionaries(
    {"kind": st.sampled_from(["create", "set", "partitions"]), "topic": json},
    optional={"settings": json, "before": json, "partitions": json, "replication": json},
)


@given(st.dictionaries(names, json), kinds, st.none() | steps, st.integers(-(2**63), 2**63 - 1))
def test_whatever_others_wrote_is_shown_on_lines_that_move_no_terminal(
    body: dict[str, Any], kind: str, step: dict[str, Any] | None, at_ms: int
) -> None:
    whole = {**body, "kind": kind, **({} if step is None else {"step": step}), "format": 1}
    try:
        value = orjson.dumps(whole)
    except TypeError:  # a lone surrogate, which JSON in UTF-8 cannot hold
        return
    found = entry(0, at_ms, value)
    assert found is not None
    assert all(isinstance(topic, str) for topic in found.topics)
    lines = list(history_lines(found))
    assert lines
    assert all(line.isprintable() for line in lines)


@given(st.binary(max_size=50) | st.sampled_from([b"", b"[]", b'{"format": 2}', b"[" * 5_000]))
def test_a_record_of_another_form_is_no_entry(value: bytes) -> None:
    assert entry(0, 0, value) is None
    assert entry(0, 0, None) is None


def run(house: RelayFixture, *arguments: str) -> Any:
    options = ["--contract", str(house.folder), "--bootstrap", house.cluster.bootstrap]
    return CliRunner().invoke(pipelines, ["topics", "history", *options, *arguments])


def test_the_history_of_a_cluster_is_read_by_topic_and_time(house: RelayFixture) -> None:
    changes = house.contract.changes.name
    producer = house.cluster.producer()
    producer.produce(changes, b"\xff\x1b[2J")
    flushed(producer)
    done = run(house)
    assert done.exit_code == Exit.DONE, done.exception
    assert f"create {house.raw_topic}: 3 partition(s)" in done.output
    assert "applied: " in done.output
    assert f"1 record(s) in {changes} have another form" in done.stderr
    assert "\x1b" not in done.output
    one = [orjson.loads(line) for line in run(house, "--json", "--topic", house.handled).stdout.splitlines()]
    assert [each["kind"] for each in one] == ["change", "applied"]
    assert one[0]["step"]["topic"] == house.handled
    assert {each["by"] for each in one} == {"tests"}
    assert run(house, "--since", "2100-01-01T00:00:00Z").stdout == ""
