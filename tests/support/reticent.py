"""An in-memory cluster whose brokers hide some of their settings, as old or managed ones do."""

from __future__ import annotations

from typing import Any

from pipelines.broker import Admin, Setting
from tests.support.memory_kafka import MemoryCluster


def without(*hidden: str) -> MemoryCluster:
    """A cluster whose brokers do not tell these settings."""

    class Hiding(MemoryCluster):
        def admin(self, **limits: Any) -> Admin:
            real = super().admin(**limits)

            class Reticent(type(real)):  # type: ignore[misc]
                def broker_settings(self) -> dict[int, dict[str, Setting]]:
                    told = super().broker_settings()
                    return {
                        number: {name: setting for name, setting in settings.items() if name not in hidden}
                        for number, settings in told.items()
                    }

            real.__class__ = Reticent
            return real

    return Hiding()
