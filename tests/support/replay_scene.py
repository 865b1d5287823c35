"""A small contract on a broker, relayed under its first policy, and replays of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.broker import Cluster
from pipelines.contract import derived_schemas, load, load_valid
from pipelines.relay.steps import Watch
from pipelines.replay.engine import Replay
from pipelines.replay.opening import open_replay
from pipelines.replay.selection import ByTime, Selection
from pipelines.replay.task import Task
from tests.support.relay_fixture import TODAY, RelayFixture, build, running
from tests.support.signing import sign


@dataclass(slots=True)
class Scene:
    """A house whose policy a test may correct, and the time range of all that was published."""

    house: RelayFixture
    since_ms: int

    def all_time(self) -> ByTime:
        """Everything until now, for every view."""
        views = self.house.contract.events[f"{self.house.source}.ping"].views
        return ByTime(self.since_ms, int(time.time() * 1000) + 1, tuple(view.topic for view in views))

    def relay(self) -> None:
        with running(self.house.worker()) as raised:
            self.house.wait_until_through()
        assert raised == []

    def correct(self, before: str, after: str, file: str = "") -> None:
        """Change the policy (or another file), and derive, sign and load the contract anew."""
        folder = self.house.folder
        policy = folder / (file or f"policies/{self.house.source}/ping.yaml")
        text = policy.read_text()
        assert before in text
        policy.write_text(text.replace(before, after))
        draft = load(sign(folder, as_of=TODAY), as_of=TODAY).contract
        assert draft is not None
        for name, schema in derived_schemas(draft).items():
            (folder / name).write_text(schema)
        self.house = replace(self.house, contract=load_valid(folder, as_of=TODAY))

    def replay(
        self,
        selection: Selection | None = None,
        *,
        again: bool = False,
        watch: Watch | None = None,
        clock: Callable[[], float] = time.time,
        **changes: Any,
    ) -> Replay:
        task = Task(f"{self.house.source}.ping", selection or self.all_time(), again)
        return open_replay(
            self.house.settings(0, **changes), self.house.contract, task, "tests", watch=watch, clock=clock
        )


def scene_on(folder: Path, cluster: Cluster) -> Scene:
    return Scene(build(folder, cluster), int(time.time() * 1000) - 1_000)
