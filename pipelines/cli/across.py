"""How well each purpose can match its own handles across epochs: printed, as JSON, and as lines of linkage.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import indent
from typing import Any, Final

import yaml
from rich.console import Console
from rich.text import Text

from pipelines.contract.bits import spelled_bits
from pipelines.contract.linkage.epochs import Across, accepted_across, across_in
from pipelines.contract.model import Contract
from pipelines.explain.wording import duration

_WIDE: Final = 10_000  # each reason on one line


def print_across(console: Console, contract: Contract) -> None:
    """Print one line a purpose whose views have handles, most bits first, and what was accepted below it."""
    found = _ordered(contract)
    if not found:
        return
    console.print(
        Text(
            "\nEach purpose with itself, across epochs: bits by which records can match its handles, at most; "
            "times to 1 ms"
        )
    )
    for one in found:
        agreed = accepted_across(contract.linkage, one.purpose)
        style = "bold yellow" if one.above(contract.linkage.warn_above, agreed) else "bold"
        events = ", ".join(f"{event.event} {spelled_bits(event.bits)}" for event in one.events)
        rotate = duration(contract.purposes[one.purpose].rotate_ms)
        line = Text.assemble(
            (f"{spelled_bits(one.bits):>6}  ", style), one.purpose, (f"  rotates every {rotate}: {events}", "dim")
        )
        console.print(line, soft_wrap=True)
        if agreed is not None:
            console.print(Text(f"        accepted up to {agreed.spelled}: {agreed.reason}", "green"), soft_wrap=True)


def plain_across(contract: Contract) -> list[dict[str, Any]]:
    """Return the same for a program to read."""
    return [plain_of(contract, one) for one in _ordered(contract)]


def plain_of(contract: Contract, one: Across) -> dict[str, Any]:
    """Return one purpose's figure, what it is made of, and what was accepted, for a program to read."""
    agreed = accepted_across(contract.linkage, one.purpose)
    return {
        "purpose": one.purpose,
        "bits": one.bits,
        "rotate_ms": contract.purposes[one.purpose].rotate_ms,
        "events": [{"event": event.event, "bits": event.bits} for event in one.events],
        "warned": one.above(contract.linkage.warn_above, agreed),
        "accepted": None if agreed is None else {"up_to": agreed.up_to, "reason": agreed.reason},
    }


def acceptances(contract: Contract) -> str:
    """Return `across_epochs` for policies/linkage.yaml: every purpose above the limit, up to its figure of now.

    Reasons that were given stay. Where there is none the reason is empty, which `validate` refuses until it is written.
    """
    entries = list(_entries(contract))
    return "".join(["across_epochs:\n", *entries]) if entries else "across_epochs: []\n"


def _entries(contract: Contract) -> Iterator[str]:
    for one in across_in(contract):
        if one.above(contract.linkage.warn_above):
            agreed = accepted_across(contract.linkage, one.purpose)
            reason = "" if agreed is None else agreed.reason
            entry = {"purpose": one.purpose, "up_to": one.whole_bits, "reason": reason}
            yield indent(yaml.safe_dump([entry], sort_keys=False, allow_unicode=True, width=_WIDE), "  ")


def _ordered(contract: Contract) -> list[Across]:
    return sorted(across_in(contract), key=lambda one: (-one.count, one.purpose))
