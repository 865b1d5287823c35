"""Accepting: `policies/linkage.yaml`, where a warning about two purposes is answered for.

warn_above: 20
accepted:
  - event: ota.install
    purposes: [ota-release-review, support]
    up_to: 84
    ceiling: 88
    reason: both explain a failed install; the board has no handles, and no principal reads both
  - event: proxy.request
    purposes: [security-enforcement, threat-detection]
    up_to: event
    reason: both judge one request; whoever holds both topics was granted both
across_epochs:
  - purpose: support
    up_to: 176
    reason: one record of a failed connection says enough to answer the question, and lives three days

In `accepted`, `up_to` is in bits if raw fields are independent, `ceiling` if they are not. `event` is for two live
views with handles: their order tells which records are of one event, so no number of bits is a limit. `across_epochs`
is about one purpose and itself (`epochs`). A file without it accepts nothing there: each purpose above the limit is a
warning, which gives the line to add.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, TypeVar

from pipelines.contract.model import AcceptedAcross, AcceptedLinkage, Linkage
from pipelines.contract.node import Node, Scalar
from pipelines.contract.purposes import MAX_BITS, MAX_ENTRIES
from pipelines.contract.report import Report
from pipelines.contract.section import Section, bad, integer, items, text

_TWO: Final = 2
_MOST_ACROSS: Final = 100 * MAX_BITS  # the records of many event types are added
THE_EVENT: Final = "event"
_Entry = TypeVar("_Entry", AcceptedLinkage, AcceptedAcross)


def read_linkage(node: Node, report: Report) -> Linkage:
    """The file; entries with a mistake are left out."""
    section = Section.of(node, "The file", report)
    if section is None:
        return Linkage()
    above = section.may("warn_above")
    said = None if above is None else integer(above, 0, MAX_BITS, report)
    accepted = _each(section.may("accepted"), _accepted, lambda one: (one.event, one.purposes), report)
    across = _each(section.may("across_epochs"), _across, lambda one: one.purpose, report)
    section.close()
    return Linkage(Linkage().warn_above if said is None else said, accepted, across)


def _each(
    node: Node | None,
    read: Callable[[Node, Report], _Entry | None],
    key: Callable[[_Entry], Hashable],
    report: Report,
) -> tuple[_Entry, ...]:
    """The entries of a list, the first of each key; those with a mistake are left out."""
    listed = items(node, report) or ()
    found: dict[Hashable, _Entry] = {}
    for item in listed[:MAX_ENTRIES]:
        one = read(item, report)
        if one is None:
            continue
        first = found.setdefault(key(one), one)
        if first is not one:
            what = f"{_named(one)} twice (first on line {first.position.line})."
            bad(report, item, what, "Remove one of them.")
    if len(listed) > MAX_ENTRIES:
        report.add("too-many", listed[MAX_ENTRIES].position, f"At most {MAX_ENTRIES:,} are read.", "Remove some.")
    return tuple(found.values())


def _named(one: AcceptedLinkage | AcceptedAcross) -> str:
    if isinstance(one, AcceptedLinkage):
        return f"These two stand for '{one.event}'"
    return f"'{one.purpose}' stands here"


def _accepted(node: Node, report: Report) -> AcceptedLinkage | None:
    section = Section.of(node, "What is accepted", report)
    if section is None:
        return None
    before = len(report)
    event, reason = text(section.need("event"), report), text(section.need("reason"), report)
    up_to_node, ceiling_node = section.need("up_to"), section.may("ceiling")
    whole = isinstance(up_to_node, Scalar) and up_to_node.text == THE_EVENT
    up_to = None if whole else integer(up_to_node, 0, MAX_BITS, report)
    ceiling = None if ceiling_node is None else integer(ceiling_node, 0, MAX_BITS, report)
    if whole and ceiling_node is not None:
        bad(report, ceiling_node, f"Beside `up_to: {THE_EVENT}` a ceiling limits nothing.", "Remove `ceiling`.")
    named_node = section.need("purposes")
    named = items(named_node, report)
    purposes = sorted(name for name in (text(item, report) for item in named or ()) if name is not None)
    section.close()
    if named_node is not None and named is not None and len({*purposes}) != _TWO:
        bad(report, named_node, "Linkage is between two purposes.", "Write [one-purpose, another].")
    if len(report) > before or event is None or reason is None or (up_to is None and not whole):
        return None
    pair = purposes[0], purposes[1]
    return AcceptedLinkage(event, pair, up_to, reason, section.node.position, ceiling or 0)


def _across(node: Node, report: Report) -> AcceptedAcross | None:
    section = Section.of(node, "What is accepted across epochs", report)
    if section is None:
        return None
    purpose, reason = text(section.need("purpose"), report), text(section.need("reason"), report)
    up_to = integer(section.need("up_to"), 0, _MOST_ACROSS, report)
    section.close()
    if purpose is None or reason is None or up_to is None:
        return None
    return AcceptedAcross(purpose, up_to, reason, section.node.position)
