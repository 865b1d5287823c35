"""Books: how much of an offset's metadata the account of an event type's views takes when its counts are longest.

The relay commits, with every offset, how many events came in and what became of each in every view (its `accounting`
writes them). Kafka bounds that text; books that outgrow it would stop a worker on some later day. So what could
outgrow it is refused here. The layout is theirs: one test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

LIMIT_BYTES: Final = 4_095
"""One less than Kafka's default `offset.metadata.max.bytes`: confluent-kafka sends the NUL at a text's end along."""

_COUNT: Final = len(str(2**63 - 1))
_FRAME: Final = len('{"v":1,"in":,"gap":,"views":{}}') + 2 * _COUNT
_VIEW: Final = len('"":[,,,,]') + 5 * _COUNT


def longest(topics: Iterable[str]) -> int:
    """The most bytes that the books of views for these topics take."""
    sizes = [_VIEW + len(topic) for topic in topics]
    return _FRAME + sum(sizes) + max(len(sizes) - 1, 0)


def fitting(topics: Iterable[str]) -> int:
    """How many of these topics, from the first on, have views whose books fit whatever their counts become."""
    names = list(topics)
    return next((count for count in range(len(names), 0, -1) if longest(names[:count]) <= LIMIT_BYTES), 0)
