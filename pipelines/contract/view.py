"""Views: a policy's lines, tried on every version of the raw schema, become rules and the shape of a minimized record.

Owns which line means something; `outputs` owns the names, the order and the nullability of what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pipelines.contract.actions import Truncate
from pipelines.contract.applies import APPLIES, COUNT_WHERE_FIELD, READS
from pipelines.contract.avro import AvroType, FieldClass
from pipelines.contract.derived import Naming, fingerprint_of_text, schema_text
from pipelines.contract.leaves import held
from pipelines.contract.model import HOUR_MS, RawSchema, Rule, View
from pipelines.contract.node import Scalar
from pipelines.contract.operands import Lists, Operand, read_action
from pipelines.contract.outputs import AVRO_NAME, outputs, plain_name
from pipelines.contract.path import Path, Step
from pipelines.contract.policy import Line, ViewLines
from pipelines.contract.reach import Missed, Reach, describe, merged, reach, to_array
from pipelines.contract.report import Report, meant, shown

# A class earlier in this row allows less; over versions the earliest rules.
STRICTEST_FIRST: Final = (
    FieldClass.CREDENTIAL,
    FieldClass.CONTENT,
    FieldClass.NETWORK_IDENTIFIER,
    FieldClass.EVENT_ID,
    FieldClass.ACCOUNT_IDENTIFIER,
    FieldClass.DEVICE_IDENTIFIER,
    FieldClass.EVENT_TIME,
    FieldClass.METADATA,
)
_PROTECTED: Final = "only `count` of arrays and maps, `present`, or `never`"
_HANDLE: Final = "only `handle` where the purpose names it, or `never`"
_ALLOWED: Final = {
    FieldClass.CREDENTIAL: _PROTECTED,
    FieldClass.CONTENT: _PROTECTED,
    FieldClass.NETWORK_IDENTIFIER: _PROTECTED,
    FieldClass.EVENT_ID: "no view may use it",
    FieldClass.ACCOUNT_IDENTIFIER: _HANDLE,
    FieldClass.DEVICE_IDENTIFIER: _HANDLE,
    FieldClass.EVENT_TIME: "only `truncate`, `present`, `count`, or `never`",
}
_IDENTIFYING: Final = frozenset({FieldClass.EVENT_ID, FieldClass.ACCOUNT_IDENTIFIER, FieldClass.DEVICE_IDENTIFIER})


@dataclass(frozen=True, slots=True)
class Resolved:
    """A line that means something: its rule, where it leads, and the raw type over all versions."""

    rule: Rule
    reach: Reach
    type: AvroType

    @property
    def class_(self) -> FieldClass | None:
        """The strictest class that any version gives the field, or a map of which the path names an entry.

        None for a record or an array of records that is in no such map.
        """
        return strictest((*(reached.field.class_ for reached in self.reach.found), self.key_class))

    @property
    def key_class(self) -> FieldClass | None:
        """The strictest class of the maps of which the path names an entry; None when there are none."""
        return strictest(field.class_ for reached in self.reach.found for field in reached.keyed)

    @property
    def told(self) -> frozenset[FieldClass]:
        """The classes of what an action on the value tells of, each of which must allow it.

        They are the field's own, that of what it holds, and that of the maps of which the path names an entry.
        """
        own = strictest(reached.field.class_ for reached in self.reach.found)
        whole = strictest(_as_a_whole(held(reached.type, reached.field)) for reached in self.reach.found)
        return frozenset(class_ for class_ in (own, whole, self.key_class) if class_ is not None)


@dataclass(frozen=True, slots=True)
class ViewDraft:
    """A view as far as it could be read. `view` is None when a mistake stands in the way.

    `decided` are the paths of all lines, whether or not they mean anything.
    """

    topic: str
    resolved: tuple[Resolved, ...]
    decided: tuple[Path, ...]
    view: View | None
    lines: ViewLines


def strictest(classes: Iterable[FieldClass | None]) -> FieldClass | None:
    """The class that allows least, or None when there is none at all."""
    known = {class_ for class_ in classes if class_ is not None}
    return next((class_ for class_ in STRICTEST_FIRST if class_ in known), None)


def _as_a_whole(classes: frozenset[FieldClass | None]) -> FieldClass | None:
    """The class of what holds values of these classes: that which allows most.

    What consists of identifiers is one; what holds something else beside them is not.
    """
    others = classes - _IDENTIFYING or classes
    return next((class_ for class_ in reversed(STRICTEST_FIRST) if class_ in others), None)


def read_view(event: str, lines: ViewLines, versions: tuple[RawSchema, ...], lists: Lists, report: Report) -> ViewDraft:
    """Resolve a view's lines; mistakes leave lines out, and then there is no view."""
    before = len(report)
    resolved = [_resolve(line, versions, lists, report) for line in lines.lines]
    whole = tuple(one for one in resolved if one is not None)
    decided = (*(line.path for line in lines.lines), *lines.broken)
    view = None
    if len(whole) == len(resolved) > 0 and lines.whole:
        naming = Naming(lines.topic, event)
        shape = outputs(naming, [(one.rule, one.reach, one.type) for one in whole], versions, report)
        if len(report) == before:
            text = schema_text(naming, shape)
            rules = tuple(one.rule for one in whole)
            view = View(
                event, lines.topic, rules, shape, text, fingerprint_of_text(text), _step_ms(rules), lines.position
            )
    return ViewDraft(lines.topic, whole, decided, view, lines)


