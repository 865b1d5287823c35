from datetime import date
from pathlib import Path

from pipelines.contract import derived_schemas, load
from pipelines.contract.model import Contract

ROOT = Path(__file__).parents[2]
AS_OF = date(2026, 11, 30)


def test_the_shipped_contract_has_no_finding_at_all() -> None:
    assert [
        f"{finding.position} {finding.check}: {finding.message}" for finding in load(ROOT, as_of=AS_OF).findings
    ] == []


def test_the_committed_schemas_of_the_minimized_topics_are_those_that_follow_from_the_contract(
    shipped: Contract,
) -> None:
    derived = derived_schemas(shipped)
    committed = {str(file.relative_to(ROOT)) for file in (ROOT / "schemas/minimized").glob("*/*.avsc")}
    assert committed == set(derived)
    assert all((ROOT / path).read_text() == text for path, text in derived.items())


def test_a_year_later_the_reviews_are_what_is_found() -> None:
    findings = load(ROOT, as_of=date(2027, 12, 1)).findings
    assert {finding.check for finding in findings} >= {"review-expired"}
