"""The promises of minimizing, on random schemas, policies and events. PIPELINES_EXAMPLES says how many of each."""

import os
from collections.abc import Callable
from random import Random

import pytest

from pipelines.contract.actions import Action
from pipelines.contract.model import OutputArray
from tests.minimize.events import find, random_event
from tests.minimize.properties import PROPERTIES, run

pytestmark = pytest.mark.scaled

EXAMPLES = int(os.environ.get("PIPELINES_EXAMPLES", "500"))


@pytest.mark.parametrize("name", PROPERTIES)
def test_holds_for_random_events_of_which_at_least_half_are_accepted(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    tally = run(name, EXAMPLES, PROPERTIES[name])
    record_property("random examples", f"{name}: {tally.tried:,}, {tally.share:.0%} accepted")
    assert tally.tried >= EXAMPLES
    assert tally.share >= 0.5


def test_random_events_use_every_action_and_reach_into_every_container() -> None:
    seen: set[str] = set()
    for seed in range(600):
        event = random_event(Random(seed))
        seen.add(f"{len(event.versions)} versions")
        for view in event.views:
            for output in view.output:
                seen.add(type(output).__name__)
                for field in output.fields if isinstance(output, OutputArray) else [output]:
                    kind = find(event.versions[-1].record, field.rule.path)[0]
                    path = field.rule.path.steps
                    of = getattr(kind, "logical", None) or type(kind).__name__
                    seen.add(f"{type(field.rule.action).__name__} {of}")
                    seen |= {"nested"} if len(path) > 1 else set()
                    seen |= {"map entry"} if any(step.key is not None for step in path) else set()
                    seen |= {type(field.type).__name__}
    expected = """
        Keep Enum, Keep Primitive, Within Primitive, Bucket Primitive, Bucket decimal, Truncate date,
        Truncate timestamp-millis, Truncate timestamp-micros, Truncate timestamp-nanos, OneOf Primitive,
        Matches Primitive, MapTo Primitive, MapTo Enum, Count Array, Count Map, CountWhere Array, Present Primitive,
        Present Enum, Present Fixed, Present Array, Present Map, Present Record, Handle Primitive, Handle Fixed,
        OutputArray, OutputField, Nullable, nested, map entry, 1 versions, 2 versions
    """
    assert {word.strip() for word in expected.split(",")} <= seen
    assert {action.__name__ for action in Action.__args__} == {word.split()[0] for word in seen} & {
        action.__name__ for action in Action.__args__
    }
