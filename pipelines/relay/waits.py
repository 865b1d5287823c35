"""How long a worker waits for what, and when it looks before it writes: the limits that its settings carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.retention import TRANSACTION_TIMEOUT_MS

Look = Literal["auto", "always", "never"]
"""Whether each batch is preceded by a look at what was sent before it."""


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """The waits of one worker, in seconds. The defaults hold for any cluster; a shorter wait makes a test short.

    Attributes:
        look: before each batch, whether all that lies in the worker's topics, and its group's offsets, are committed
            or aborted. `auto` looks where a broker can take a partition's last replica with it unheard: at fewer than
            three replicas on several brokers. `always` costs 10 ms a batch; `never` gives up what `auto` protects.
        decided_s: after so long without an end, a transaction in the worker's topics hangs. Others' transactions end
            within their timeout (30 s) and the coordinator's look for overdue ones (10 s by default), and 5 s of grace.
        refused_s: for so long a refusal, or a topic that is missing, is asked about again when a producer is made.
        committed_s: so long the group's offsets are asked for. A stable OffsetFetch waits for the transaction of who
            held the partition before: up to 40 s. With the questions around it, no longer than a member may be away
            from its group (60 s).
        watermark_s: so long a partition's first and last offset are asked for.
        behind_s: so long offsets are doubted that lie behind what this process committed. A coordinator that still
            reads its log knows more a moment later.
        markers_s: so often, at most, a worker commits only that it has read past markers of transactions and aborted
            records, without an event. They have offsets, and would count as lost when the log's start passes them.
    """

    look: Look = "auto"
    decided_s: float = TRANSACTION_TIMEOUT_MS / 1000 + 10 + 5
    refused_s: float = 60.0
    committed_s: float = 45.0
    watermark_s: float = 10.0
    behind_s: float = 60.0
    markers_s: float = 10.0
