"""Overlaid: what a case still says of a view under an overlay. Cases are written about the contract without one.

A rule that the overlay leaves as it is gives what the case says. Where the overlay changes a view, nothing more may
come out than the case says, and less may: a field that it drops or coarsens is not compared, and the whole record
may be held back. That an overlay only tightens is the contract's to hold; here it is seen at work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipelines.contract.actions import Action
from pipelines.contract.model import Contract, OutputArray, OutputField, View
from pipelines.explain.cases.model import Case, Expected


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is compared of a view: the `expected` fields that there still are. `less`: the record may be held back."""

    view: View
    expected: Expected
    less: bool = False


def wanted(case: Case, contract: Contract, base: Contract | None) -> tuple[Wanted, ...]:
    """What a case wants of each view of its event type.

    Args:
        contract: what runs.
        base: the contract without the overlay, whose views the case speaks of; None if no overlay is laid.
    """
    views = {view.topic: view for view in contract.events[case.event].views} if case.event in contract.events else {}
    if base is None:
        return tuple(Wanted(views[topic], expected) for topic, expected in case.views.items())
    was = {view.topic: view for view in base.events[case.event].views}
    return tuple(
        _under(was[topic], views[topic], expected, _ends(contract, topic) != _ends(base, topic))
        for topic, expected in case.views.items()
        if topic in views
    )


def _under(was: View, view: View, expected: Expected, ends_otherwise: bool) -> Wanted:  # noqa: FBT001 - one caller
    old, new = _outputs(was), _outputs(view)
    same = {name for name in new if old.get(name) == new[name]}
    record = {name: value for name, value in expected.record.items() if name in same}
    return Wanted(view, replace(expected, record=record), less=ends_otherwise or old != new)


def _outputs(view: View) -> Mapping[str, tuple[tuple[str, Action, str], ...]]:
    """The rules that make each output."""
    return {
        output.name: tuple((str(one.rule.path), one.rule.action, one.name) for one in _fields(output))
        for output in view.output
    }


def _fields(output: OutputField | OutputArray) -> tuple[OutputField, ...]:
    return output.fields if isinstance(output, OutputArray) else (output,)


def _ends(contract: Contract, topic: str) -> int:
    review = contract.purposes[topic.partition(".")[2]].review
    return 0 if review is None else review.expires_ms
