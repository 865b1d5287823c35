"""Running cases: the very program that workers run, a key that ends with the run, and what came out beside what should.

A difference holds names, codes and values of minimized records alone: what should come out (the case's author wrote
it) and what did come out (a consumer may read it). The raw event is not repeated, though it stands in the case's file:
output of tests ends in places that nobody reviews, and a habit of pasting raw events there is what this must not teach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipelines.contract.avro import Array, AvroType, Enum, Nullable, Primitive, Record
from pipelines.contract.findings import Position
from pipelines.contract.model import Contract, View
from pipelines.explain.cases.model import Case
from pipelines.explain.cases.overlaid import Wanted, wanted
from pipelines.explain.cases.records import HANDLE, record_of
from pipelines.explain.cases.values import spelled, whole
from pipelines.explain.trial import Bench, Outgoing, Trial
from pipelines.keys import throwaway_keyring

_NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a case and the program disagree. `topic` is "" for the event as a whole, `field` "" for a view's fate."""

    position: Position
    topic: str
    field: str
    expected: object
    got: object


@dataclass(frozen=True, slots=True)
class Run:
    """A case that was run: it passed if there are no differences. `trial` is what the program made of it."""

    case: Case
    trial: Trial
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether everything came out as the case says."""
        return not self.differences


def run_cases(contract: Contract, cases: Sequence[Case], *, base: Contract | None = None) -> Iterator[Run]:
    """Run cases in their order.

    Args:
        contract: whose program to run.
        base: under an overlay, the contract without it.
    """
    keys = throwaway_keyring()
    benches: dict[tuple[str, int], Bench] = {}
    for number, case in enumerate(cases, 1):
        at = (case.event, case.at_ms)
        bench = benches.get(at)
        if bench is None:
            bench = benches[at] = Bench(contract, contract.events[case.event], keys, at_ms=case.at_ms)
        trial = bench.try_value(number, case.value)
        yield Run(case, trial, tuple(_differences(case, trial, wanted(case, contract, base))))


def _differences(case: Case, trial: Trial, views: Sequence[Wanted]) -> Iterator[Difference]:
    got = {one.topic: one for one in trial.outgoing}
    fate = _fate("quarantined", trial.code, trial.path) if trial.code else "every view is looked at"
    if case.whole is not None:
        should = _fate("quarantined", case.whole.code, case.whole.path)
        if should != fate:
            yield Difference(case.whole.position, "", "", should, fate)
    elif trial.code:
        yield Difference(case.position, "", "", "every view is looked at", fate)
    else:
        for one in views:
            yield from _in_view(one, got[one.view.topic])


def _in_view(one: Wanted, got: Outgoing) -> Iterator[Difference]:
    expected, view = one.expected, one.view
    should, fate = _fate(expected.kind, expected.code, expected.path), _fate(got.outcome, got.code, got.path)
    if one.less and got.outcome != "out":
        return
    if should != fate:
        yield Difference(expected.position, view.topic, "", should, fate)
    elif expected.kind == "out":
        record = plain_record(view, got.record or {})
        for field in record_of(view).fields:
            if one.less and field.name not in expected.record:
                continue
            want, have = expected.record.get(field.name, _NOTHING), record.get(field.name, _NOTHING)
            if want != have or type(want) is not type(have):
                place = expected.places.get(field.name, expected.position)
                yield Difference(place, view.topic, field.name, _shown(field.type, want), _shown(field.type, have))


def plain_record(view: View, record: Mapping[str, Any]) -> dict[str, Any]:
    """A minimized record of a trial as a case writes it: handles as the word, times as numbers."""
    return {field.name: _plain(field.type, record[field.name]) for field in record_of(view).fields}


def _plain(avro_type: AvroType, value: Any) -> Any:
    match avro_type:
        case Nullable(inner):
            return None if value is None else _plain(inner, value)
        case Array(items):
            return [_plain(items, item) for item in value]
        case Record(_, fields):
            return {field.name: _plain(field.type, value[field.name]) for field in fields}
        case Enum(name) if name == HANDLE:
            return HANDLE
        case Primitive(_, logical) if logical is not None and isinstance(value, str):
            return whole(value, logical)
    return value


def _shown(avro_type: AvroType, value: Any) -> object:
    """A value as its author would write it."""
    inner = avro_type.inner if isinstance(avro_type, Nullable) else avro_type
    if isinstance(inner, Primitive) and inner.logical is not None and type(value) is int:
        return spelled(value, inner.logical)
    return value


def _fate(kind: str, code: str | None, path: str | None) -> str:
    if kind != "quarantined":
        return kind
    return f"quarantined {code}{f' at {path}' if path else ''}"
