"""What the tests of topics say of the contracts that their fixtures make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from pipelines.contract.findings import Position
from pipelines.contract.model import Basis, Contract
from pipelines.topics.promise import promises

HERE = Position("topics.yaml")
BASIS = Basis("tests", "tests", "tests", date(2026, 11, 2), date(2027, 11, 2))
MakeContract = Callable[..., Contract]
Alter = Callable[[str, Mapping[str, str | None]], None]
AlterBroker = Callable[[str, str], None]


def names(contract: Contract) -> set[str]:
    return {promise.topic for promise in promises(contract)}
