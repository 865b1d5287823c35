"""The digest: what matters changes it, what does not leaves it alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipelines.contract import load, load_valid
from pipelines.contract.digest import digest as of_parts
from pipelines.contract.findings import Position
from pipelines.contract.model import Basis, Topic
from tests.support.contract_folders import BASE, TODAY, edited, freshened

POLICY, PURPOSES, TOPICS = "policies/vpn/session.yaml", "policies/purposes.yaml", "topics.yaml"
SCHEMA, LISTS = "schemas/raw/vpn/session.v1.avsc", "policies/lists.yaml"
REVIEWS = "policies/pipeline-topics.yaml"
CHANGES = "changes: {{topic: audit.retention-changes, ttl: {}, consumers: []}}\n"
SAME = {
    "a comment": (POLICY, "views:", "# about views\nviews:"),
    "a blank line": (PURPOSES, "  handle: device", "\n  handle: device"),
    "another style": (POLICY, "[free, paid]", "['free', \"paid\"]"),
    "the order of rules": (
        POLICY,
        "    device_id: handle\n    occurred_at: {truncate: 1h}\n",
        "    occurred_at: {truncate: 60m}\n    device_id: handle\n",
    ),
    "a doc": (SCHEMA, '"name": "ok",', '"name": "ok", "doc": "It went well.",'),
    "a unit": (POLICY, "1KiB", "1024"),
}
OTHER = {
    "an edge": (POLICY, "1KiB", "2KiB"),
    "a limit": (POLICY, "{truncate: 1h}", "{truncate: {to: 1h, within: 72h}}"),
    "a name": (POLICY, "ok: keep", "ok: {do: keep, as: good}"),
    "a reason": (POLICY, "no purpose needs it", "nobody asked for it"),
    "a list": (LISTS, "eu-west", "eu-east"),
    "a ttl": (TOPICS, "ttl: 72h", "ttl: 73h"),
    "a codec": (TOPICS, "    late: 24h", "    compression: gzip\n    late: 24h"),
    "a consumer": (TOPICS, "[support-desk]", "[support-desk, enyra]"),
    "a rotation": (PURPOSES, "rotate: 1d", "rotate: 2d"),
    "a review": (PURPOSES, "PR-1", "PR-2"),
    "a class": (
        SCHEMA,
        '"account_id", "type": ["null", "string"], "class": "account_identifier"',
        '"account_id", "type": ["null", "string"], "class": "credential"',
    ),
    "a bound": (SCHEMA, '"max_items": 8', '"max_items": 9'),
    "a logical type": (SCHEMA, "timestamp-millis", "timestamp-micros"),
    "a topic of changes": (TOPICS, "quarantine: {", CHANGES.format("399d") + "quarantine: {"),
    "a review of the quarantine": (REVIEWS, "PR-3", "PR-9"),
}


def digest(folder: Path) -> bytes:
    return load_valid(freshened(folder), as_of=TODAY).digest


@pytest.mark.parametrize(("name", "old", "new"), SAME.values(), ids=SAME)
def test_what_means_the_same_has_the_same_digest(name: str, old: str, new: str, tmp_path: Path) -> None:
    assert digest(edited(tmp_path, {name: (old, new)})) == load_valid(BASE, as_of=TODAY).digest


@pytest.mark.parametrize(("name", "old", "new"), OTHER.values(), ids=OTHER)
def test_what_means_something_else_has_another_digest(name: str, old: str, new: str, tmp_path: Path) -> None:
    assert digest(edited(tmp_path, {name: (old, new)})) != load_valid(BASE, as_of=TODAY).digest


def test_the_policy_version_is_the_beginning_of_the_digest() -> None:
    contract = load(BASE, as_of=TODAY).contract
    assert contract is not None
    assert len(contract.digest) == 32
    assert contract.policy_version == contract.digest.hex()[:12]


def test_a_topic_without_a_codec_has_the_digest_that_it_had_before_there_were_codecs() -> None:
    basis = Basis("p", "s", "l", date(2026, 1, 1), date(2027, 1, 1))
    topic = Topic("audit.a", 2, 1, 3, ("office",), basis, Position("topics.yaml", 1, 1))
    before = "49a93798d4b3e792f3a9f3c4971d2073a4aaa9e3e183bc5ec2d4b79ce13c8a9a"
    assert of_parts(topic).hex() == before
