"""Describing: the `doc` of a derived schema, its record and its fields: what the view does with each raw field.

The words are this module's own and the contract's names; nothing of a raw schema's `doc` comes through, since that may
describe the raw content. Avro's parsing canonical form leaves `doc` out, so no fingerprint depends on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from pipelines.contract import actions
from pipelines.contract.actions import Action
from pipelines.contract.model import OutputArray, OutputField, Purpose, View
from pipelines.contract.report import counted
from pipelines.contract.section import spelled

_COUNTS: Final = "rounded down to 0, 1, 2, 4, 8, 16, 32 or 64"
_WORDS: Final[Mapping[type[Action], Callable[[Any, str], str]]] = {
    actions.Keep: lambda _, __: "Value as it is",
    actions.Within: lambda one, _: f"Number as it is, from {one.low} to {one.high}",
    actions.Bucket: lambda one, _: (
        f"Range of {counted(len(one.edges), 'edge')}: the edge at or below the number{_read(one.read)}"
    ),
    actions.Truncate: lambda one, _: f"Truncated to {_span(one.step_ms)}{_near(one.within_ms)}{_read(one.read)}",
    actions.OneOf: lambda one, _: f"One of {counted(len(one.values), 'listed word')}{_else(one.otherwise)}",
    actions.Matches: lambda one, _: f"One of {counted(len(one.strings), 'possible text')}",
    actions.MapTo: lambda one, _: f"Word for one of {counted(len(one.pairs), 'listed value')}{_else(one.otherwise)}",
    actions.Count: lambda _, __: f"Number of items, {_COUNTS}",
    actions.CountWhere: lambda one, _: f"Number of items with a listed value in {one.field}, {_COUNTS}",
    actions.Present: lambda _, __: "Whether there is a value",
    actions.Handle: lambda _, scope: f"Handle for {scope}",
}
"""One entry for each action: the sentence, of the action and of the scope of the view's handles."""


def action_doc(action: Action, scope: str) -> str:
    """Return what the action leaves of a field, in words; `scope` is what handles are made for, and how long for."""
    return _WORDS[type(action)](action, scope)


def documented(view: View, purpose: Purpose | None) -> str:
    """Return the view's derived schema (JSON text) with a `doc` for its record, every field and every item.

    Args:
        view: a view.
        purpose: the view's; None where a contract with mistakes does not have it.
    """
    scope = f"purpose {view.purpose}" + ("" if purpose is None else f", rotates every {_span(purpose.rotate_ms)}")
    schema = json.loads(view.schema)
    _describe(schema, f"{view.event}, reduced for the topic {view.topic}")
    for field, output in zip(schema["fields"], view.output, strict=True):
        if isinstance(output, OutputField):
            _describe(field, action_doc(output.rule.action, scope))
        else:
            _describe_array(field, output, scope)
    return json.dumps(schema, indent=2) + "\n"


def without_docs(schema: Any) -> Any:
    """Return a schema (as parsed JSON) without any `doc`."""
    if isinstance(schema, list):
        return [without_docs(each) for each in schema]
    if isinstance(schema, dict):
        return {name: without_docs(each) for name, each in schema.items() if name != "doc"}
    return schema


def _describe_array(field: dict[str, Any], output: OutputArray, scope: str) -> None:
    _describe(field, f"Reduced items, {output.max_items} at most")
    array = field["type"][1] if output.nullable else field["type"]
    _describe(array["items"], f"Reduced item of {output.name}")
    for inner, one in zip(array["items"]["fields"], output.fields, strict=True):
        _describe(inner, action_doc(one.rule.action, scope))


def _describe(node: dict[str, Any], doc: str) -> None:
    """Put `doc` behind the node's names, where a reader looks for it."""
    names: dict[str, Any] = {name: node[name] for name in ("name", "namespace") if name in node}
    kind: dict[str, Any] = {"type": node["type"]} if node["type"] == "record" else {}
    rest = {name: value for name, value in node.items() if name not in names.keys() | kind.keys()}
    node.clear()
    node.update({**kind, **names, "doc": doc, **rest})


def _near(within_ms: int | None) -> str:
    return "" if within_ms is None else f", null if more than {_span(within_ms)} from its arrival"


def _read(rule: str | None) -> str:
    return "" if rule is None else f", read as {rule}"


def _else(otherwise: str | None) -> str:
    return "" if otherwise is None else f", or '{otherwise}'"


def _span(span_ms: int) -> str:
    text = spelled(span_ms)
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return f"{number} {text[len(number) :]}"
