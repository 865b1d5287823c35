"""What a contract's own words look like: said without the word, and without loading registries of numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.contract_folders import FIXTURES, found_in

HELD = {
    "word-format": ("user@example.com", "00000000-0000-4000-8000-000000000001"),
    "word-format+else": ("gw.example.com", "02:00:5e:00:53:01", "+1202555"),
    "word-format+enum": ("AKIA",),
    "word-format+list": ("192.0.2.1",),
}


@pytest.mark.parametrize("fixture", HELD)
def test_the_finding_names_the_field_and_the_format_and_never_the_word(fixture: str, tmp_path: Path) -> None:
    findings = found_in(FIXTURES / "invalid" / fixture, tmp_path / "contract").findings
    said = " ".join(f"{found.message} {found.remedy}" for found in findings)
    assert "looks like " in said
    assert not [word for word in HELD[fixture] if word in said]


def test_validating_loads_no_registry_of_numbers_unless_a_word_has_their_form() -> None:
    script = """
import sys
from datetime import date
from pathlib import Path
from pipelines.contract import load
assert load(Path(), as_of=date(2026, 11, 30)).contract
sys.exit("stdnum" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
