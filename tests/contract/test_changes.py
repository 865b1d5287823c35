"""Comparing contracts: nothing of the same, worse of every loosening, better of the way back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contract import digest_of, load
from pipelines.contract.changes import Change, Direction, accepted_since, compare, since
from pipelines.contract.linkage.accepting import read_linkage
from pipelines.contract.model import Contract, Linkage
from pipelines.contract.reading import read
from pipelines.contract.report import Report
from tests.contract.loosening import Loosening, loosenings
from tests.support.contract_folders import BASE, TODAY, edited, freshened

ROOT = Path(__file__).parents[2]
POLICY, PURPOSES, TOPICS = "policies/vpn/session.yaml", "policies/purposes.yaml", "topics.yaml"
REVIEWS = "policies/pipeline-topics.yaml"
SCHEMA, LISTS = "schemas/raw/vpn/session.v1.avsc", "policies/lists.yaml"
WORSE, BETTER, NEUTRAL = Direction.WORSE, Direction.BETTER, Direction.NEUTRAL


@cache
def shipped() -> Contract:
    contract = load(ROOT, as_of=date(2026, 11, 30)).contract
    assert contract is not None
    return contract


def contract_of(folder: Path) -> Contract:
    contract = load(folder, as_of=TODAY).contract
    assert contract is not None
    return contract


def directions(changes: tuple[Change, ...]) -> set[Direction]:
    return {change.direction for change in changes}


def test_a_contract_compared_with_itself_has_no_change() -> None:
    assert compare(shipped(), shipped()) == ()
    assert compare(contract_of(BASE), contract_of(BASE)) == ()


def test_there_are_loosenings_of_every_kind_to_draw_from() -> None:
    kinds = {loosening.name.rpartition(": ")[2] for loosening in loosenings(shipped())}
    assert kinds == {"slower", "more bits", "a handle", "longer", "later", "wider", "finer"}
    assert {loosening.purpose for loosening in loosenings(shipped())} == set(shipped().purposes)


@pytest.mark.slow
@settings(max_examples=20)
@given(st.data())
def test_a_single_loosening_is_worse_and_the_way_back_better_and_the_digest_is_another(data: st.DataObject) -> None:
    loosening: Loosening = data.draw(st.sampled_from(loosenings(shipped())))
    old, new = shipped(), loosening.apply(shipped())
    there, back = compare(old, new), compare(new, old)
    assert directions(there) == {WORSE}
    assert directions(back) == {BETTER}
    assert {change.where for change in there} == {change.where for change in back}
    assert since(old, new, loosening.purpose) == there
    assert digest_of(old, loosening.purpose) != digest_of(new, loosening.purpose)
    other = data.draw(st.sampled_from(sorted(set(old.purposes) - {loosening.purpose})))
    assert digest_of(old, other) == digest_of(new, other)


@settings(max_examples=10)
@given(st.data())
def test_several_loosenings_are_all_told_and_a_way_back_turns_each(data: st.DataObject) -> None:
    several = data.draw(st.lists(st.sampled_from(loosenings(shipped())), min_size=2, max_size=5, unique_by=_thing))
    new = shipped()
    for loosening in several:
        new = loosening.apply(new)
    there, back = compare(shipped(), new), compare(new, shipped())
    assert len(there) >= len(several)
    assert sorted((change.where, change.direction.turned()) for change in there) == sorted(
        (change.where, change.direction) for change in back
    )


def _thing(loosening: Loosening) -> str:
    return loosening.name.partition(" ")[0].rstrip(":")  # one of an event type, topic or purpose


CASES = {
    "an edge less": (POLICY, "[0, 1KiB, 1MiB]", "[0, 1MiB]", BETTER, "bucket"),
    "another edge": (POLICY, "[0, 1KiB, 1MiB]", "[0, 2KiB, 1MiB]", WORSE, "cannot be compared"),
    "a coarser time": (POLICY, "{truncate: 1h}", "{truncate: 1d}", BETTER, "truncate 1h → truncate 1d"),
    "a limit": (POLICY, "{truncate: 1h}", "{truncate: {to: 1h, within: 72h}}", BETTER, "1h → truncate 1h within 3d"),
    "presence for a number": (POLICY, "{bucket: [0, 1KiB, 1MiB]}", "present", BETTER, "present"),
    "presence for a count": (POLICY, "dns_names: count", "dns_names: present", BETTER, "present"),
    "a name": (POLICY, "ok: keep", "ok: {do: keep, as: good}", NEUTRAL, "ok → good"),
    "a word in a list": (LISTS, "eu-west", "eu-west, eu-east", WORSE, "came: [eu-east]"),
    "another else": (POLICY, "regions}, else: other}", "regions}, else: elsewhere}", NEUTRAL, "elsewhere"),
    "no else": (POLICY, "regions}, else: other}", "regions}}", BETTER, "one_of"),
    "a field less": (POLICY, "    dns_names: count\n", "", BETTER, "field removed"),
    "a reason": (POLICY, "no purpose needs it", "nobody asked for it", NEUTRAL, "nobody asked"),
    "a longer life": (TOPICS, "ttl: 72h", "ttl: 73h", WORSE, "longer"),
    "a longer raw life": (TOPICS, "ttl: 24h, ", "ttl: 25h, ", WORSE, "longer"),
    "a producer": (TOPICS, "[vpn-gateway]", "[vpn-gateway, other]", WORSE, "other"),
    "a consumer of quarantine": (TOPICS, "[operators]", "[]", BETTER, "operators"),
    "a longer life of notes that may be": (REVIEWS, "max_ttl: 7d", "max_ttl: 8d", WORSE, "max_ttl: 7d → 8d"),
    "a reader of notes less that may be": (REVIEWS, "[operators]", "[]", BETTER, "reviewed consumer removed"),
    "a later look at the quarantine": (
        REVIEWS,
        "PR-3, approved: 2026-01-01, expires: 2027-12-31",
        "PR-3, approved: 2026-01-01, expires: 2028-01-01",
        WORSE,
        "later",
    ),
    "a shorter proof of changes": (
        TOPICS,
        "quarantine: {",
        "changes: {topic: audit.retention-changes, ttl: 399d, consumers: []}\nquarantine: {",
        WORSE,
        "ttl: 400d → 399d",
    ),
    "a reader of changes": (
        TOPICS,
        "quarantine: {",
        "changes: {topic: audit.retention-changes, ttl: 400d, consumers: [office]}\nquarantine: {",
        WORSE,
        "consumer added: office",
    ),
    "partitions": (TOPICS, "late: 24h\n    partitions: 2", "late: 24h\n    partitions: 3", NEUTRAL, "partitions"),
    "a codec": (
        TOPICS,
        "    late: 24h",
        "    compression: gzip\n    late: 24h",
        NEUTRAL,
        "not set → gzip",
    ),
    "a basis": (TOPICS, "product: p", "product: q", NEUTRAL, "basis product"),
    "a faster rotation": (PURPOSES, "rotate: 1d", "rotate: 12h", BETTER, "shorter"),
    "an answer": (PURPOSES, "who: The support desk", "who: The support desk and its lead", NEUTRAL, "who"),
    "a longer review": (PURPOSES, "expires: 2027-01-01", "expires: 2028-01-01", WORSE, "longer"),
    "a class that allows less": (
        SCHEMA,
        '"account_id", "type": ["null", "string"], "class": "account_identifier"',
        '"account_id", "type": ["null", "string"], "class": "credential"',
        BETTER,
        "class: account_identifier → credential",
    ),
    "a bound of what is counted": (
        SCHEMA,
        '"items": "string"}, "class": "content"}',
        '"items": "string"}, "class": "content", "max_items": 9}',
        BETTER,
        "no bound → 9",
    ),
    "a truth in a map": (
        POLICY,
        "ok: keep",
        "ok: {map: {true: yes, false: no}}",
        NEUTRAL,
        "map [true: yes, false: no]",
    ),
    "more items": (SCHEMA, '"max_items": 8', '"max_items": 9', WORSE, "max_items: 8 → 9"),
}


@pytest.mark.parametrize(("name", "before", "after", "direction", "said"), CASES.values(), ids=CASES)
def test_each_change_of_a_file_has_its_direction_and_is_named(
    name: str, before: str, after: str, direction: Direction, said: str, tmp_path: Path
) -> None:
    old, new = contract_of(BASE), contract_of(edited(tmp_path, {name: (before, after)}))
    there = compare(old, new)
    assert directions(there) == {direction}
    assert any(said in f"{change.what} {change.why}" for change in there)
    if said != "cannot be compared":
        assert directions(compare(new, old)) == {direction.turned()}


def test_a_field_that_goes_from_never_to_a_view_is_worse(tmp_path: Path) -> None:
    folder = edited(tmp_path, {POLICY: ("  'checks[].detail': content\n", "")})
    policy = folder / POLICY
    policy.write_text(policy.read_text().replace("    ok: keep\n", "    ok: keep\n    'checks[].detail': present\n"))
    loaded = load(folder, as_of=TODAY)
    assert loaded.contract is not None
    there = compare(contract_of(BASE), loaded.contract)
    assert [(change.direction, change.what) for change in there] == [
        (WORSE, "field added: present as detail"),
        (NEUTRAL, "never: removed"),
    ]


LINKED = """warn_above: 20
accepted:
  - event: vpn.session
    purposes: [support, detection]
    up_to: 24
    reason: both explain one failure
