"""Event ids: the block of 16 bytes that says which raw record it was, before a purpose's key hides it.

A block is topic hash (4 bytes), partition (u32, big endian), offset (u64, big endian). AES permutes blocks: different
records have different ids under one key, a retry has the same, and nobody without the key reads a coordinate from it.
"""

import struct
from hashlib import sha256
from typing import Final

BLOCK_BYTES: Final = 16
_HEAD_BYTES: Final = 8
_OFFSET_BYTES: Final = 8
_COORDINATES: Final = struct.Struct(">4sIQ")


def topic_hash(topic_id: bytes) -> bytes:
    """The first 4 bytes of SHA-256 of a topic's id (Kafka's 16-byte UUID): a topic made anew gets other event ids."""
    return sha256(topic_id).digest()[:4]


def partition_head(topic_hash: bytes, partition: int) -> bytes:
    """The first 8 bytes of the block of every record of a partition.

    Raises:
        ValueError: as `event_block`.
    """
    return event_block(topic_hash, partition, 0)[:_HEAD_BYTES]


def block_in(head: bytes, offset: int) -> bytes:
    """The block of one raw record of a partition; `head` is what `partition_head` gave.

    Raises:
        OverflowError: the offset is not one that Kafka has.
    """
    return head + offset.to_bytes(_OFFSET_BYTES, "big")


def event_block(topic_hash: bytes, partition: int, offset: int) -> bytes:
    """The block of one raw record.

    Raises:
        ValueError: the hash is not 4 bytes, or a coordinate is not one that Kafka has.
    """
    if len(topic_hash) != 4:  # noqa: PLR2004 - struct would pad or cut it without a word
        raise ValueError("a topic hash has 4 bytes")
    if not (0 <= partition < 1 << 31 and 0 <= offset < 1 << 63):
        raise ValueError("a partition is 0 to 2^31 - 1, an offset 0 to 2^63 - 1")
    return _COORDINATES.pack(topic_hash, partition, offset)
