"""How far the record of changes is believed when it says that a promise is not kept yet. Pure.

Whoever may write to the topic of changes may write there that any record is old for a good reason. So what it says
counts only as far as the cluster's settings, and the changes that stand in the topic before it, allow: nothing is older
than the replaced settings let it become, and what was there when the record was written is gone once the settings that
are in force now have had their time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pipelines.retention import FOREVER_MS, latecomers_gone_ms
from pipelines.topics.judging import ahead_ms, bounded_ms
from pipelines.topics.promise import Promise
from pipelines.topics.recorded import Settles
from pipelines.topics.state import AHEAD, CLEANUP, CLOCK, DELETE_DELAY, LENGTHS, ClusterState, unlimited

_MIXING: Final = {CLOCK, CLEANUP}


def bounded(said: Settles, promise: Promise, state: ClusterState) -> Settles:
    """Return what is said of an existing topic, with both of its times no greater than they can be.

    Where no change in the topic of changes tells of longer settings, no record may be older than those in force allow.
    """
    return replace(
        said,
        kept_from_ms=min(said.kept_from_ms, said.written_ms + _gone_after_ms(said, promise, state)),
        lived_ms=min(said.lived_ms, _lived_ms(said, promise, state)),
    )


def _lived_ms(said: Settles, promise: Promise, state: ClusterState) -> int:
    if _MIXING & said.was.keys():  # under another clock, or compacted, a record could become any age
        return FOREVER_MS
    return bounded_ms(promise, state, **{name: _longer(said, promise, state, name) for name in LENGTHS})


def _gone_after_ms(said: Settles, promise: Promise, state: ClusterState) -> int:
    times = replace(state.times, delete_delay_ms=_longer(said, promise, state, DELETE_DELAY))
    beyond_ms = ahead_ms(promise, state)
    if {AHEAD, CLOCK} & said.was.keys():
        beyond_ms = _longer(said, promise, state, AHEAD)
    gone_ms = latecomers_gone_ms(state.kept(promise.topic), times, ahead_ms=beyond_ms)
    return min(gone_ms + times.slack_ms, FOREVER_MS)  # the applier's clock is not the broker's


def _longer(said: Settles, promise: Promise, state: ClusterState, name: str) -> int:
    """The longer of what a setting was and what is in force (ms)."""
    return max(said.was.get(name, 0), unlimited(state.longest(promise.topic, name).value))
