"""Checks of overlays: each is tighter than the contract, line by line, and each of its lines does something."""

from __future__ import annotations

from typing import Final

from pipelines.contract.checks.check import Check, warning
from pipelines.contract.overlay.tightening import loosened, needless

CHECKS: Final = (
    Check("overlay-loosens", "An overlay loosens nothing.", loosened),
    warning("overlay-needless", "Every line of an overlay changes something.", needless),
)
