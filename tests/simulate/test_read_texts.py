"""Simulated texts and doubles that views read as numbers and times are read, and those spoilt on purpose are not."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.contract import load
from pipelines.minimize import Fault, compile_event
from pipelines.simulate import Simulation, find
from pipelines.simulate.faults import Encoder
from tests.support.contract_folders import TODAY, freshened, overlaid

START_MS = 1_780_300_000_000
FIELDS = [
    {"name": "load", "type": "string", "class": "metadata"},
    {"name": "seen", "type": "string", "class": "event_time"},
    {"name": "left", "type": "string", "class": "event_time"},
    {"name": "came", "type": "double", "class": "event_time"},
]
RULES = """ok: keep
    load: {bucket: [0, 0.5, 2], read: decimal}
    seen: {truncate: 1h, read: iso8601}
    left: {truncate: 1h, read: epoch_seconds}
    came: {truncate: 1h, read: epoch_seconds}"""


def reading_folder(to: Path) -> Path:
    """The base contract with fields that its one view reads."""
    overlaid(to)
    schema = to / "schemas/raw/vpn/session.v1.avsc"
    said = json.loads(schema.read_text())
    schema.write_text(json.dumps({**said, "fields": [*said["fields"], *FIELDS]}))
    for name, before, after in (
        ("policies/vpn/session.yaml", "ok: keep", RULES),
        ("policies/purposes.yaml", "max_bits: 96", "max_bits: 200"),
    ):
        text = (to / name).read_text()
        assert before in text
        (to / name).write_text(text.replace(before, after))
    return freshened(to)


def test_what_is_read_is_simulated_as_it_is_read(tmp_path: Path) -> None:
    loaded = load(reading_folder(tmp_path), as_of=TODAY)
    assert loaded.findings == ()
    contract = loaded.contract
    assert contract is not None
    event = contract.events["vpn.session"]
    program, encode = compile_event(event), Encoder(event.versions[0])
    codes: dict[str, int] = {}
    for made in Simulation(contract, seed=3, devices=20, faults=0.3).events(600, start_ms=START_MS):
        outcome = program.minimize(made.value or encode(made.fields), [lambda _: b"\xee" * 16], START_MS)
        if isinstance(outcome, Fault) or outcome[0] is None:
            assert made.fault == "structural"
        elif isinstance(outcome[0], Fault):
            assert made.fault == "bound"
            codes[outcome[0].code] = codes.get(outcome[0].code, 0) + 1
        else:
            assert made.fault is None
            assert find(outcome[0].value) is None
    assert codes["unparsable"] > 5
