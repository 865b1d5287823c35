"""The named steps of a worker's life, and how to watch them.

A watcher is any callable that takes a `Step`. It is called in the worker's own thread, so it may block, raise or end
the process: fault tests stand on that. Without one a step costs a comparison with None.
"""

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """Where a worker is. The order is that of one batch."""

    POLLED = "polled"
    BEGUN = "begun"
    PRODUCING = "producing"
    PRODUCED = "produced"
    SENDING_OFFSETS = "sending-offsets"
    OFFSETS_SENT = "offsets-sent"
    COMMITTING = "committing"
    COMMITTED = "committed"
    REBALANCING = "rebalancing"
    RECOVERING = "recovering"
    STOPPING = "stopping"


Watch = Callable[[Step], None]
