"""Building: the derived schemas as files, one for each view. Pure; writing them is the command's matter."""

from __future__ import annotations

from pipelines.contract.model import Contract

FOLDER = "schemas/minimized"


def derived_schemas(contract: Contract) -> dict[str, str]:
    """The derived schemas of a contract.

    Returns:
        Path in the contract's folder -> text: `schemas/minimized/<topic>/<event>.v<N>.avsc`, N being the newest raw
        version, since one schema serves all of them.
    """
    return {
        f"{FOLDER}/{view.topic}/{event.name}.v{event.versions[-1].version}.avsc": view.schema
        for _, event in sorted(contract.events.items())
        for view in event.views
    }
