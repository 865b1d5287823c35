"""What a worker is told when it starts: one frozen value, handed over as JSON on its standard input's first line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Final, Literal

import orjson

from pipelines.relay.waits import RelayLimits
from pipelines.topics.state import INITIAL_DELAY_MS

GROUP_PREFIX: Final = "minimizer."
"""Every worker's consumer group begins so."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """One worker: one source, one slot.

    `overlay` names what is laid over the contract. `replaces_keyring` is the mark of a lost keyring that this one takes
    the place of. `initial_delay_ms` is the brokers' `log.initial.task.delay.ms`. `batch_events` bounds a transaction,
    `linger_ms` is how long a batch waits to fill. `max_poll_ms` is how long a worker may be away from its group, and so
    how long a rebalance waits for anybody; it is at least the session timeout. Times are milliseconds; those of
    `limits`, which says for how long the worker waits for what, are seconds.
    """

    source: str
    instance: str
    slot: int
    contract_dir: Path
    bootstrap: str
    keyring: Path
    kek_file: Path
    properties: Mapping[str, str] = field(default_factory=dict)
    protocol: Literal["classic", "consumer"] = "classic"
    batch_events: int = 2_000
    linger_ms: int = 100
    session_timeout_ms: int = 10_000
    max_poll_ms: int = 60_000
    slow_commit_ms: int = 400
    overlay: str | None = None
    replaces_keyring: str = ""
    initial_delay_ms: int = INITIAL_DELAY_MS
    limits: RelayLimits = field(default_factory=RelayLimits)

    @property
    def group(self) -> str:
        """The consumer group that all workers of the source share."""
        return f"{GROUP_PREFIX}{self.source}"

    @property
    def slot_id(self) -> str:
        """The transactional id, and under the classic protocol the static member's id (KIP-345)."""
        return f"{self.group}.{self.place}"

    @property
    def place(self) -> str:
        """Which of the source's workers this is: INSTANCE.SLOT."""
        return f"{self.instance}.{self.slot}"

    @property
    def fences_borne(self) -> int:
        """So often within a minute another producer may fence this slot's before that is a second process."""
        return 5

    @property
    def bears_silence_s(self) -> float:
        """For so long it waits for brokers that do not answer: a worker until it is told to stop."""
        return inf

    @property
    def rival_hint(self) -> str:
        """What an operator does about a second process."""
        return "Give each host's `pipelines run` an --instance of its own."

    def to_json(self) -> bytes:
        """One line of JSON."""
        return orjson.dumps({**asdict(self), "properties": dict(self.properties)}, default=str)

    @classmethod
    def from_json(cls, line: bytes) -> WorkerSettings:
        """Read what `to_json` wrote."""
        document = orjson.loads(line)
        paths = {name: Path(document[name]) for name in ("contract_dir", "keyring", "kek_file")}
        return cls(**{**document, **paths, "limits": RelayLimits(**document["limits"])})