across_epochs:
  - purpose: support
    up_to: 1000
    reason: one record explains one failure
"""
LINKAGE = {
    "a higher limit": ("warn_above: 20", "warn_above: 21", WORSE, "warn_above: 20 → 21"),
    "more bits": ("up_to: 24", "up_to: 25", WORSE, "accepted up to 24 bits → 25 bits"),
    "a ceiling": ("up_to: 24", "up_to: 24\n    ceiling: 30", WORSE, "accepted up to 24 bits → 24 bits, 30 at most"),
    "the event itself": ("up_to: 24", "up_to: event", WORSE, "accepted up to 24 bits → the event itself"),
    "another reason": ("both explain one", "both explain a", NEUTRAL, "both explain a failure"),
    "more bits across epochs": ("up_to: 1000", "up_to: 1001", WORSE, "accepted up to 1000 bits → 1001 bits"),
    "another reason across epochs": ("one record", "a record", NEUTRAL, "a record explains one failure"),
}


@pytest.mark.parametrize(("before", "after", "direction", "said"), LINKAGE.values(), ids=LINKAGE)
def test_who_may_link_more_is_told(before: str, after: str, direction: Direction, said: str) -> None:
    old, new = (
        replace(contract_of(BASE), linkage=linkage_of(text)) for text in (LINKED, LINKED.replace(before, after))
    )
    (there,), (back,) = compare(old, new), compare(new, old)
    assert said in there.what
    assert (there.direction, back.direction, there.received) == (direction, direction.turned(), False)


def test_an_acceptance_that_comes_is_worse_and_one_that_goes_is_better() -> None:
    new = replace(contract_of(BASE), linkage=linkage_of(LINKED))
    old = replace(new, linkage=replace(new.linkage, accepted=()))
    assert [(one.direction, one.purposes) for one in compare(old, new)] == [(WORSE, {"support", "detection"})]
    assert directions(compare(new, old)) == {BETTER}


def test_an_acceptance_across_epochs_that_comes_is_worse_and_concerns_its_purpose_alone() -> None:
    new = contract_of(BASE)
    old = replace(new, linkage=Linkage())
    (there,), (back,) = compare(old, new), compare(new, old)
    assert (there.where, there.purposes) == ("linkage of support across epochs", {"support"})
    assert there.what.startswith("accepted up to 1000 bits: ")
    assert (there.direction, back.direction, there.received) == (WORSE, BETTER, False)
    assert accepted_since(old, new, "support") == (there,)
    assert accepted_since(old, new, "detection") == ()


def linkage_of(text: str) -> Linkage:
    report = Report()
    node = read(text.encode(), "policies/linkage.yaml", report)
    assert node is not None
    return read_linkage(node, report)


def test_a_number_that_is_read_another_way_is_told_and_signed_by_nobody(tmp_path: Path) -> None:
    decimal = '{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}'
    number = '"name": "bytes_up", "type": ["null", '
    folder = edited(tmp_path / "old", {SCHEMA: (f'{number}"long"]', f"{number}{decimal}]"), POLICY: ("1KiB", "1024")})
    old = contract_of(folder)
    (folder / SCHEMA).write_text((folder / SCHEMA).read_text().replace('"scale": 2', '"scale": 4'))
    (told,) = compare(old, contract_of(folder))
    assert told.what == "raw type: bytes (decimal of scale 2) → bytes (decimal of scale 4)"
    assert (told.direction, told.received) == (WORSE, False)


def test_no_purpose_receives_anything_new_in_silence(tmp_path: Path) -> None:
    for number, (name, before, after, *_) in enumerate(CASES.values()):
        old, new = contract_of(BASE), contract_of(edited(tmp_path / str(number), {name: (before, after)}))
        changed = digest_of(old, "support") != digest_of(new, "support")
        assert bool(since(old, new, "support")) == changed, name


def test_a_comment_and_another_spelling_change_nothing(tmp_path: Path) -> None:
    folder = edited(tmp_path, {POLICY: ("1KiB", "1024"), TOPICS: ("raw:\n", "# about raw topics\nraw:\n")})
    assert compare(contract_of(BASE), contract_of(freshened(folder))) == ()


def test_a_record_whose_envelope_tells_a_finer_time_is_worse_although_a_field_went(tmp_path: Path) -> None:
    coarse = edited(tmp_path / "coarse", {POLICY: ("{truncate: 1h}", "{truncate: 1d}")})
    without = edited(tmp_path / "without", {POLICY: ("    occurred_at: {truncate: 1h}\n", "")})
    there = compare(contract_of(coarse), contract_of(without))
    assert [(change.direction, change.what) for change in there] == [
        (WORSE, "the time of each record, to 1d → 1h"),
        (BETTER, "field removed: truncate 1d"),
    ]


def test_a_changed_receipt_of_which_nothing_is_said_is_itself_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.contract.changes.views.changes", lambda *_: iter(()))
    (told,) = compare(contract_of(BASE), contract_of(edited(tmp_path, {POLICY: ("1KiB", "2KiB")})))
    assert (told.direction, told.what, told.purposes) == (WORSE, "something else is received", {"support"})
