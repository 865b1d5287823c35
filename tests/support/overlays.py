"""Random overlays of a contract: most of what they say is tighter, some of it is not. Drawn, never checked, here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from pipelines.contract import Loaded, load
from pipelines.contract.actions import Action, Bucket, Count, CountWhere, Keep, MapTo, Matches, OneOf, Truncate, Within
from pipelines.contract.findings import Finding, Severity
from pipelines.contract.model import HOUR_MS, MINUTE_MS, Contract, View
from pipelines.contract.section import spelled
from tests.support.contract_folders import FIXTURES, TODAY, freshened

NAME: Final = "random"
_STEPS: Final = (MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS)


def lab(to: Path) -> Path:
    """A copy of a contract that has every action on every kind of field, in two purposes, with and without a handle."""
    shutil.copytree(FIXTURES / "lab", to)
    return freshened(to)


def laid(folder: Path, overlay: dict[str, Any]) -> Loaded:
    """What loading gives under an overlay, without findings of derived schemas, which nobody has written."""
    (folder / "overlays").mkdir(exist_ok=True)
    (folder / f"overlays/{NAME}.yaml").write_text(json.dumps({"description": "Random", **overlay}))
    loaded = load(folder, as_of=TODAY, overlay=NAME)
    return Loaded(loaded.contract, tuple(one for one in loaded.findings if not one.check.startswith("derived-")))


def lists_of(contract: Contract) -> dict[str, tuple[str, ...]]:
    """The named lists, as far as views use them."""
    actions = [rule.action for event in contract.events.values() for view in event.views for rule in view.rules]
    return {one.list_name: one.values for one in actions if isinstance(one, OneOf) and one.list_name is not None}


def errors(loaded: Loaded) -> tuple[Finding, ...]:
    return tuple(one for one in loaded.findings if one.severity is Severity.ERROR)


def random_overlay(rng: Random, contract: Contract, lists: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """One to five edits, anywhere in the contract."""
    said: dict[str, Any] = {}
    kinds = (_view, _view, _view, _view, _topic, _topic, _raw, _purpose, _quarantine)
    for _ in range(rng.randrange(1, 6)):
        rng.choice(kinds)(rng, contract, said)
    if rng.randrange(2) == 0:
        name = rng.choice(sorted(lists))
        said.setdefault("lists", {})[name] = _some(rng, list(lists[name]), "unheard-of")
    return said


def _purpose(rng: Random, contract: Contract, said: dict[str, Any]) -> None:
    purpose = contract.purposes[rng.choice(sorted(contract.purposes))]
    if rng.randrange(8) == 0:
        said.setdefault("purposes", {})[purpose.name] = "remove"
        return
    entry: dict[str, Any] = {}
    if rng.randrange(2):
        odd = rng.choice((2 * purpose.rotate_ms, 5 * HOUR_MS))  # slower, or across the end of an epoch
        part = purpose.rotate_ms // rng.choice((1, 2, 3, 4, 12, 24))
        entry["rotate"] = spelled(odd if rng.randrange(6) == 0 else part)
    if rng.randrange(2):
        entry["max_bits"] = purpose.max_bits + rng.choice((-40, -1, 0, 1))
    if rng.randrange(2) and purpose.review is not None:
        entry["review"] = {"expires": str(purpose.review.expires + timedelta(rng.choice((-210, -60, -1, 0, 1))))}
    said.setdefault("purposes", {})[purpose.name] = entry


def _topic(rng: Random, contract: Contract, said: dict[str, Any]) -> None:
    topic = contract.topics[rng.choice(sorted(contract.topics))]
    if rng.randrange(12) == 0:
        said.setdefault("topics", {})[topic.name] = "remove"
        return
    entry: dict[str, Any] = {}
    if rng.randrange(2):
        entry["ttl"] = spelled(topic.ttl_ms + rng.choice((-24, -1, 0, 1)) * HOUR_MS)
    if rng.randrange(2):
        entry["late"] = spelled(topic.late_ms + rng.choice((-18, -1, 0, 1)) * HOUR_MS)
    if rng.randrange(2):
        entry["consumers"] = _some(rng, list(topic.consumers), "marketing")
    said.setdefault("topics", {})[topic.name] = entry


def _raw(rng: Random, contract: Contract, said: dict[str, Any]) -> None:
    topic = contract.raw_topics[rng.choice(sorted(contract.raw_topics))]
    entry = {"ttl": spelled(topic.ttl_ms + rng.choice((-12, -1, 0, 1)) * HOUR_MS)}
    said.setdefault("topics", {})[topic.name] = entry


def _quarantine(rng: Random, contract: Contract, said: dict[str, Any]) -> None:
    entry = {"consumers": _some(rng, list(contract.quarantine.consumers), "marketing")}
    said.setdefault("topics", {})["quarantine"] = entry


def _view(rng: Random, contract: Contract, said: dict[str, Any]) -> None:
    event = contract.events[rng.choice(sorted(contract.events))]
    view = rng.choice(event.views)
    views = said.setdefault("views", {}).setdefault(event.name, {})
    if rng.randrange(12) == 0:
        views[view.topic] = "remove"
    elif views.get(view.topic) != "remove":
        lines = views.setdefault(view.topic, {})
        if rng.randrange(6) == 0:
            lines["occurred_at"] = "remove"
        for rule in rng.sample(view.rules, min(len(view.rules), rng.randrange(1, 4))):
            lines[str(rule.path)] = "remove" if rng.randrange(4) == 0 else _action(rng, rule.action, view)


def _action(rng: Random, action: Action, view: View) -> Any:
    """Another action for what this one is for, spelled as a policy spells it; often one that follows from it."""
    if rng.randrange(5) == 0:
        return "present"
    rest = rng.choice(({}, {"else": "other"}, {"else": "rest"}))
    match action:
        case Bucket(edges):
            first = [edges[0]] if rng.randrange(4) else []
            some = [edge + 1 if rng.randrange(12) == 0 else edge for edge in _some(rng, list(edges), 7)]
            return {"bucket": sorted({*first, *some})}
        case Truncate():
            return {"truncate": spelled(max(rng.choice(_STEPS), view.step_ms) if rng.randrange(4) else MINUTE_MS)}
        case Within(low, high):
            narrow = {"within": [low, high - rng.choice((0, 1, 3_900))]}
            return rng.choice((narrow, {"bucket": [low, 10]}, {"map": {str(low): "least", "0": "zero"}, **rest}))
        case OneOf(values, _, name):
            words = {"list": name} if name is not None and rng.randrange(2) == 0 else _some(rng, list(values), "new")
            return rng.choice(({"one_of": words, **rest}, {"map": _mapped(rng, list(values)), **rest}))
        case Matches(strings=strings):
            return {"one_of": rng.sample(strings, 3), **rest}
        case MapTo(pairs):
            merged = {text: rng.choice(("one", "two")) for _, text in pairs}
            said = {raw: text if rng.randrange(6) else "two" for raw, text in pairs}
            return {"map": {_key(raw): merged.get(text, text) for raw, text in said.items()}, **rest}
        case Keep():
            return {"map": _mapped(rng, ["UP", "DOWN", "LEFT"]), **rest}
        case Count() | CountWhere():
            return rng.choice(("count", {"count_where": {"id": ["a"]}}))
        case _:
            return "handle"


def _mapped(rng: Random, words: list[str]) -> dict[str, str]:
    return {word: rng.choice(("one", "two")) for word in _some(rng, words, words[0])}


def _key(raw: str | int | bool) -> str:
    return str(raw).lower() if isinstance(raw, bool) else str(raw)


def _some(rng: Random, of: list[Any], foreign: Any) -> list[Any]:
    """Some of them, at least one; now and then one that is not of them."""
    some = rng.sample(of, rng.randrange(1, len(of) + 1))
    return [*some, foreign] if rng.randrange(8) == 0 and foreign not in some else some
