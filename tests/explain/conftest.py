from datetime import date
from pathlib import Path

import pytest

from pipelines.contract import load_valid
from pipelines.contract.model import Contract

ROOT = Path(__file__).parents[2]
AS_OF = date(2026, 11, 23)


@pytest.fixture(scope="session")
def shipped() -> Contract:
    return load_valid(ROOT, as_of=AS_OF)
