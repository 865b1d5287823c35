"""Fixtures that tests of several folders ask for; `tests/conftest.py` makes pytest load them.

A test module that needs its relay on a broker of its own, or with other arguments, replaces the fixture by its name.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.broker import Cluster
from pipelines.contract import load_valid
from pipelines.contract.model import Contract
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
