"""Views, and the checks that both the tests and the mutants run."""

from collections.abc import Callable

import pytest

from pipelines.contract.findings import Position
from pipelines.contract.model import DAY_MS, HOUR_MS, View
from pipelines.envelope import Envelope, Headers

MakeEnvelope = Callable[[int], Envelope]
"""Step (ms) → the envelope of a view with that step."""
Published = tuple[int, Headers]
"""A record's Kafka timestamp and headers, without `ce_id`."""

ROTATE_MS = 7 * DAY_MS


def make_view(step_ms: int = HOUR_MS, topic: str = "network-metadata.security-enforcement") -> View:
    return View(
        event="vpn.session",
        topic=topic,
        rules=(),
        output=(),
        schema="{}",
        fingerprint=bytes(8),
        step_ms=step_ms,
        position=Position("policies/vpn/session.yaml"),
    )


def make_envelope(
    step_ms: int = HOUR_MS, *, kind: type[Envelope] = Envelope, ttl_ms: int = 2 * DAY_MS, **more: int
) -> Envelope:
    return kind(
        make_view(step_ms),
        event_source="vpn",
        ttl_ms=ttl_ms,
        policy_version="0123456789ab",
        **more,
    )


def publish(envelope: Envelope, raw_ms: int, *, has_handle: bool = True) -> Published:
    """What the relay does with a raw broker time, for a purpose whose rotation is a multiple of the step."""
    floored = envelope.floor(raw_ms)
    return floored, list(envelope.headers(floored, raw_ms - raw_ms % ROTATE_MS if has_handle else None))


def _check_noninterference(make: MakeEnvelope, step_ms: int, start_ms: int, one_ms: int, other_ms: int) -> None:
    """Fails unless two raw times within one step give the same timestamp and headers."""
    start = start_ms - start_ms % step_ms
    published = [publish(make(step_ms), start + within % step_ms) for within in (one_ms, other_ms)]
    assert published[0] == published[1]
    assert published[0][0] == start


def _check_headers_are_exactly(envelope: Envelope, raw_ms: int, *, has_handle: bool) -> None:
    """Fails unless the headers are those of the wire format, each once, and no more."""
    names = ["ce_specversion", "ce_source", "ce_type", "content-type", "ce_purpose", "ce_policyversion"]
    names += ["ce_handleepoch"] * has_handle + ["ce_expirytime"]
    assert [name for name, _ in publish(envelope, raw_ms, has_handle=has_handle)[1]] == names


@pytest.fixture(scope="session")
def check_noninterference() -> Callable[..., None]:
    return _check_noninterference


@pytest.fixture(scope="session")
def check_headers_are_exactly() -> Callable[..., None]:
    return _check_headers_are_exactly


@pytest.fixture(scope="session")
def new_envelope() -> Callable[..., Envelope]:
    return make_envelope


@pytest.fixture(scope="session")
def new_view() -> Callable[..., View]:
    return make_view
