"""How much of the raw input a worker holds at a time, in bytes: its memory is bounded by these and not by the lag.

Chosen from measurements (decision 0065). What a compressed batch unpacks to comes on top: the client unpacks a whole
batch, and only under zstd does it stop at `receive.message.max.bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pipelines.broker import Message, headers_of

# A batch ends when its events have come to this in values, keys and headers, however few they are.
BATCH_BYTES: Final = 4 << 20
# So many events are asked of the client at once; no more than these can come beyond BATCH_BYTES.
SLICE: Final = 16

FETCHING: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "fetch.max.bytes": 1 << 20,  # of one answer, over all partitions; a single larger batch comes all the same
        "max.partition.fetch.bytes": 256 << 10,
        "receive.message.max.bytes": 16 << 20,  # librdkafka's limit of what zstd unpacks, too
        "queued.max.messages.kbytes": 4 << 10,
        "fetch.queue.backoff.ms": 10,  # not 1 s, in which a worker of large events would stand with its queue empty
        "queued.min.messages": 10_000,  # an event in the client has some 300 bytes of overhead
        "check.crcs": True,  # or a bit that flipped on the way becomes a changed value; 0.02 µs an event
    }
)

# What headers count whose names cannot be decoded, so that nobody can say how large they are: a whole stored batch.
_UNKNOWN_BYTES: Final = 1 << 20


def bytes_of(message: Message) -> int:
    """Return a raw event's size in bytes as `BATCH_BYTES` counts it: its value, key and headers. Never raises."""
    size = len(message) + len(message.key() or b"")
    try:
        if not message.headers():
            return size
    except (UnicodeDecodeError, SystemError):  # the client decodes names as UTF-8; the error would show their bytes
        return size + _UNKNOWN_BYTES
    return size + sum(len(name) + len(value) for name, value in headers_of(message))
