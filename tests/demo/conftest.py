from datetime import date
from pathlib import Path

import pytest

from pipelines.contract import load_valid
from pipelines.contract.model import Contract
from tests.demo.world import World, play

ROOT = Path(__file__).parents[2]
AS_OF = date(2026, 11, 23)


@pytest.fixture(scope="session")
def shipped() -> Contract:
    return load_valid(ROOT, as_of=AS_OF)


@pytest.fixture(scope="session")
def sound(shipped: Contract, tmp_path_factory: pytest.TempPathFactory) -> World:
    return play(shipped, tmp_path_factory.mktemp("sound"))


@pytest.fixture
def world(sound: World, tmp_path: Path) -> World:
    return sound.copy(tmp_path)
