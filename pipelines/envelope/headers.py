"""The headers and the time of a minimized record: a CloudEvent 1.0 in Kafka's binary mode.

Time is an identifier: whoever knows when something happened to the millisecond may know to whom. So a record's time is
the raw broker time floored to its view's step, and every header is made of that, of the epoch and of constants. Each
header costs CPU on every record: there are these and no more.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from pipelines.contract.model import View

Headers = list[tuple[str, bytes]]

HEADERS_CACHED: Final = 256
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Envelope:
    """The envelope of one view's records.

    Args:
        view: the view.
        event_source: the system's name (never a host), for `ce_source`.
        ttl_ms: the topic's promise, for `ce_expirytime`.
        policy_version: the contract's, for `ce_policyversion`.
        most_cached: of so many times and epochs the headers are remembered.
    """

    __slots__ = ("_cached", "_constant", "_most_cached", "_step_ms", "_ttl_ms")

    def __init__(
        self,
        view: View,
        *,
        event_source: str,
        ttl_ms: int,
        policy_version: str,
        most_cached: int = HEADERS_CACHED,
    ) -> None:
        self._most_cached = most_cached
        self._step_ms = view.step_ms
        self._ttl_ms = ttl_ms
        self._constant: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_source", event_source.encode("ascii")),
            ("ce_type", view.event.encode("ascii")),
            ("content-type", b"application/avro"),
            ("ce_purpose", view.purpose.encode("ascii")),
            ("ce_policyversion", policy_version.encode("ascii")),
        ]
        self._cached: dict[tuple[int, int | None], Headers] = {}

    def floor(self, timestamp_ms: int) -> int:
        """The record's time (its Kafka timestamp): the raw broker time floored to the view's step, in UTC."""
        return timestamp_ms - timestamp_ms % self._step_ms

    def headers(self, floored_ms: int, epoch_start_ms: int | None) -> Headers:
        """All headers but `ce_id`, which is the record's own.

        Args:
            floored_ms: what `floor` gave.
            epoch_start_ms: the start of the epoch whose key made the handle; None for a record without a handle.

        Returns:
            A list that later calls share: add to a copy of it.

        Raises:
            ValueError: the time is not a floored one, or it or its expiry lies outside the years 1 to 9999.
        """
        key = (floored_ms, epoch_start_ms)
        return self._cached.get(key) or self._make(key)

    def _make(self, key: tuple[int, int | None]) -> Headers:
        floored_ms, epoch_start_ms = key
        if floored_ms % self._step_ms:
            raise ValueError("headers are made of a floored time only")
        headers = list(self._constant)
        if epoch_start_ms is not None:
            headers.append(("ce_handleepoch", _rfc3339(epoch_start_ms)))
        headers.append(("ce_expirytime", _rfc3339(floored_ms + self._ttl_ms)))
        while len(self._cached) >= self._most_cached:
            del self._cached[next(iter(self._cached))]
        self._cached[key] = headers
        return headers


def _rfc3339(timestamp_ms: int) -> bytes:
    """A time as RFC 3339 with Z; a fraction only if there is one (TTLs and epochs may have one, steps do not)."""
    try:
        time = _UNIX_EPOCH + timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        raise ValueError("a time outside the years 1 to 9999 has no RFC 3339 form") from None
    text = time.isoformat(timespec="milliseconds" if time.microsecond else "seconds")
    return text.replace("+00:00", "Z").encode("ascii")
