"""Fixtures that tests of several folders ask for; `tests/conftest.py` makes pytest load them.

A test module that needs its relay on a broker of its own, or with other arguments, replaces the fixture by its name.
"""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from pipelines.broker import Cluster
from pipelines.contract import load_valid
from pipelines.contract.model import Contract
from tests.support.calm import Calm, calm
from tests.support.relay_fixture import RelayFixture, build
from tests.support.replay_scene import Scene, scene_on
from tests.support.shipped import AS_OF, ROOT


@pytest.fixture(scope="session")
def shipped() -> Contract:
    """Return the contract that the project ships."""
    return load_valid(ROOT, as_of=AS_OF)


@pytest.fixture
def house(tmp_path: Path, cluster: Cluster) -> RelayFixture:
    """Return a source with a contract, topics and keys of its own on the shared cluster."""
    return build(tmp_path, cluster)


@pytest.fixture
def scene(tmp_path: Path, cluster: Cluster) -> Scene:
    """Return such a source for tests that replay what its workers have relayed."""
    return scene_on(tmp_path, cluster)


@pytest.fixture
def sampled() -> Iterator[Calm]:
    """Return durations without the time in which this machine was short of CPU, from the test's beginning on."""
    with calm() as durations:
        yield durations


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test with the mark `cpu_seconds(LIMIT)` when this process has used so much CPU time in it.

    A wall clock would fail such a test on a busy machine, where a second of CPU takes many.
    """
    mark = item.get_closest_marker("cpu_seconds")
    if mark is None:
        return (yield)
    (limit,) = mark.args

    def over(_number: int, _frame: object) -> None:
        pytest.fail(f"used more than {limit} s of CPU")

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
