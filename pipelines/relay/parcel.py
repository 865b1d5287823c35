"""Parcels: records of one topic that share their time and all headers but the event id, and are sent one by one.

A parcel keeps columns, not records: what the records share is made once, and the event ids of all of them are one AES
call. Whatever is in a parcel stays in its order, unless it is shuffled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.broker import Producer
from pipelines.keys import BLOCK_BYTES, Subkeys

Header = tuple[str, bytes]
_ID_DIGITS: Final = 32
_ANY_PARTITION: Final = -1  # librdkafka's word for "by the key"
_FULL_WAIT_S: Final = 0.05


class Parcel:
    """Records for `topic`, all of the time `timestamp_ms`. `headers` are theirs but for `ce_id`."""

    def __init__(self, topic: str, timestamp_ms: int, headers: list[Header], subkeys: Subkeys) -> None:
        self.topic = topic
        self.timestamp_ms = timestamp_ms
        self.headers = headers
        self._subkeys = subkeys
        self._blocks: list[bytes] = []
        self._keys: list[bytes | None] = []
        self._values: list[bytes] = []

    def put(self, block: bytes, key: bytes | None, value: bytes) -> None:
        """Add a record: the block of its event id (16 bytes), its handle and its value."""
        self._blocks.append(block)
        self._keys.append(key)
        self._values.append(value)

    def size(self) -> int:
        """How many records there are."""
        return len(self._values)

    def arrange(self, order: list[int]) -> None:
        """Keep the records at these places, in this order."""
        self._blocks = [self._blocks[place] for place in order]
        self._keys = [self._keys[place] for place in order]
        self._values = [self._values[place] for place in order]

    def records(self) -> Iterator[tuple[bytes | None, bytes, bytes]]:
        """Key, value and event id of each record."""
        return zip(self._keys, self._values, self.event_ids(0, self.size()), strict=True)

    def event_ids(self, first: int, end: int) -> list[bytes]:
        """The event ids (32 hexadecimal digits) of the records `first` up to `end`."""
        digits = self._subkeys.event_ids(b"".join(self._blocks[first:end])).hex().encode()
        return [digits[at : at + _ID_DIGITS] for at in range(0, len(digits), _ID_DIGITS)]

    def ids_under(self, subkeys: Subkeys) -> list[bytes]:
        """The event ids (16 bytes each) that all the records would have under other keys."""
        ids = subkeys.event_ids(b"".join(self._blocks))
        return [ids[at : at + BLOCK_BYTES] for at in range(0, len(ids), BLOCK_BYTES)]

    def send(self, producer: Producer, first: int, end: int) -> None:
        """Give the records `first` up to `end` to a producer; it waits while the producer's queue is full.

        The client copies what it is given, so all records go with one list of headers, changed in its first place.
        """
        headers: list[tuple[str, str | bytes | None]] = [("ce_id", b""), *self.headers]
        topic, timestamp_ms, produce = self.topic, self.timestamp_ms, producer.produce
        keys, values = self._keys, self._values
        at = first
        for event_id in self.event_ids(first, end):
            headers[0] = ("ce_id", event_id)
            while True:
                try:
                    produce(topic, values[at], keys[at], _ANY_PARTITION, None, None, timestamp_ms, headers)
                    break
                except BufferError:
                    producer.poll(_FULL_WAIT_S)
            at += 1
