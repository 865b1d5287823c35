"""Matching: how often two views' records of one event are found to belong together, by all that they say.

The matcher learns on half of the events which values go together, and is tried on the other half. It is given what an
analyst with both topics has: the records without the tie between them. It guesses among the records of one moment
(both carry the broker's time, floored), by the value pairs that were seen together more often than chance would have
it. A tie is a guess: finding the right one among three alike counts a third.

It is one matcher, not the best there can be; a success is proof of linkage, a failure is none of its absence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import lcm, log, log2
from random import Random
from typing import Final

from pipelines.explain.sampling import Row, Table

MOST_TRIED: Final = 500
_FAINT: Final = 0.01
_ALWAYS: Final = 0.99
Pairs = list[tuple[Row, Row]]


@dataclass(frozen=True, slots=True)
class Matched:
    """How often the right record was found among `tried`: by chance, by the time alone, by everything.

    For handles: the right handle of the other purpose for a handle of this one, by all records of both; None where one
    of the views has no handles.
    """

    tried: int
    chance: float
    by_time: float
    by_all: float
    handles: int | None = None
    handle_chance: float | None = None
    handle_found: float | None = None

    @property
    def bits(self) -> float:
        """How much better than chance, in bits."""
        return log2(self.by_all / self.chance) if self.by_all > 0 else 0.0


def match(one: Table, other: Table) -> Matched | None:
    """Learn on one half of the events and try on the other; None if there are too few events in both views."""
    both = [(left, right) for left, right in zip(one.rows, other.rows, strict=True) if left and right]
    Random(len(both)).shuffle(both)  # noqa: S311 - events that follow each other should not part by kind
    learned, tried = both[::2], both[1::2][:MOST_TRIED]
    if len(tried) <= 1:
        return None
    features = _learn(learned)
    step_ms = lcm(one.view.step_ms, other.view.step_ms)
    moments: dict[int, list[int]] = defaultdict(list)
    for number, (_, right) in enumerate(tried):
        moments[right.at_ms // step_ms].append(number)
    by_time = by_all = 0.0
    votes: dict[bytes, Counter[bytes]] = defaultdict(Counter)
    for number, (left, _) in enumerate(tried):
        candidates = moments[left.at_ms // step_ms]
        best = _best(left, [(at, tried[at][1]) for at in candidates], features)
        by_time += 1 / len(candidates)
        by_all += 1 / len(best) if number in best else 0.0
        for at in best:
            handle = tried[at][1].handle
            if left.handle is not None and handle is not None:
                votes[left.handle][handle] += 1 / len(best)  # type: ignore[assignment] # a share of a vote
    handles = _handles(tried, votes)
    return Matched(len(tried), 1 / len(tried), by_time / len(tried), by_all / len(tried), *handles)


@dataclass(frozen=True, slots=True)
class _Feature:
    """A column of each view: the evidence of a pair of values, or of their being equal, as a log likelihood ratio."""

    left: int
    right: int
    strength: float
    pairs: dict[tuple[Hashable, Hashable], float] | None = None
    equal: float = 0.0
    unequal: float = 0.0

    def evidence(self, left: Row, right: Row) -> float:
        one, other = left.values[self.left], right.values[self.right]
        if self.pairs is None:
            return self.equal if one == other else self.unequal
        return self.pairs.get((one, other), -3.0)


def _learn(pairs: Pairs) -> list[_Feature]:
    """For each column the column of the other view that tells most of it, in both directions, each pair once."""
    width, other_width = len(pairs[0][0].values), len(pairs[0][1].values)
    found = {(i, j): _feature(pairs, i, j) for i in range(width) for j in range(other_width)}
    chosen = {max(((i, j) for j in range(other_width)), key=lambda at: found[at].strength) for i in range(width)}
    chosen |= {max(((i, j) for i in range(width)), key=lambda at: found[at].strength) for j in range(other_width)}
    return [found[at] for at in sorted(chosen) if found[at].strength > _FAINT]


def _feature(pairs: Pairs, i: int, j: int) -> _Feature:
    total = len(pairs)
    together = Counter((left.values[i], right.values[j]) for left, right in pairs)
    lefts = Counter(left.values[i] for left, _ in pairs)
    rights = Counter(right.values[j] for _, right in pairs)
    # Miller and Madow: a sample shows more mutual information than there is, by this much.
    bias = (len(together) - len(lefts) - len(rights) + 1) / (2 * total)
    ratio = {
        (one, other): log(times * total / (lefts[one] * rights[other])) for (one, other), times in together.items()
    }
    strength = sum(times / total * ratio[pair] for pair, times in together.items()) - max(bias, 0)
    equal = sum(times for (one, other), times in together.items() if one == other) / total
    by_chance = sum(times * rights[value] for value, times in lefts.items()) / total**2
    if equal > _ALWAYS and by_chance < _ALWAYS:
        seldom = (1 - equal) + 1 / total
        return _Feature(i, j, strength, None, log(equal / max(by_chance, 1 / total)), log(seldom / (1 - by_chance)))
    return _Feature(i, j, strength, ratio)


def _best(left: Row, candidates: Sequence[tuple[int, Row]], features: Sequence[_Feature]) -> set[int]:
    scores: dict[tuple[Hashable, ...], float] = {}
    best, found = float("-inf"), set[int]()
    for number, right in candidates:
        score = scores.get(right.values)
        if score is None:
            score = scores[right.values] = sum(feature.evidence(left, right) for feature in features)
        if score > best + 1e-9:
            best, found = score, {number}
        elif score >= best - 1e-9:
            found.add(number)
    return found


def _handles(tried: Pairs, votes: dict[bytes, Counter[bytes]]) -> tuple[int, float, float] | tuple[None, None, None]:
    truth: dict[bytes, set[bytes]] = defaultdict(set)
    there = set()
    for left, right in tried:
        if left.handle is not None and right.handle is not None:
            truth[left.handle].add(right.handle)
            there.add(right.handle)
    if not truth:
        return None, None, None
    found = chance = 0.0
    for handle, right_ones in truth.items():
        chance += len(right_ones) / len(there)
        most = max(votes[handle].values(), default=0)
        best = {one for one, votes_ in votes[handle].items() if votes_ >= most - 1e-9}
        found += len(best & right_ones) / max(len(best), 1)
    return len(truth), chance / len(truth), found / len(truth)
