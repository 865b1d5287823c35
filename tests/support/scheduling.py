"""Which test process runs what: a file is a unit of work, and all files of tests on three brokers are one.

A cluster of three takes all brokers that a run may have, so its tests are given to one process. Two faults of
pytest-xdist 3.8's scheduling by scope are worked around: the test in which a process died is given to the next process
and kills that one, too; and a process that holds a single test waits for another one before it begins, forever.
"""

from __future__ import annotations

from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_THREE_BROKERS: Final = "test_three_brokers"


def on_three_brokers(nodeid: str) -> bool:
    """Whether a test's module, named `test_three_brokers…`, may use three brokers."""
    return nodeid.split("::", 1)[0].rpartition("/")[2].startswith(_THREE_BROKERS)


class FileScheduling(LoadScopeScheduling):
    """Give out whole files in the order of collection."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        """Return the unit of work that a test is part of."""
        return _THREE_BROKERS if on_three_brokers(nodeid) else nodeid.split("::", 1)[0]

    def remove_node(self, node: WorkerController) -> str | None:
        """Give what a dead process had not run to others, but for the test in which it died; that is returned."""
        workload = self.assigned_work.pop(node)
        crashed = next((test for unit in workload.values() for test, over in unit.items() if not over), None)
        for scope, unit in reversed(workload.items()):
            left = {test: over or test == crashed for test, over in unit.items()}
            if not all(left.values()):
                self.workqueue[scope] = left
                self.workqueue.move_to_end(scope, last=False)
        for other in self.assigned_work:
            self._reschedule(other)
        return crashed

    def _reschedule(self, node: WorkerController) -> None:
        super()._reschedule(node)
        while self.workqueue and not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            self._assign_work_unit(node)
        if not self.workqueue and not node.shutting_down:
            node.shutdown()
