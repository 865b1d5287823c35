"""Reading rules in a policy: where they may stand, what they write, how they are counted, compared and signed."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.contract.actions import Action, Bucket, OneOf, Truncate
from pipelines.contract.avro import Primitive
from pipelines.contract.bits import view_bits
from pipelines.contract.bits.joint import joint_count
from pipelines.contract.bits.places import Place, Want
from pipelines.contract.bits.saying import together
from pipelines.contract.changes.order import Order, follows, held_back, order
from pipelines.contract.changes.spelling import action as spelled
from pipelines.contract.digest import digest
from pipelines.contract.linkage.meeting import meet
from pipelines.contract.received import _action
from pipelines.explain.wording import action_words
from tests.contract.parts import mistakes, raw, view

TEXT, DOUBLE = Primitive("string"), Primitive("double")
DAYS = 719_162 + 2_932_897


def field(kind: Any) -> dict[str, Any]:
    return {"name": "f", "type": kind}


@pytest.mark.parametrize(
    ("rule", "kind", "action", "written"),
    [
        ("{bucket: [0, 1KiB], read: decimal}", "string", Bucket((0, 1_024), "decimal"), Primitive("long")),
        ("{bucket: [0, 0.1], read: decimal}", "string", Bucket((0.0, 0.1), "decimal"), DOUBLE),
        (
            "{truncate: 1h, read: iso8601}",
            "string",
            Truncate(3_600_000, read="iso8601"),
            Primitive("long", "timestamp-millis"),
        ),
        (
            "{truncate: 100ms, read: epoch_seconds}",
            "double",
            Truncate(100, read="epoch_seconds"),
            Primitive("long", "timestamp-millis"),
        ),
        (
            "{truncate: 1d, read: epoch_seconds}",
            "string",
            Truncate(86_400_000, read="epoch_seconds"),
            Primitive("long", "timestamp-millis"),
        ),
    ],
)
def test_a_rule_reads_a_text_or_a_double(rule: str, kind: str, action: Action, written: Primitive) -> None:
    draft, report = view(f"f: {rule}", raw([field(kind)]))
    assert not report.mistakes
    assert draft.view is not None
    assert draft.view.rules[0].action == action
    (output,) = draft.view.output
    assert getattr(output, "type", None) == written


@pytest.mark.parametrize(
    ("rule", "kind", "check"),
    [
        ("{bucket: [0]}", "string", "action-type"),
        ("{truncate: 1h}", "string", "action-type"),
        ("{truncate: 1h}", "double", "action-type"),
        ("{bucket: [0], read: decimal}", "long", "action-type"),
        ("{bucket: [0], read: decimal}", "bytes", "action-type"),
        ("{bucket: [0], read: iso8601}", "string", "rule-operand"),
        ("{truncate: 1h, read: decimal}", "string", "rule-operand"),
        ("{truncate: 1h, read: [iso8601]}", "string", "rule-operand"),
        ("{truncate: 1h, read: ISO8601}", "string", "rule-operand"),
        ("{truncate: 1h, read: epoch_seconds}", "float", "action-type"),
        ("{truncate: 1h, read: iso8601}", {"type": "long", "logicalType": "timestamp-millis"}, "action-type"),
        ("{bucket: [0, 1000000000000000000], read: decimal}", "string", "rule-operand"),
        ("{one_of: [a], read: decimal}", "string", "unknown-key"),
    ],
)
def test_a_rule_stands_only_where_it_means_something(rule: str, kind: Any, check: str) -> None:
    assert mistakes(f"f: {rule}", raw([field(kind)])) == [check]


def test_who_truncates_a_text_is_told_the_rules_that_read_it() -> None:
    _, report = view("f: {truncate: 1h}", raw([field("string")]))
    assert "`read: iso8601 or epoch_seconds`" in report.mistakes[0][1].remedy


def test_the_rule_enters_digests_and_reviews_only_where_there_is_one() -> None:
    plain, read = Bucket((0, 1)), Bucket((0, 1), "decimal")
    assert digest(plain) != digest(read)
    assert (
        digest(Truncate(60_000, read="iso8601"))
        != digest(Truncate(60_000, read="epoch_seconds"))
        != digest(Truncate(60_000))
    )
    # Pinned: digests of contracts from before there were reading rules.
    assert digest(plain).hex()[:16] == "b1a535e1a54789cf"
    assert digest(Truncate(60_000)).hex()[:16] == "04b59b3e09781bc1"
    assert _action(plain) == {"do": "bucket", "edges": (0, 1)}
    assert _action(read) == {"do": "bucket", "edges": (0, 1), "read": "decimal"}
    assert _action(Truncate(60_000, read="iso8601")) == {"do": "truncate", "step_ms": 60_000, "read": "iso8601"}


def test_what_is_said_of_a_reading_rule_names_it() -> None:
    assert spelled(Bucket((0, 1), "decimal")) == "bucket [0, 1], read as decimal"
    assert spelled(Truncate(60_000, read="iso8601")) == "truncate 1m, read as iso8601"
    assert "read as epoch_seconds" in action_words(Truncate(60_000, read="epoch_seconds"), kind=None)


@pytest.mark.parametrize(
    ("rule", "kind", "count"),
    [
        ("{bucket: [0, 10, 100], read: decimal}", "string", 3),
        ("{bucket: [0, 0.5], read: decimal}", "string", 2),
        ("{truncate: 1d, read: iso8601}", "string", DAYS),
        ("{truncate: 1h, read: epoch_seconds}", "double", 24 * DAYS),
    ],
)
def test_what_a_rule_can_say_is_counted_as_for_numbers_and_times(rule: str, kind: str, count: int) -> None:
    schema = raw([field(kind)])
    draft, _ = view(f"f: {rule}", schema)
    assert draft.view is not None
    assert view_bits((schema,), draft.view).count == count


def met(one: Action, other: Action) -> int:
    return meet((Want((), one),), (Want((), other),), (1, 1), [Place(TEXT)])


def test_two_actions_on_one_text_are_counted_together() -> None:
    numbers, words = Bucket((0, 10), "decimal"), OneOf(("5", "x"), "other")
    assert together([numbers, words], TEXT) == {(0, "5"), (0, "other"), (10, "other")}
    assert met(numbers, words) == 2
    assert met(Bucket((0, 10), "decimal"), Bucket((0, 5, 10), "decimal")) == 2
    assert met(Bucket((0.5, 1.5), "decimal"), Bucket((0, 1), "decimal")) == 2
    assert met(numbers, Truncate(60_000, read="epoch_seconds")) == 2


def test_views_that_read_one_text_in_two_ways_are_counted_as_a_bound() -> None:
    schema = raw([field("string")])
    drafts = [view(f"f: {rule}", schema)[0].view for rule in ("{truncate: 1d, read: iso8601}", "{one_of: [a]}")]
    views = [one for one in drafts if one is not None]
    late = {one.topic: 0 for one in views}
    assert joint_count((schema,), views, late) >= DAYS + 1


def test_actions_are_compared_where_they_read_alike() -> None:
    old, fine = Bucket((0, 10), "decimal"), Bucket((0, 5, 10), "decimal")
    assert order(old, fine, (TEXT, TEXT)) is Order.FINER
    assert order(fine, old, (TEXT, TEXT)) is Order.COARSER
    assert order(old, Bucket((0.5, 10.0), "decimal"), (TEXT, TEXT)) is Order.APART
    assert order(Truncate(60_000, read="iso8601"), Truncate(120_000, read="iso8601"), (TEXT, TEXT)) is Order.COARSER
    assert order(Truncate(60_000, read="iso8601"), Truncate(120_000, read="epoch_seconds"), (TEXT, TEXT)) is Order.APART
    assert order(old, OneOf(("1",)), (TEXT, TEXT)) is Order.APART
    assert follows(fine, old, TEXT)
    assert not follows(old, fine, TEXT)
    assert not follows(Truncate(60_000, read="iso8601"), Truncate(120_000, read="epoch_seconds"), TEXT)
    assert held_back(Bucket((0, 5), "decimal"), Bucket((5,), "decimal"), TEXT) == ["0", "1", "4"]
