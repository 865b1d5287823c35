"""Deployments: the contract as it is, or under an overlay, which has derived schemas and an option of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.contract import derived_schemas
from pipelines.contract.building import Under
from pipelines.contract.folder import DERIVED, overlay_derived
from pipelines.contract.model import Contract
from pipelines.explain.catalog.page import Block, Code, Paragraph, line


@dataclass(frozen=True, slots=True)
class Deployment:
    """`overlay` is None for the contract as it is; `schemas` are the paths of the derived schemas that it changes."""

    overlay: str | None = None
    schemas: frozenset[str] = frozenset()

    @classmethod
    def of(cls, contract: Contract, under: Under | None) -> Deployment:
        """That of a contract, which has an overlay in it where one is named."""
        return PLAIN if under is None else cls(under.overlay, frozenset(derived_schemas(contract, under)))

    @property
    def option(self) -> str:
        """What a command takes besides, with a space before it."""
        return "" if self.overlay is None else f" --overlay {self.overlay}"

    def schema(self, path: str) -> str:
        """Where a derived schema is: `path` is `<topic>/<event>.v<N>.avsc`."""
        mine = "" if self.overlay is None else f"{overlay_derived(self.overlay)}/{path}"
        return mine if mine in self.schemas else f"{DERIVED}/{path}"

    def said(self) -> list[Block]:
        """What a page says of it before anything else."""
        if self.overlay is None:
            return []
        told = line("A deployment that tightens the contract by the overlay ", Code(self.overlay), ".")
        return [Paragraph(told)]


PLAIN: Final = Deployment()
