"""Nothing calls what is known to end the process in the Kafka client's native code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = sorted(file for folder in ("pipelines", "tests", "bench") for file in (ROOT / folder).rglob("*.py"))

_COORDINATOR = (
    "ends the process in `Assertion eonce->refcnt > 0` when the connection to the group's coordinator goes away while "
    "the request is sent (librdkafka 2.16: pull request #5397, issue #4605; confluent-kafka-python #1640): "
)
# The name of a method of the client's AdminClient -> what happens, and what to do.
CRASHES = {
    "list_consumer_group_offsets": "ends the process with SIGSEGV when the group's coordinator moved: it then looks "
    "for the coordinator of a group that an admin client has not (librdkafka 2.16: issue #5040); ask with "
    "`Cluster.admin().committed`, or a consumer's `committed`",
    "describe_consumer_groups": _COORDINATOR + "`list_consumer_groups` asks all brokers, and tells a group's state",
    "delete_consumer_groups": _COORDINATOR + "use a group of its own, which expires by itself",
    "alter_consumer_group_offsets": _COORDINATOR + "commit with a consumer of the group",
}


def crashing(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line of each use of what ends the process, and why it does."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.Constant(value=str(name)) if name in CRASHES:
                yield node.lineno, f"{name} {CRASHES[name]}"


@pytest.mark.slow
def test_nothing_calls_what_is_known_to_end_the_process() -> None:
    said = [
        f"{file.relative_to(ROOT)}:{line}: {why}"
        for file in CODE
        if file != Path(__file__)
        for line, why in crashing(ast.parse(file.read_text()))
    ]
    assert said == []


@pytest.mark.parametrize("name", CRASHES)
def test_each_way_to_name_it_is_seen(name: str) -> None:
    for code in (f"client.{name}([asked])", f"ask = AdminClient.{name}", f'getattr(client, "{name}")([asked])'):
        assert len(list(crashing(ast.parse(code)))) == 1
    assert list(crashing(ast.parse(f'"""Not {name}: it ends the process."""'))) == []


def test_what_is_named_is_there() -> None:
    from confluent_kafka.admin import AdminClient

    assert [name for name in CRASHES if not hasattr(AdminClient, name)] == []
