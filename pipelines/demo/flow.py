"""The flow: what went where, as a table that fits the window it is shown in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from pipelines.contract.model import Contract
from pipelines.relay.accounting import Flow, flows
from pipelines.relay.books import Books
from pipelines.text_table import TextTable

# Shown only when there is one: they need late events and ended reviews.
_RARE = ("expired", "suspended")
_NONE = Flow()
_FRAME_LINES = 3  # the heading, the status, the cursor


class FlowView:
    """The table in as much detail as the window's height allows: by view, else by minimized topic, else by source.

    Args:
        whole: show it by view whatever the height.
    """

    def __init__(self, contract: Contract, books: Books, status: str, *, whole: bool = False) -> None:
        self._contract = contract
        self._flows = flows(books)
        self._status = status
        self._whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = console.size.height - _FRAME_LINES
        yield Group(self._table(room), Text(self._status, "dim"))

    def _table(self, room: int) -> RenderableType:
        views = sum(1 + len(event.views) for event in self._contract.events.values())
        if self._whole or views <= room:
            return _table("what flows where", self._by_view())
        if len(self._contract.topics) <= room:
            return _table("minimized topic", self._by_topic())
        return _table("source", self._by_source())

    def _by_view(self) -> Iterator[tuple[Text, Flow]]:
        for event in self._contract.events.values():
            of_event = self._flows.get(event.raw_topic, {})
            most = max((flow.shown for flow in of_event.values()), default=0)
            yield Text(event.raw_topic, "bold"), Flow(shown=most)
            for view in event.views:
                flow = of_event.get(view.topic, _NONE)
                yield Text(f"  → {view.topic}"), _sum([flow], shown=False)

    def _by_topic(self) -> Iterator[tuple[Text, Flow]]:
        for topic in self._contract.topics:
            yield Text(topic), _sum(views[topic] for views in self._flows.values() if topic in views)

    def _by_source(self) -> Iterator[tuple[Text, Flow]]:
        for source in self._contract.sources:
            raw_topics = [event.raw_topic for event in self._contract.events_of(source)]
            yield Text(source), _sum(flow for raw in raw_topics for flow in self._flows.get(raw, {}).values())


def as_numbers(books: Books) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
    """The same for a program: raw topic → minimized topic → counts."""
    return {
        raw: {
            topic: {
                "in": flow.shown,
                "out": flow.out,
                "quarantined": flow.quarantined,
                "expired": flow.expired,
                "suspended": flow.suspended,
            }
            for topic, flow in views.items()
        }
        for raw, views in flows(books).items()
    }


def _table(heading: str, rows: Iterator[tuple[Text, Flow]]) -> TextTable:
    filled = list(rows)
    rare = [name for name in _RARE if any(getattr(flow, name) for _, flow in filled)]
    kinds = ("shown", "out", "quarantined", *rare)
    table: list[list[str | Text]] = []
    for name, flow in filled:
        counts: list[int] = [getattr(flow, kind) for kind in kinds]
        table.append([name, *(f"{count:,}" if count else "" for count in counts)])
    return TextTable(table, (heading, "in", *kinds[1:]), right=frozenset(range(1, len(kinds) + 1)))


def _sum(parts: Iterator[Flow] | list[Flow], *, shown: bool = True) -> Flow:
    total = Flow()
    for part in parts:
        total.shown += part.shown if shown else 0
        total.out += part.out
        total.quarantined += part.quarantined
        total.expired += part.expired
        total.suspended += part.suspended
    return total
