"""When a batch is believed to be unreadable: errors and a clock by hand, and a second client that agrees."""

from __future__ import annotations

import pytest
import structlog

from pipelines.broker import Cluster, KafkaError
from pipelines.relay import suspects
from pipelines.relay.search import Found
from pipelines.relay.suspects import BAD_COMPRESSION, BAD_MSG, NOT_IMPLEMENTED, PATIENCE_S, TIMES, Suspects

PLACE, OTHER = ("raw.synthetic.ping", 0), ("raw.synthetic.ping", 1)


class AgreeingSearch:
    """A second client that meets the same error, in a batch of three records."""

    def __init__(self, *asked: object) -> None:
        _, _, _, first, _, _ = asked
        assert isinstance(first, int)
        self._end = first + 3

    def step(self) -> Found:
        return Found(self._end)

    def close(self) -> None:
        return None


class Reader:
    """Reads a partition at an offset again and again until its batch is given up."""

    def __init__(self) -> None:
        self.now = 0.0
        self.suspects = Suspects(Cluster("127.0.0.1:1"), structlog.stdlib.get_logger(), lambda: self.now)

    def seconds_until_given_up(self, code: int, offset: int, place: tuple[str, int] = PLACE) -> tuple[float, int]:
        """How long it took, and how many times the partition was read."""
        began, reads = self.now, 1
        self.suspects.heed(place, KafkaError(code), offset)
        while (suspect := self.suspects.places[place]).end is None:
            if list(self.suspects.retry(lambda _: (offset, offset + 10))):
                reads += 1
                self.suspects.heed(place, KafkaError(code), offset)
            elif suspect.search is None and suspect.end is None:
                self.now += 0.1
        self.suspects.clear(place)
        return self.now - began, reads


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.setattr(suspects, "Search", AgreeingSearch)
    return Reader()


@pytest.mark.parametrize("code", [BAD_COMPRESSION, NOT_IMPLEMENTED])
def test_after_a_batch_that_does_not_unpack_the_next_alike_needs_no_patience(reader: Reader, code: int) -> None:
    seconds, reads = reader.seconds_until_given_up(code, 0)
    assert (seconds >= PATIENCE_S[code], reads >= TIMES) == (True, True)
    for offset in (3, 10, 20):
        assert reader.seconds_until_given_up(code, offset) == (0.0, 1)


def test_another_partition_and_another_error_keep_their_patience(reader: Reader) -> None:
    reader.seconds_until_given_up(BAD_COMPRESSION, 0)
    assert reader.seconds_until_given_up(BAD_COMPRESSION, 0, OTHER)[0] >= PATIENCE_S[BAD_COMPRESSION]
    assert reader.seconds_until_given_up(NOT_IMPLEMENTED, 3)[0] >= PATIENCE_S[NOT_IMPLEMENTED]


def test_a_wrong_checksum_keeps_its_minutes_each_time(reader: Reader) -> None:
    for offset in (0, 3):
        assert reader.seconds_until_given_up(BAD_MSG, offset)[0] >= PATIENCE_S[BAD_MSG]
