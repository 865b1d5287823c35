from pathlib import Path

import pytest

from pipelines.contract.model import Contract
from tests.demo.world import World, play


@pytest.fixture(scope="session")
def sound(shipped: Contract, tmp_path_factory: pytest.TempPathFactory) -> World:
    return play(shipped, tmp_path_factory.mktemp("sound"))


@pytest.fixture
def world(sound: World, tmp_path: Path) -> World:
    return sound.copy(tmp_path)
