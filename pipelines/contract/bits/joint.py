"""Joint: what all records of one event say together that one purpose receives, in one topic or several.

A consumer of a purpose reads all its topics, and the records of one event have one `ce_id` there. So ranges, lists and
steps of several views intersect, and which topics have a record tells something, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import log2

from pipelines.contract.actions import Action, Count, CountWhere, Handle, Keep, Present, Truncate
from pipelines.contract.avro import Primitive
from pipelines.contract.bits.counting import bodies
from pipelines.contract.bits.saying import REFUSED, probes, saying
from pipelines.contract.model import RawSchema, Rule, View
from pipelines.contract.reach import Reach, reach, to_array


def joint_count(versions: tuple[RawSchema, ...], views: Sequence[View], late_ms: Mapping[str, int]) -> int:
    """Return how many different sets of records the views of one event type and purpose can make of one event.

    A bound: for every selection of views that can hold a record while the others hold it back, the different bodies of
    these views together are added. `late_ms` says for each topic how old an event may be; one that is too old for one
    topic can still come to another.
    """
    if len(views) == 1:
        return max(bodies(versions, views[0].rules), 1)
    count = 0
    for size in range(1, len(views) + 1):
        for some in combinations(views, size):
            left = [view for view in views if view not in some]
            if all(_can_be_missing(versions, view, some, late_ms) for view in left):
                count += bodies(versions, [rule for view in some for rule in view.rules])
    return max(count, 1)


def joint_bits(versions: tuple[RawSchema, ...], views: Sequence[View], late_ms: Mapping[str, int]) -> float:
    """Return log2 of the count."""
    return log2(joint_count(versions, views, late_ms))


def _can_be_missing(
    versions: tuple[RawSchema, ...], view: View, others: Sequence[View], late_ms: Mapping[str, int]
) -> bool:
    """Whether a view can have no record of an event of which all the others have one."""
    if late_ms[view.topic] < min(late_ms[other.topic] for other in others):
        return True
    held = [rule for other in others for rule in other.bounding]
    return any(_can_refuse(versions, rule, held) for rule in view.bounding)


def _can_refuse(versions: tuple[RawSchema, ...], rule: Rule, held: Sequence[Rule]) -> bool:
    """Whether a rule can refuse a value that all the others let through; yes where that is not decided exactly."""
    if isinstance(rule.action, Keep | Present) and to_array(rule.path) is None:
        return False
    there = [other.action for other in held if other.path == rule.path and not isinstance(other.action, Present)]
    if rule.action in there:
        return False
    times = [action for action in there if isinstance(action, Truncate)]
    if isinstance(rule.action, Truncate):  # what one step reads, another step of the same reading rule reads, too
        return all(action.read != rule.action.read for action in times)
    if times:
        return True
    if isinstance(rule.action, Count | CountWhere):
        return not (there or any(to_array(other.path) == rule.path for other in held))
    return to_array(rule.path) is not None or isinstance(rule.action, Handle) or _refuses(versions, rule, there)


def _refuses(versions: tuple[RawSchema, ...], rule: Rule, there: Sequence[Action]) -> bool:
    found = reach(versions, rule.path)
    for reached in found.found if isinstance(found, Reach) else ():
        if not there and reached.type == Primitive("string"):
            return True  # a text that is not UTF-8
        say, others = saying(rule.action), [saying(action) for action in there]
        for value in probes(reached.type, (rule.action, *there)):
            if say(value) is REFUSED and all(other(value) is not REFUSED for other in others):
                return True
    return False
