"""What the proxy reads of Kafka's wire protocol: which request this is, for whom, and how it was answered.

Knows the beginning of a few requests and no more. Changes nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

PRODUCE, INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = 0, 22, 24, 25, 26, 28
# From these versions on a request's strings are compact and its header ends with tags (KIP-482). All of them begin
# with a transactional id; Produce requests older than version 3 do not, and nobody sends those any more.
_FLEXIBLE: Final = {
    PRODUCE: 9,
    INIT_PRODUCER_ID: 2,
    ADD_PARTITIONS: 3,
    ADD_OFFSETS: 3,
    END_TXN: 3,
    TXN_OFFSET_COMMIT: 3,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `commit` is EndTxn's: commit or abort."""

    api_key: int
    version: int
    correlation_id: int
    transactional_id: str | None = None
    commit: bool | None = None

    @classmethod
    def of(cls, frame: bytes) -> Request:
        """Read a frame's beginning, its size included: KIP-4's header, then the transactional id where there is one."""
        api_key, version, correlation, length = struct.unpack_from(">hhih", frame, 4)
        if api_key not in _FLEXIBLE:
            return cls(api_key, version, correlation)
        at = 14 + max(length, 0)
        if version >= _FLEXIBLE[api_key]:
            at, length = at + 2, frame[at + 1] - 1  # no tags; a length above 126 would take two bytes
        else:
            at, (length,) = at + 2, struct.unpack_from(">h", frame, at)
        name = None if length < 0 else frame[at : at + length].decode()
        commit = bool(frame[at + length + 10]) if api_key == END_TXN else None  # after producer id and epoch
        return cls(api_key, version, correlation, name, commit)


def correlation_id(answer: bytes) -> int:
    """Which request of its connection a frame answers."""
    number: int = struct.unpack_from(">i", answer, 4)[0]
    return number


def error_code(request: Request, answer: bytes) -> int:
    """Kafka's error code in an answer that has it right after the throttle time."""
    assert request.api_key in {INIT_PRODUCER_ID, ADD_OFFSETS, END_TXN}
    tags = request.version >= _FLEXIBLE[request.api_key]
    code: int = struct.unpack_from(">h", answer, 12 + tags)[0]
    return code
