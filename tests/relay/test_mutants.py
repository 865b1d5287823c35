"""Mutants of the relay, each caught by a test that passes without it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipelines.broker import Cluster, Consumer, TopicPartition
from pipelines.relay.steps import Step
from tests.relay.house import House, build
from tests.relay.test_worker import breaks_off_and_is_followed, outputs_are_exact


@dataclass
class OffsetsOutside:
    """A cluster whose producers commit the offsets by the consumer, outside the transaction."""

    real: Cluster
    consumers: list[Consumer] = field(default_factory=list)

    def consumer(self, **settings: Any) -> Consumer:
        self.consumers.append(self.real.consumer(**settings))
        return self.consumers[-1]

    def producer(self, **settings: Any) -> Any:
        return _Producer(self.real.producer(**settings), self.consumers)

    def admin(self) -> Any:
        return self.real.admin()


@dataclass
class _Producer:
    _real: Any
    _consumers: list[Consumer]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send_offsets_to_transaction(self, offsets: list[TopicPartition], *_: object) -> None:
        self._consumers[-1].commit(offsets=offsets, asynchronous=False)


@pytest.fixture
def house(tmp_path: Path, cluster: Cluster) -> House:
    return build(tmp_path, cluster)


def test_offsets_committed_outside_the_transaction_are_caught(house: House) -> None:
    """Caught by test_a_worker_that_breaks_off_at_any_step_leaves_no_trace[committing]."""
    breaks_off_and_is_followed(house, Step.COMMITTING, OffsetsOutside(house.cluster))
    with pytest.raises(AssertionError, match="lost"):
        outputs_are_exact(house)
