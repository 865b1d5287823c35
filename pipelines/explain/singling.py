"""Singling out: which fields, taken together, few devices of a sample share. Tells names and counts, never a value.

By record: a combination's values are shared by the devices that have a record with them. By handle: they are what all
records under one handle say together, so a history is compared with other histories.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from pipelines.explain.sampling import Row, Table

LARGEST: Final = 3


@dataclass(frozen=True, slots=True)
class Combination:
    """Fields taken together.

    `kinds` is how many different values they have in the sample, `rare` how many of these fewer than k devices share,
    `units` in how many records (or handles) those stand, and `devices` how many devices that singles out.
    """

    fields: tuple[str, ...]
    kinds: int
    rare: int
    units: int
    devices: int


@dataclass(frozen=True, slots=True)
class Singled:
    """A view's combinations, those that single out most devices first. `units`: records, or handles."""

    units: int
    devices: int
    combinations: tuple[Combination, ...]


def by_record(table: Table, k: int) -> Singled:
    """Each record on its own."""
    rows = table.kept()
    who = [_people([row], number) for number, row in enumerate(rows)]
    found = [
        _combination(table.columns, chosen, _picked(rows, chosen), who, k) for chosen in _choices(len(table.columns))
    ]
    return Singled(len(rows), len(frozenset().union(*who)), _sorted(found))


def by_handle(table: Table, k: int) -> Singled | None:
    """All records of one handle together; None where a view has no handles."""
    histories: dict[bytes, list[Row]] = {}
    for row in table.kept():
        if row.handle is not None:
            histories.setdefault(row.handle, []).append(row)
    if not histories:
        return None
    who = [_people(rows, number) for number, rows in enumerate(histories.values())]
    found = []
    for chosen in _choices(len(table.columns)):
        said: list[Hashable] = [frozenset(_picked(rows, chosen)) for rows in histories.values()]
        found.append(_combination(table.columns, chosen, said, who, k))
    return Singled(len(histories), len(frozenset().union(*who)), _sorted(found))


def telling(singled: Singled) -> list[Combination]:
    """The combinations that single out anybody, and more devices than every part of them does."""
    told: list[Combination] = []
    for one in singled.combinations:
        parts = [less for less in told if set(less.fields) < set(one.fields) and less.devices >= one.devices]
        if one.devices and not parts:
            told.append(one)
    return told


def _choices(columns: int) -> Iterator[tuple[int, ...]]:
    """Every combination of up to three columns, and all of them."""
    for size in range(1, min(LARGEST, columns) + 1):
        yield from combinations(range(columns), size)
    if columns > LARGEST:
        yield tuple(range(columns))


def _people(rows: Iterable[Row], number: int) -> frozenset[bytes]:
    """Who sent these; whoever is not named is taken as somebody of their own."""
    return frozenset(number.to_bytes(8, "big") if row.who is None else row.who for row in rows)


def _picked(rows: Iterable[Row], chosen: tuple[int, ...]) -> list[Hashable]:
    return [tuple([row.values[at] for at in chosen]) for row in rows]


def _combination(
    columns: Sequence[str], chosen: tuple[int, ...], said: Sequence[Hashable], who: Sequence[frozenset[bytes]], k: int
) -> Combination:
    sharing: dict[Hashable, set[bytes]] = {}
    for value, people in zip(said, who, strict=True):
        sharing.setdefault(value, set()).update(people)
    rare = {value for value, sharers in sharing.items() if len(sharers) < k}
    singled = set().union(*(sharing[value] for value in rare))
    names = tuple(columns[at] for at in chosen)
    return Combination(names, len(sharing), len(rare), sum(value in rare for value in said), len(singled))


def _sorted(found: Iterable[Combination]) -> tuple[Combination, ...]:
    """Most devices first; of alike ones the smaller, which says more."""
    return tuple(sorted(found, key=lambda one: (-one.devices, len(one.fields), -one.units, one.fields)))
