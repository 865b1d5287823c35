import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from pipelines.contract.model import Contract
from pipelines.demo import telling
from pipelines.demo.checks import Check
from pipelines.demo.comparison import compare
from pipelines.demo.example import choose, most_telling
from pipelines.demo.flow import FlowView, as_numbers
from pipelines.simulate import find
from tests.demo.world import World, topic_id


def shown(renderable: object, width: int, height: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, highlight=False, markup=False)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("height", [10, 24, 40, 60])
@pytest.mark.parametrize("width", [80, 140])
def test_the_flow_fits_its_window_with_every_name_whole(world: World, width: int, height: int) -> None:
    lines = shown(FlowView(world.contract, world.books, "600 sent"), width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)


def test_a_tall_window_shows_every_view_a_lower_one_every_topic(world: World) -> None:
    views = {f"→ {view.topic}" for event in world.contract.events.values() for view in event.views}
    tall = shown(FlowView(world.contract, world.books, ""), 80, 40)
    assert all(any(view in line for line in tall) for view in views)
    low = shown(FlowView(world.contract, world.books, ""), 80, 24)
    assert all(any(line.startswith(topic) for line in low) for topic in world.contract.topics)
    whole = shown(FlowView(world.contract, world.books, "", whole=True), 80, 24)
    assert len(whole) > 24


def test_what_never_happens_takes_no_column(world: World) -> None:
    head = shown(FlowView(world.contract, world.books, "", whole=True), 80)[0]
    assert "expired" not in head
    next(iter(next(iter(world.books.values())).views.values())).expired = 7
    assert "expired" in shown(FlowView(world.contract, world.books, "", whole=True), 80)[0]


def test_the_flow_for_programs_is_the_books(world: World) -> None:
    numbers = as_numbers(world.books)
    for (raw_topic, _), book in world.books.items():
        for topic, view in book.views.items():
            assert numbers[raw_topic][topic]["in"] == book.events_in
            assert numbers[raw_topic][topic]["out"] == view.out


def test_the_example_has_content_identifiers_and_credentials_and_arrives_in_each_of_its_views(world: World) -> None:
    example = world.evidence().example
    assert example is not None
    assert {after.topic for after in example.after} == {view.topic for view in example.event.views}
    rows = compare(example)
    assert {"content", "credential", "device_identifier", "account_identifier"} <= {row.class_ for row in rows}
    assert sum(row.before == "null" for row in rows) < len(rows) / 4


def test_each_value_stands_beside_what_became_of_it(world: World) -> None:
    rows = {row.path: row for row in compare(world.evidence().example or pytest.fail("no example"))}
    enforcement, detection = "network-metadata.security-enforcement", "threat-intelligence.threat-detection"
    assert rows["url"].after == {}
    assert find(rows["url"].before.encode()) == "canary"
    handles = rows["device_id"].after
    assert set(handles) == {enforcement, detection}
    assert len(set(handles.values())) == 2
    assert rows["occurred_at"].after[enforcement].endswith(":00")
    assert rows["tls.version"].after[detection] == "present"
    assert rows["request_headers{}"].after[detection].startswith("count ")
    assert rows["outcome"].after[enforcement] == rows["outcome"].before
    assert int(rows["bytes_out"].after[enforcement]) <= int(rows["bytes_out"].before)


def test_nothing_that_a_view_drops_is_shown_as_arrived(world: World) -> None:
    example = world.evidence().example
    assert example is not None
    for row in compare(example):
        assert find(" ".join(row.after.values()).encode()) is None
    assert find(json.dumps(telling.example_json(example)).encode()) is None


@pytest.mark.parametrize("width", [80, 140])
def test_the_example_and_the_verdicts_fit_the_window(world: World, width: int) -> None:
    lines = shown(telling.example(world.evidence().example or pytest.fail("no example")), width)
    assert max(map(len, lines)) <= width
    assert any("dropped: content" in line for line in lines)
    verdicts = shown(telling.verdicts([Check("a promise", True, "looked"), Check("another", False, "a leak")]), width)
    assert verdicts[0].split() == ["held", "a", "promise", "looked"]
    assert verdicts[1].split() == ["BROKEN", "another", "a", "leak"]


def test_without_an_event_that_every_view_takes_there_is_no_example(shipped: Contract, world: World) -> None:
    event = most_telling(shipped)
    cut = [replace(message, value_=(message.value_ or b"")[:-1]) for message in world.topics[event.raw_topic]]
    assert choose(shipped, event, cut, topic_id(event), world.keys) is None
    assert choose(shipped, event, [], topic_id(event), world.keys) is None
