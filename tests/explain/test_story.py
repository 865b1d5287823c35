"""`explain` says of every field what the contract does with it, and nothing that the contract does not."""

from datetime import date

import pytest

from pipelines.contract.actions import (
    Action,
    Bucket,
    Count,
    CountWhere,
    Handle,
    Keep,
    MapTo,
    Matches,
    OneOf,
    Present,
    Truncate,
    Within,
)
from pipelines.contract.model import DAY_MS, HOUR_MS, MINUTE_MS, Contract
from pipelines.explain import duration, tell
from pipelines.explain.wording import action_words
from pipelines.trouble import Exit, Trouble
from tests.support.shipped import AS_OF


def test_every_field_of_every_event_type_is_used_or_has_a_reason_not_to_be(shipped: Contract) -> None:
    for name in shipped.events:
        for field in tell(shipped, name, as_of=AS_OF).fields:
            assert bool(field.uses) != bool(field.unused), f"{name} {field.path}"
            assert field.unused is None or "no line of the policy" not in field.unused, f"{name} {field.path}"


def test_a_field_that_never_leaves_is_told_with_the_policys_reason(shipped: Contract) -> None:
    (field,) = tell(shipped, "vpn.session", "client_ip", as_of=AS_OF).fields
    assert field.class_ == "network_identifier"
    assert field.unused == "network identifier; no purpose needs it"


def test_a_field_that_is_used_is_told_with_topic_purpose_ttl_and_readers(shipped: Contract) -> None:
    story = tell(shipped, "vpn.session", "bytes_up", as_of=AS_OF)
    use = next(use for use in story.fields[0].uses if use.topic == "network-metadata.security-enforcement")
    assert use.gives.startswith("only which range the number falls into: from 0, 1024, 1048576")
    view = next(view for view in story.views if view.topic == use.topic)
    topic = shipped.topics[use.topic]
    assert (view.purpose, view.consumers) == ("security-enforcement", topic.consumers)
    assert view.ttl == duration(topic.ttl_ms)


def test_only_the_views_that_use_a_field_are_told_with_it(shipped: Contract) -> None:
    story = tell(shipped, "vpn.session", "mtu", as_of=AS_OF)
    assert [view.topic for view in story.views] == ["network-metadata.support"]


def test_a_container_stands_for_all_that_it_holds(shipped: Contract) -> None:
    story = tell(shipped, "vpn.session", "tls", as_of=AS_OF)
    assert [field.path for field in story.fields] == ["tls.sni", "tls.fingerprint", "tls.client_random"]


@pytest.mark.parametrize(
    "spelled", ["checks[].id", "checks.id", 'partitions{"userdata"}.encrypted', "partitions{}.encrypted"]
)
def test_a_path_may_be_spelled_as_a_policy_or_as_a_schema_does(shipped: Contract, spelled: str) -> None:
    (field,) = tell(shipped, "posture.report", spelled, as_of=AS_OF).fields
    assert field.path == ("checks[].id" if spelled.startswith("checks") else "partitions{}.encrypted")


def test_the_versions_that_have_a_field_are_told(shipped: Contract) -> None:
    (field,) = tell(shipped, "vpn.session", "mtu", as_of=AS_OF).fields
    assert field.versions == (2,)


@pytest.mark.parametrize(
    ("event", "field", "hint"),
    [
        ("vpn.sesion", None, "Did you mean vpn.session"),
        ("nothing-like-it", None, "There are: ota.eligibility-check, "),
        ("vpn.session", "clientip", "Did you mean client_ip"),
        ("vpn.session", "tsl", "Did you mean tls"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    shipped: Contract, event: str, field: str | None, hint: str
) -> None:
    with pytest.raises(Trouble) as refused:
        tell(shipped, event, field, as_of=AS_OF)
    assert refused.value.exit_code is Exit.USAGE
    assert refused.value.hint.startswith(hint)


def test_a_review_that_ended_is_told_as_such(shipped: Contract) -> None:
    (one, *_) = tell(shipped, "vpn.session", as_of=date(2040, 1, 1)).views
    assert one.review.endswith("nothing is relayed")


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Keep(), "the value as it is"),
        (Within(1, 64), "the number as it is, if it lies from 1 to 64; anything else: this view gets nothing"),
        (Bucket((0, 1024)), "only which range the number falls into: from 0, 1024; below: a quarantine note"),
        (Truncate(HOUR_MS), "the time, rounded down to 1 h (UTC)"),
        (
            Truncate(HOUR_MS, 72 * HOUR_MS),
            "the time, rounded down to 1 h (UTC); nothing if it lies more than 72 h from its arrival",
        ),
        (OneOf(("a", "b"), "other"), "the text if it is one of a, b; anything else becomes 'other'"),
        (OneOf(("a",), None, "words"), "the text if it is one of the list 'words' (1 word); anything else: this view"),
        (Matches("a|b", 1, ("a", "b")), "the text if it matches a|b (2 possible texts); anything else: this view"),
        (MapTo(((True, "yes"),)), "a word for the value: true → yes; anything else: this view gets nothing"),
        (Count(), "only how many there are, rounded down to 0, 1, 2, 4, 8, 16, 32 or 64"),
        (CountWhere("outcome", ("FAIL", "ERROR")), "only how many have outcome = FAIL or ERROR, rounded down"),
        (Present(), "only whether there is a value"),
        (Handle(), "a keyed handle of the device, 16 bytes"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else None,
)
def test_every_action_has_its_sentence(action: Action, words: str) -> None:
    assert action_words(action, kind="device").startswith(words)


def test_a_long_list_is_cut_and_says_how_long_it_is() -> None:
    many = tuple(f"word{n}" for n in range(30))
    assert action_words(OneOf(many), kind=None).startswith("the text if it is one of word0, word1, ")
    assert "(30 in all)" in action_words(OneOf(many), kind=None)


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (48 * HOUR_MS, "48 h"),
        (DAY_MS, "24 h"),
        (30 * DAY_MS, "30 d"),
        (15 * MINUTE_MS, "15 min"),
        (1500, "1500 ms"),
        (0, "0 ms"),
    ],
)
def test_a_span_is_said_in_the_unit_that_people_use(ms: int, words: str) -> None:
    assert duration(ms) == words
