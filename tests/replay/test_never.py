"""Which notes are said to be beyond any retry: those of faults that do not depend on the contract, and no others."""

from __future__ import annotations

import pytest

from pipelines.envelope import Note
from pipelines.minimize import FAULT_CODES
from pipelines.relay.lane import AHEAD_OF_CLOCK, INTERNAL, NO_BROKER_TIME, TOO_LARGE, UNREADABLE
from pipelines.replay.notes import NEVER_WHOLE, never

OWN = {fault.code for fault in (AHEAD_OF_CLOCK, INTERNAL, NO_BROKER_TIME, TOO_LARGE, UNREADABLE)}


def note(code: str, view: str | None) -> Note:
    return Note("raw.vpn.session", 0, 1, "vpn.session", view, code, "")


def test_every_code_is_one_that_notes_have() -> None:
    assert NEVER_WHOLE.keys() <= {*FAULT_CODES, *OWN}


@pytest.mark.parametrize("code", sorted(NEVER_WHOLE))
def test_a_fault_of_the_whole_event_that_no_contract_takes_away_is_never(code: str) -> None:
    assert never(note(code, None))


@pytest.mark.parametrize("code", sorted({*FAULT_CODES, *OWN} - NEVER_WHOLE.keys()))
def test_what_a_changed_contract_or_release_may_take_can_be_tried_again(code: str) -> None:
    assert never(note(code, None)) is None


def test_a_minimized_record_that_is_too_large_can_become_smaller() -> None:
    assert never(note("too_large", "network-metadata.support")) is None
