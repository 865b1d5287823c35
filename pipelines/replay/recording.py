"""The record of a replay in the topic of changes: before anything of it is written, and when it is done.

`kind: replay` says who, what of which event type, and under which contract; `raw_offsets` is how many places in the raw
topic it will read. `kind: replayed` gives the counts by view, of all runs of the same replay. A run that was broken off
has no second record; the one that goes on says `resumed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pipelines.replay.tally import Tally
from pipelines.replay.task import Task
from pipelines.topics.record import Recorder
from pipelines.topics.spans import moment


class ReplayRecorder:
    """Records one run of a task.

    Args:
        recorder: writes as the one who runs it.
        task: what is run.
        clock: seconds since 1970.
    """

    def __init__(self, recorder: Recorder, task: Task, clock: Callable[[], float]) -> None:
        self._recorder, self._task, self._clock = recorder, task, clock

    def begun(self, raw_offsets: int, *, resumed: bool) -> None:
        """Record that so many raw offsets are about to be replayed.

        Raises:
            Trouble: (exit 3) it is not surely recorded; nothing may be replayed then.
        """
        self._write(
            {
                "kind": "replay",
                **self._what(),
                "again": self._task.again,
                "views": list(self._task.selection.topics),
                "raw_offsets": raw_offsets,
                "resumed": resumed,
            }
        )

    def done(self, tally: Tally) -> None:
        """Record what came of it.

        Raises:
            Trouble: (exit 3) it is not surely recorded; what is replayed stays so.
        """
        counts = {topic: asdict(view) for topic, view in tally.views.items()}
        self._write({"kind": "replayed", **self._what(), "raw_events": tally.taken, "counts": counts})

    def _what(self) -> dict[str, Any]:
        selection = self._task.selection
        return {
            "event": self._task.event,
            "selected": selection.spelled()[0],
            "from": moment(selection.since_ms),
            "to": moment(selection.until_ms),
        }

    def _write(self, body: dict[str, Any]) -> None:
        self._recorder.write([body], int(self._clock() * 1000))
