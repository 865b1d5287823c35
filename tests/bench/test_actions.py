"""The micro-benchmark measures what it says: every action, on events that are minimized and not refused."""

from datetime import date
from pathlib import Path
from typing import get_args

from bench import actions, walk
from pipelines.contract import load
from pipelines.contract.actions import Action
from pipelines.contract.model import OutputField
from pipelines.minimize import Minimized, compile_event


def test_every_action_has_a_case_whose_events_the_walk_minimizes(tmp_path: Path) -> None:
    contract = load(actions.write(tmp_path), as_of=date(2026, 6, 1)).contract
    assert contract is not None
    seen = set()
    for name in actions.CASES:
        event = contract.events[f"bench.{name}"]
        program = compile_event(event)
        for value in actions.pool(name, b"\xc3\x01" + event.versions[-1].fingerprint, 20):
            (outcome,) = program.minimize(value, [lambda _: bytes(16)], 0)
            assert isinstance(outcome, Minimized), name
        (output,) = event.views[0].output
        (*_, leaf) = [output] if isinstance(output, OutputField) else output.fields
        seen.add(type(leaf.rule.action))
    assert seen == set(get_args(Action))


def test_a_row_holds_the_walk_beside_what_it_stands_in_for() -> None:
    compiled = {"event a walk": 2.0, "event a pass": 0.5, "event a decode": 9.0}
    rows = walk.rows_of({"compiled": compiled, "pure": {"event a walk": 8.0}})
    assert rows == [
        {"case": "event a", "walk": 2.0, "nothing kept": 0.5, "decode": 9.0, "decode / walk": 4.5, "not compiled": 8.0}
    ]