def _step_ms(rules: tuple[Rule, ...]) -> int:
    own = [rule.action for rule in rules if str(rule.path) == "occurred_at"]
    return next((action.step_ms for action in own if isinstance(action, Truncate)), HOUR_MS)


def _resolve(line: Line, versions: tuple[RawSchema, ...], lists: Lists, report: Report) -> Resolved | None:
    found = reach(versions, line.path)
    if isinstance(found, Missed):
        what = f"{shown(str(line.path))} leads nowhere: {found.why}.{meant(found.step.field, found.known)}"
        report.add("path-unknown", line.position, what, "Name a field of the raw schema.")
        return None
    avro_type = found.found[0].type if line.action == "present" else merged([one.type for one in found.found])
    if avro_type is None:
        kinds = ", ".join(dict.fromkeys(describe(one.type) for one in found.found))
        what = f"The versions of the raw schema disagree on {shown(str(line.path))}: {kinds}."
        report.add("type-disagreement", line.position, what, "Give the new kind of value a field of its own.")
        return None
    read = None if line.beside is None else line.beside.get("read")
    known = READS.get(line.action, {})
    if read is not None and (not isinstance(read, Scalar) or read.text not in known):
        said = shown(read.text) if isinstance(read, Scalar) else "This"
        report.add("rule-operand", read.position, f"{said} is not a reading rule.", f"Write {' or '.join(known)}.")
        return None
    rule = read.text if isinstance(read, Scalar) else None
    applies, to_what = APPLIES[line.action] if rule is None else known[rule]
    if not applies(avro_type):
        named = line.action if rule is None else f"{line.action} … read: {rule}"
        what = f"`{named}` does not apply to {describe(avro_type)}; it applies to {to_what}."
        ways = [name for name, (reads, _) in known.items() if rule is None and reads(avro_type)]
        hint = f"Say how to read it, with `read: {' or '.join(ways)}`. " if ways else ""
        report.add("action-type", line.position, what, hint + _way_out(found))
        return None
    if not (_bounded(line, found, versions, report) and _handle_stands_alone(line, report)):
        return None
    name = _name(line.name, report) if line.name is not None else plain_name(line.path)
    operand = Operand(
        line.operand,
        line.beside,
        avro_type,
        line.path.steps[-1].field,
        lists,
        lambda field: _item_field(line.path, field, versions),
    )
    action = read_action(line.action, operand, report)
    if action is None or name is None:
        return None
    return Resolved(Rule(line.path, action, name, line.position), found, avro_type)


def _way_out(found: Reach) -> str:
    """What may be said instead, by the class: whoever is told of the type alone tries what the class refuses next."""
    class_ = strictest(field.class_ for one in found.found for field in (one.field, *one.keyed))
    if class_ in (None, FieldClass.METADATA):
        return "Use another action (docs/contract.md has the table), or `never`."
    return f"It is of class {class_}: {_ALLOWED[class_]}."


def _name(node: Scalar, report: Report) -> str | None:
    if AVRO_NAME.fullmatch(node.text):
        return node.text
    report.add(
        "rule-name",
        node.position,
        f"{shown(node.text)} is not a valid field name.",
        "Letters, digits and _, no digit first.",
    )
    return None


def _handle_stands_alone(line: Line, report: Report) -> bool:
    if line.action != "handle" or to_array(line.path) is None:
        return True
    what = "A handle of an array's items: a record has one key."
    report.add("handle-in-array", line.position, what, "Count the array, or leave it to `never`.")
    return False


def _bounded(line: Line, found: Reach, versions: tuple[RawSchema, ...], report: Report) -> bool:
    """Whether every array that the line goes into has a bound, the same in all versions."""
    entered = []
    if (array := to_array(line.path)) is not None and isinstance(prefix := reach(versions, array), Reach):
        entered.append(prefix)
    if line.action == "count_where":
        entered.append(found)
    good = True
    for one in entered:
        bounds = {reached.field.max_items for reached in one.found}
        field = next((reached.field for reached in one.found if reached.field.max_items is None), one.found[0].field)
        if None in bounds:
            what = f"The array '{field.name}' has no 'max_items' ({field.position})."
            report.add(
                "max-items-missing", line.position, what, "Add it to the raw schema; what a view keeps is bounded."
            )
        elif len(bounds) > 1:
            what = f"The versions of the raw schema disagree on the 'max_items' of '{field.name}'."
            report.add("max-items-disagree", line.position, what, "Write the same number in every version.")
        good = good and len(bounds) == 1 and None not in bounds
    return good


def _item_field(path: Path, field: str, versions: tuple[RawSchema, ...]) -> AvroType | None:
    """The type, over all versions, of a field of an array's records, if it is a name and its values can be compared."""
    *before, last = path.steps
    inside = Path((*before, Step(last.field, items=True), Step(field)))
    found = reach(versions, inside) if AVRO_NAME.fullmatch(field) else None
    avro_type = merged([one.type for one in found.found]) if isinstance(found, Reach) else None
    return avro_type if avro_type is not None and COUNT_WHERE_FIELD(avro_type) else None
