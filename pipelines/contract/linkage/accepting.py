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

`up_to` is in bits if raw fields are independent, `ceiling` if they are not. `event` is for two live views with handles:
their order tells which records are of one event, so no number of bits is a limit.
"""

from __future__ import annotations

from typing import Final

from pipelines.contract.model import AcceptedLinkage, Linkage
from pipelines.contract.node import Node, Scalar
from pipelines.contract.purposes import MAX_BITS, MAX_ENTRIES
from pipelines.contract.report import Report
from pipelines.contract.section import Section, bad, integer, items, text

_TWO: Final = 2
THE_EVENT: Final = "event"


def read_linkage(node: Node, report: Report) -> Linkage:
    """The file; entries with a mistake are left out."""
    section = Section.of(node, "The file", report)
    if section is None:
        return Linkage()
    above = section.may("warn_above")
    said = None if above is None else integer(above, 0, MAX_BITS, report)
    listed = items(section.may("accepted"), report)
    section.close()
    accepted: dict[tuple[str, tuple[str, str]], AcceptedLinkage] = {}
    for item in (listed or ())[:MAX_ENTRIES]:
        one = _accepted(item, report)
        if one is None:
            continue
        key = one.event, one.purposes
        if key in accepted:
            what = f"These two stand twice for '{one.event}' (first on line {accepted[key].position.line})."
            bad(report, item, what, "Remove one of them.")
        accepted.setdefault(key, one)
    if listed is not None and len(listed) > MAX_ENTRIES:
        report.add("too-many", listed[MAX_ENTRIES].position, f"At most {MAX_ENTRIES:,} are read.", "Remove some.")
    return Linkage(Linkage().warn_above if said is None else said, tuple(accepted.values()))


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
