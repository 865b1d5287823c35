"""The contract that the project ships, and the day on which the tests read it."""

from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[2]
AS_OF = date(2026, 11, 30)
