"""Nothing that a purpose receives changes under a signature: every number and word of a contract's files, changed."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipelines.contract import digest_of, load
from pipelines.contract.bits import view_bits
from pipelines.contract.changes import Direction, since
from pipelines.contract.model import Contract
from pipelines.minimize import Fault, Minimized, compile_event
from tests.support.contract_folders import TODAY, edited
from tests.support.random_data import Speller, random_datum

POLICY, SCHEMA = "policies/vpn/session.yaml", "schemas/raw/vpn/session.v1.avsc"
FILES = (POLICY, SCHEMA, "policies/purposes.yaml", "policies/lists.yaml", "topics.yaml")
CONSTANT = b"\x00" * 16
EVENTS = 150
RICH = {
    SCHEMA: (
        '    {"name": "labels"',
        """    {"name": "phase", "class": "metadata", "type": {
      "type": "enum", "name": "Phase", "symbols": ["UP", "DOWN"]}},
    {"name": "level", "type": "int", "class": "metadata"},
    {"name": "app", "type": "string", "class": "metadata"},
    {"name": "names", "max_items": 3, "type": {"type": "array", "items": "string"}, "class": "content"},
    {"name": "steps", "max_items": 5, "type": {"type": "array", "items": {
      "type": "record", "name": "Step", "fields": [{"name": "good", "type": "boolean", "class": "metadata"}]}}},
    {"name": "labels\"""",
    ),
    POLICY: (
        "    ok: keep\n",
        r"""    ok: keep
    phase: keep
    level: {within: [0, 9]}
    app: {matches: 'v[0-9]\.[0-9]', max: 4}
    names: count
    steps: {count_where: {good: [true]}}
""",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return edited(tmp_path_factory.mktemp("rich"), RICH)


def changed(text: str) -> list[str]:
    """The text with each number grown and each word of the language exchanged, one at a time."""
    numbers = [(match, str(int(match[0]) + 1)) for match in re.finditer(r"(?<![\w.-])\d+(?![\w.-])", text)]
    spans = [(match, f"{int(match[1]) + 1}{match[2]}") for match in re.finditer(r"\b(\d+)(KiB|MiB|[smhd])\b", text)]
    words = [(match, "present") for match in re.finditer(r"\b(keep|count)\b", text)]
    words += [(match, "credential") for match in re.finditer(r'(?<="class": ")\w+', text)]
    words += [(match, f"{match[0]}x") for match in re.finditer(r"(?<=[ \[])[a-zA-Z][\w-]+(?=[\],}])", text)]
    words += [(match, f"{match[0]}X") for match in re.finditer(r'(?<=")[A-Z]+(?=")', text)]  # an enum's symbols
    words += [(match, f"{match[0]} too") for match in re.finditer(r"(?m)(?<=: )[A-Z][^:{}]+$", text)]
    return [text[: match.start()] + new + text[match.end() :] for match, new in (*numbers, *spans, *words)]


def received_by(contract: Contract, raw: dict[bytes, list[bytes]]) -> dict[str, Any]:
    """What the purpose meets, by another way than its digest: its terms, promises, and what comes out of raw events."""
    purpose, (event,) = contract.purposes["support"], contract.events.values()
    program = compile_event(event)
    terms = (purpose.description, purpose.objective, purpose.iri, purpose.legal_basis, asdict(purpose.answers))
    said: dict[str, Any] = {"terms": (*terms, purpose.handle, purpose.rotate_ms, purpose.max_bits)}
    for topic in contract.topics.values():
        said[topic.name] = topic.ttl_ms, topic.late_ms, sorted(topic.consumers)
    (version,) = event.versions
    for at, view in enumerate(event.views):
        handlers = [lambda _: CONSTANT] * len(event.views)
        outcomes = [program.minimize(one, handlers, 0) for one in raw[version.fingerprint]]
        rows = [None if isinstance(one, Fault) else _body(one[at]) for one in outcomes]
        said[f"view {view.topic}"] = view.step_ms, view_bits(event.versions, view).count, view.schema, rows
    return said


def _body(outcome: Any) -> bytes | None:
    return outcome.value if isinstance(outcome, Minimized) else None


class Raw(dict[bytes, list[bytes]]):
    """Raw events by the schema that wrote them: one sequence of random ones for each fingerprint."""

    def __init__(self, contract: Contract) -> None:
        self._version = next(iter(contract.events.values())).versions[0]

    def __missing__(self, fingerprint: bytes) -> list[bytes]:
        rng, record = Random(5), self._version.record
        known = fingerprint == self._version.fingerprint
        data = [random_datum(rng, record) | _fitting(rng) for _ in range(EVENTS if known else 0)]
        self[fingerprint] = [Speller(rng).event(record, datum, fingerprint) for datum in data]
        return self[fingerprint]


def _fitting(rng: Random) -> dict[str, Any]:
    """Values that are let through most of the time, and at the edges of what is."""
    tier = [(b"tier", rng.choice((b"free", b"paid", b"paid", b"gone")))]
    return {
        "device_id": b"synthetic-device",
        "level": rng.choice((-1, 0, 3, 9, 9, 10)),
        "app": rng.choice((b"v1.5", b"v2.0", b"v9.9", b"v9.10")),
        "bytes_up": rng.choice((None, 0, 1_023, 1_024, 1_025, 1 << 20)),
        "names": [b"a"] * rng.choice((0, 1, 2, 3, 3, 4)),
        "steps": [{"good": rng.randrange(3) > 0}] * rng.choice((0, 1, 4, 5, 6)),
        "labels": tier if rng.randrange(3) else [],
    }


@pytest.mark.slow
def test_whatever_a_purpose_meets_differently_has_another_digest_and_is_told(folder: Path) -> None:
    contract = load(folder, as_of=TODAY).contract
    assert contract is not None
    raw = Raw(contract)
    before, digest = received_by(contract, raw), digest_of(contract, "support")
    assert sum(row is not None for row in before["view network-metadata.support"][-1]) > 10
    met = 0
    for name in FILES:
        original = (folder / name).read_text()
        for text in changed(original):
            (folder / name).write_text(text)
            new = load(folder, as_of=TODAY).contract
            if new is None or not {"support"} == new.purposes.keys() == {one.purpose for one in new.topics.values()}:
                continue
            line = next(one for one, was in zip(text.splitlines(), original.splitlines(), strict=True) if one != was)
            signed = digest_of(new, "support") != digest
            if _differ(before, received_by(new, raw)):
                met += 1
                assert signed, f"{name}: {line}"
            told = {change.direction for change in since(contract, new, "support")}
            assert told if signed else told <= {Direction.NEUTRAL}, f"{name}: {line}"
        (folder / name).write_text(original)
    assert met > 30


def _differ(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether something is met differently; records of another raw schema are not compared, there are none."""
    if before.keys() != after.keys():
        return True
    pairs = [(before[key], after[key]) for key in before]
    return any(old[:-1] != new[:-1] or (new[-1] != old[-1] and new[-1] != []) for old, new in pairs)
