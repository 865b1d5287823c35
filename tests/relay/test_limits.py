"""What a raw event counts in a batch's bytes."""

from typing import cast

from pipelines.broker import Message
from pipelines.relay.limits import BATCH_BYTES, bytes_of


class Undecodable:
    """A record as the client gives it where a header's name is no UTF-8."""

    def __len__(self) -> int:
        return 7

    def key(self) -> bytes:
        return b"key"

    def headers(self) -> None:
        b"\xff".decode()


def test_value_key_and_headers_count() -> None:
    assert bytes_of(Message(value=b"seven b")) == 7
    assert bytes_of(Message(value=b"seven b", key=b"key")) == 10
    assert bytes_of(Message(value=b"seven b", key=b"key", headers=[("ab", b"cde"), ("f", None)])) == 16


def test_headers_that_cannot_be_decoded_raise_nothing_and_count_as_many() -> None:
    assert 10 + BATCH_BYTES // 4 <= bytes_of(cast("Message", Undecodable())) <= BATCH_BYTES
