"""Changes: what differs between two contracts, whether privacy gets worse by it, and where older contracts are found.

Compares values; only `git` runs a program (git, reading), and only when it is asked to.
"""

from pipelines.contract.changes.change import Change, Direction
from pipelines.contract.changes.compare import accepted_since, compare, since
from pipelines.contract.changes.partial import compare_readable

__all__ = ["Change", "Direction", "accepted_since", "compare", "compare_readable", "since"]
