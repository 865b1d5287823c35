"""What the promise of exactly once stands on in the cluster, and each setting that takes it away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import pytest

from pipelines.broker import Cluster, EmbeddedKafka
from pipelines.doctor import Observation, State
from pipelines.doctor.durability import look_at_durability
from pipelines.trouble import Trouble

_Told = TypeVar("_Told")


def look(cluster: Cluster, timeout_s: float = 10) -> Observation:
    return look_at_durability(cluster.admin(timeout_s=timeout_s), cluster.survey(timeout_s=timeout_s))


class Telling:
    """A cluster of three that shows no topic of Kafka's own: it tells what it is given, and refuses the rest."""

    def __init__(self, configs: Mapping[str, str] | None, *, exists: bool | None) -> None:
        self._configs = configs
        self._exists = exists

    def broker_ids(self) -> tuple[int, ...]:
        return 1, 2, 3

    def topics(self, _names: object) -> dict[str, object]:
        return {}

    def broker_configs(self) -> Mapping[int, Mapping[str, str]]:
        return dict.fromkeys(self.broker_ids(), self._or_refuse(self._configs))

    def exists(self, _topic: str) -> bool:
        return self._or_refuse(self._exists)

    def _or_refuse(self, answer: _Told | None) -> _Told:
        if answer is None:
            raise Trouble("this principal may not ask", hint="grant it")
        return answer


GOOD = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "min.insync.replicas": "2",
}


@pytest.mark.parametrize(
    ("configs", "exists", "found"),
    [
        (GOOD, False, "3 brokers; 3 replicas"),
        (GOOD, True, "__consumer_offsets: not reported; __transaction_state: not reported"),
        (GOOD, None, "__consumer_offsets: not reported; __transaction_state: not reported"),
        ({}, False, "__consumer_offsets: replicas not reported; __consumer_offsets: min.insync.replicas not reported"),
        (None, False, "__consumer_offsets: replicas not reported"),
    ],
    ids=["not made yet", "hidden", "refused", "settings hidden", "settings refused"],
)
def test_what_is_hidden_or_refused_is_never_called_durable(
    configs: Mapping[str, str] | None, *, exists: bool | None, found: str
) -> None:
    telling = Telling(configs, exists=exists)
    seen = look_at_durability(telling, telling)  # type: ignore[arg-type]
    assert seen.found.startswith(found)
    assert seen.state is (State.OK if (configs, exists) == (GOOD, False) else State.WARN)


def test_one_broker_is_enough_for_a_trial_alone(kafka: EmbeddedKafka) -> None:
    seen = look(kafka.cluster)
    assert seen.state is State.WARN
    assert "one disk" in seen.found


@pytest.mark.slow
def test_a_cluster_that_does_not_say_is_a_warning_with_the_way_out() -> None:
    seen = look(Cluster("127.0.0.1:1"), timeout_s=1)
    assert (seen.state, bool(seen.remedy)) == (State.WARN, True)
    assert seen.found.startswith("cannot be seen: ")
