"""The committed catalog says what the shipped contract says, and whoever reads a page finds what they came for."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from pipelines.contract import load
from pipelines.contract.model import OutputArray, View
from pipelines.explain.catalog import differences, pages, texts
from pipelines.explain.catalog.as_html import as_html
from pipelines.explain.leaves import leaves_of
from pipelines.explain.wording import duration
from tests.support.pages import Seen
from tests.support.shipped import AS_OF, ROOT

CONTRACT = load(ROOT, as_of=AS_OF).contract
TOPICS = sorted(CONTRACT.topics) if CONTRACT is not None else []
EVENTS = sorted(CONTRACT.events) if CONTRACT is not None else []


@cache
def seen() -> dict[str, Seen]:
    assert CONTRACT is not None
    return {page.name: Seen(as_html(page)) for page in pages(CONTRACT)}


def names(view: View) -> list[str]:
    found = []
    for output in view.output:
        found.append(output.name)
        if isinstance(output, OutputArray):
            found += [f"{output.name}[].{field.name}" for field in output.fields]
    return found


def test_the_committed_pages_are_those_of_the_contract() -> None:
    assert CONTRACT is not None
    kept = differences(ROOT / "docs/catalog", texts(CONTRACT, "md"), "md")
    assert (kept.missing, kept.stale, kept.surplus) == ((), (), ()), "run `pipelines docs` and commit what it writes"


def test_there_is_a_page_for_each_topic_and_each_event_type_and_no_link_leads_nowhere() -> None:
    assert set(seen()) == {"index", *(f"topics/{name}" for name in TOPICS), *(f"events/{name}" for name in EVENTS)}
    for name, page in seen().items():
        for link in page.links:
            target = (Path("/") / name).parent / link
            assert target.resolve().relative_to("/").as_posix().removesuffix(".html") in seen(), f"{name}: {link}"


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topics_page_tells_a_consumer_all_of_it(topic: str) -> None:
    assert CONTRACT is not None
    said, promised = seen()[f"topics/{topic}"].text, CONTRACT.topics[topic]
    purpose = CONTRACT.purposes[promised.purpose]
    views = [view for event in CONTRACT.events.values() for view in event.views if view.topic == topic]
    assert purpose.description in said
    assert purpose.answers.question in said
    assert f"{duration(promised.ttl_ms)} after that, the record is on the disk of no running broker" in said
    assert f"relayed up to {duration(promised.late_ms)} after" in said
    assert "Exactly once, for a reader with isolation.level=read_committed" in said
    for consumer in promised.consumers:
        assert consumer in said
    for view in views:
        assert f"Event type {view.event}" in said
        assert [name for name in names(view) if name not in said] == []
    assert said.count("Example Synthetic") == len(views)
    if purpose.handle is None:
        assert "Order of nothing at all" in said
    else:
        assert f"One epoch of {duration(purpose.rotate_ms)}" in said
        assert "How to act on it." in said
        assert "Order within one raw partition, this topic, one handle and one epoch" in said


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_types_page_tells_a_producer_what_becomes_of_each_field_and_why(name: str) -> None:
    assert CONTRACT is not None
    page, event = seen()[f"events/{name}"].text, CONTRACT.events[name]
    assert [leaf.path for leaf in leaves_of(event) if leaf.path not in page] == []
    for never in event.never:
        assert f"never leaves: {' '.join(never.reason.split())}" in page
    for view in event.views:
        assert f"{view.topic} as " in page
    assert f"pipelines try {name} FILE" in page


def test_no_page_has_an_identifier_that_could_be_taken_for_a_real_one() -> None:
    for name, page in seen().items():
        for found in re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", page.text):
            assert found.startswith(("00000000-", "11111111-")), name
        assert not re.search(r"\b\d{1,3}(\.\d{1,3}){3}\b", page.text), name
        assert not re.search(r"\b[0-9]{15}\b", page.text), name
