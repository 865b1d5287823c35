"""Arrival: what a record's place in its topic tells of when it came, beside the floored time that it carries.

Every view is relayed live: its records are committed within a moment of their raw event. A commit writes a marker into
each partition, the broker stamps the marker with its own clock, and a marker is kept for as long as the records around
it. Any client can ask a partition for the first offset at or after a time, and so bisect the moment of each commit
afterwards. No setting of the topic changes that. So the arrival of a record is known to `STEP_MS`, until its TTL ends.
"""

from __future__ import annotations

from math import log2
from typing import Final

STEP_MS: Final = 1


def moments(ttl_ms: int) -> int:
    """Return how many moments of arrival a topic of this TTL tells apart: its steps, and one that is cut in two."""
    return max(-(-ttl_ms // STEP_MS), 1) + 1


def arrival_bits(ttl_ms: int) -> float:
    """Return log2 of the moments."""
    return log2(moments(ttl_ms))
