"""The contract: load, check and digest the files that people edit; findings with positions.

The values (`model`, `avro`, `actions`, `path`, `findings`, `readings`) import no third party, and importing one of them
loads nothing else; what loads files comes in on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipelines.contract.building import build, derived_schemas
    from pipelines.contract.checks import CHECKS
    from pipelines.contract.loading import Loaded, load, load_for_building, load_to_look_at, load_valid, validate
    from pipelines.contract.received import digest_of

_HOMES: Final = {
    "CHECKS": "pipelines.contract.checks",
    "Loaded": "pipelines.contract.loading",
    "build": "pipelines.contract.building",
    "derived_schemas": "pipelines.contract.building",
    "digest_of": "pipelines.contract.received",
    "load": "pipelines.contract.loading",
    "load_for_building": "pipelines.contract.loading",
    "load_to_look_at": "pipelines.contract.loading",
    "load_valid": "pipelines.contract.loading",
    "validate": "pipelines.contract.loading",
}

__all__ = [
    "CHECKS",
    "Loaded",
    "build",
    "derived_schemas",
    "digest_of",
    "load",
    "load_for_building",
    "load_to_look_at",
    "load_valid",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
