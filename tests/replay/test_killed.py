"""A replay that is killed in the middle, again and again, on a real broker."""

import signal
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from pipelines.broker import headers_of, records
from pipelines.relay.steps import Step
from tests.support.processes import completed
from tests.support.replay_scene import Scene

ROOT = Path(__file__).parents[2]
# (step, its occurrence): each death leaves at least one batch of its own behind it, or none, by the step.
DEATHS = [
    (Step.BEGUN, 1),
    (Step.PRODUCING, 1),
    (Step.PRODUCED, 1),
    (Step.OFFSETS_SENT, 2),
    (Step.COMMITTING, 1),
    (Step.COMMITTED, 1),
]


def dies(scene: Scene, line: bytes, step: Step, occurrence: int) -> None:
    ended = completed(
        [sys.executable, "-m", "tests.replay.dying", step, str(occurrence)],
        cwd=ROOT,
        given=scene.house.settings(batch_events=40).to_json() + b"\n" + line + b"\n",
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


@pytest.mark.parametrize("again", [True, False], ids=["again", "what-is-missing"])
def test_a_replay_killed_at_every_step_and_repeated_sends_each_record_once(scene: Scene, *, again: bool) -> None:
    house = scene.house
    numbers = range(400) if again else range(3_700, 4_095)
    house.publish([house.ping(number) for number in numbers])
    scene.relay()
    if not again:
        scene.correct("[0, 4000]", "[0, 4095]")  # the upper 94 were quarantined
    everything = scene.all_time()
    relayed = {topic: identities(scene, topic) for topic in (house.handled, house.loose)}
    asked = [f"{house.source}.ping", everything.since_ms, everything.until_ms, everything.topics, again]
    for step, occurrence in DEATHS if again else DEATHS[1::2]:
        dies(scene, orjson.dumps(asked), step, occurrence)
    outcome = scene.replay(everything, again=again, batch_events=40).execute()
    assert outcome.resumed
    for topic, before in relayed.items():
        now, tally = identities(scene, topic), outcome.tally.views[topic]
        assert tally.is_balanced
        assert tally.events_in == len(numbers)
        assert (now - before).total() == tally.out
        assert set((now - before).values()) <= {1}, "doubled"
        assert set(now.values()) == ({2} if again else {1})
        assert len(now) == len(numbers)
    assert outcome.tally.views[house.handled].out == (400 if again else 94)


def identities(scene: Scene, topic: str) -> Counter[bytes]:
    return Counter(dict(headers_of(message))["ce_id"] for message in records(scene.house.cluster, topic))
