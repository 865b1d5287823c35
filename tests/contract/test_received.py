"""What a review covers: no spelling enters its digest, and everything that a reviewer judged does."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.contract import digest_of, load
from pipelines.contract.received import received
from tests.support.contract_folders import BASE, TODAY, edited

POLICY, PURPOSES, TOPICS = "policies/vpn/session.yaml", "policies/purposes.yaml", "topics.yaml"
SCHEMA, LISTS = "schemas/raw/vpn/session.v1.avsc", "policies/lists.yaml"
Edits = dict[str, tuple[str, str]]
SAME: dict[str, Edits] = {
    "a comment": {POLICY: ("views:", "# about views\nviews:")},
    "another comment": {PURPOSES: ("rotate: 1d", "rotate: 1d  # every day")},
    "the order of rules": {
        POLICY: (
            "    device_id: handle\n    occurred_at: {truncate: 1h}\n",
            "    occurred_at: {truncate: 60m}\n    device_id: handle\n",
        )
    },
    "the order of words": {POLICY: ("[free, paid]", "[paid, free]")},
    "a unit": {POLICY: ("1KiB", "1024")},
    "the name of a list": {POLICY: ("{list: regions}", "{list: places}"), LISTS: ("regions:", "places:")},
    "a renewed review": {PURPOSES: ("expires: 2027-01-01", "expires: 2028-01-01")},
    "another owner": {PURPOSES: ("owner: privacy-office", "owner: privacy-board")},
    "partitions": {TOPICS: ("late: 24h\n    partitions: 2", "late: 24h\n    partitions: 9")},
    "a basis": {TOPICS: ("product: p", "product: q")},
    "a producer": {TOPICS: ("[vpn-gateway]", "[vpn-gateway, other]")},
    "a reason": {POLICY: ("no purpose needs it", "nobody asked for it")},
    "a doc": {SCHEMA: ('"name": "ok",', '"name": "ok", "doc": "It went well.",')},
}
OTHER: dict[str, Edits] = {
    "an edge": {POLICY: ("1KiB", "2KiB")},
    "a name": {POLICY: ("ok: keep", "ok: {do: keep, as: good}")},
    "a step": {POLICY: ("{truncate: 1h}", "{truncate: 2h}")},
    "a limit": {POLICY: ("{truncate: 1h}", "{truncate: {to: 1h, within: 72h}}")},
    "a word": {POLICY: ("[free, paid]", "[free, paid, gone]")},
    "an else": {POLICY: ("else: other}\n    ok", "else: rest}\n    ok")},
    "a word of a list": {LISTS: ("eu-west", "eu-east")},
    "a field": {POLICY: ("    dns_names: count\n", "")},
    "a ttl": {TOPICS: ("ttl: 72h", "ttl: 73h")},
    "lateness": {TOPICS: ("late: 24h", "late: 23h")},
    "a consumer": {TOPICS: ("[support-desk]", "[support-desk, enyra]")},
    "a rotation": {PURPOSES: ("rotate: 1d", "rotate: 2d")},
    "bits": {PURPOSES: ("max_bits: ", "max_bits: 1")},
    "an objective": {PURPOSES: ("objective: support", "objective: security")},
    "a description": {PURPOSES: ("Help who asks", "Help whoever asks")},
    "a legal basis": {PURPOSES: ("dpv:Contract", "dpv:Consent")},
    "an answer": {PURPOSES: ("who: The support desk", "who: Everybody at support")},
    "a bound of what is counted": {
        SCHEMA: ('"items": "string"}, "class": "content"}', '"items": "string"}, "class": "content", "max_items": 9}')
    },
    "a bound": {SCHEMA: ('"max_items": 8', '"max_items": 9')},
    "a logical type": {SCHEMA: ("timestamp-millis", "timestamp-micros")},
}


def digest(folder: Path) -> str:
    contract = load(folder, as_of=TODAY).contract
    assert contract is not None
    return digest_of(contract, "support")


@pytest.mark.parametrize("edits", SAME.values(), ids=SAME)
def test_another_spelling_needs_no_new_signature(edits: Edits, tmp_path: Path) -> None:
    assert digest(edited(tmp_path, edits)) == digest(BASE)


@pytest.mark.parametrize("edits", OTHER.values(), ids=OTHER)
def test_what_a_reviewer_judged_cannot_change_under_a_signature(edits: Edits, tmp_path: Path) -> None:
    folder = edited(tmp_path, edits)
    assert digest(folder) != digest(BASE)
    assert "review-signed" in {found.check for found in load(folder, as_of=TODAY).findings}


def test_two_patterns_that_accept_the_same_texts_are_one(tmp_path: Path) -> None:
    digests = [
        digest(
            edited(tmp_path / str(number), {POLICY: ("{one_of: [free, paid]}", f"{{matches: '{pattern}', max: 2}}")})
        )
        for number, pattern in enumerate((r"a\d", "a[0-9]", "a[0-8]"))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_the_class_of_what_a_field_is_made_from_is_part_of_it(tmp_path: Path) -> None:
    folder = edited(tmp_path, {POLICY: ("dns_names: count", "dns_names: present")})
    before = digest(folder)
    schema = folder / SCHEMA
    start, name, rest = schema.read_text().partition('"name": "dns_names"')
    assert '"class": "content"' in rest
    schema.write_text(start + name + rest.replace('"class": "content"', '"class": "credential"', 1))
    assert digest(folder) != before


def test_the_recipe_names_its_format() -> None:
    contract = load(BASE, as_of=TODAY).contract
    assert contract is not None
    assert received(contract, "support")["format"] == "review-3"


# Signed by a release whose newest recipe was review-2, for the contract in fixtures/base as it stands.
SIGNED_BEFORE = "867b9073cc27705715e63efc1c27c4b9a3be809487c7a8c293824fce8565e21b"


def test_a_digest_of_the_recipe_before_is_recognized_and_has_to_be_signed_again(tmp_path: Path) -> None:
    folder = edited(tmp_path, {})
    contract = load(folder, as_of=TODAY).contract
    assert contract is not None
    assert digest_of(contract, "support", "review-2") == SIGNED_BEFORE
    purposes = folder / PURPOSES
    purposes.write_text(purposes.read_text().replace(digest(folder), SIGNED_BEFORE))
    (found,) = load(folder, as_of=TODAY).findings
    assert found.check == "review-signed"
    assert "signed under the recipe review-2. What that covers has not changed" in found.message


def test_what_changed_since_the_recipe_before_is_not_said_to_be_unchanged(tmp_path: Path) -> None:
    folder = edited(tmp_path, {TOPICS: ("ttl: 72h", "ttl: 73h")})
    purposes = folder / PURPOSES
    purposes.write_text(purposes.read_text().replace(digest(BASE), SIGNED_BEFORE))
    (found,) = load(folder, as_of=TODAY).findings
    assert "receives something else" in found.message
