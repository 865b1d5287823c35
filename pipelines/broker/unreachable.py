"""Kafka's errors as the operator's trouble: which Kafka, what was wanted, and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from pipelines.broker.passing import error_of, passes
from pipelines.trouble import Exit, Trouble

_DENIED: Final = frozenset(
    {
        "TOPIC_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        "SASL_AUTHENTICATION_FAILED",
        "_AUTHENTICATION",
    }
)
_MISCONFIGURED: Final = frozenset({"_INVALID_ARG", "_CONFLICT"})


class SilentClusterError(Trouble):
    """No broker answered in time, or none could answer yet. A caller that can wait may ask again."""


def unreachable(cause: KafkaException | KafkaError | None, bootstrap: str, wanted: str) -> Trouble:
    """What to raise when `wanted` ("list the topics") could not be done at `bootstrap`; None means out of time.

    Raise it `from None`: an exception of the client may hold a message.
    """
    error = error_of(cause) if isinstance(cause, KafkaException) else cause
    name = "no answer in time" if error is None else error.name()
    if name in _DENIED:
        hint = f"Give this client's principal the right to do so at {bootstrap}, or check --kafka-properties."
    elif name in _MISCONFIGURED:
        hint = "Check --kafka-properties: librdkafka does not accept a setting in it."
    else:
        hint = (
            f"Is a Kafka running at {bootstrap}? `pipelines broker start` starts one here; "
            "--bootstrap or PIPELINES_BOOTSTRAP points at another."
        )
    silent = error is None or error.code() == KafkaError._TIMED_OUT or passes(error)  # noqa: SLF001 - librdkafka's local codes are spelled so
    kind = SilentClusterError if silent else Trouble
    return kind(f"cannot {wanted} at {bootstrap} ({name})", hint=hint, exit_code=Exit.UNAVAILABLE)


def missing(topics: Iterable[str], bootstrap: str) -> Trouble:
    """Return what to raise for topics that the cluster does not list. One that hides a topic answers the same."""
    names = sorted(topics)
    more = f" (nor {len(names) - 1} more)" if len(names) > 1 else ""
    return Trouble(
        f"there is no topic {names[0]}{more} at {bootstrap}",
        hint="`pipelines topics apply` creates the contract's topics. "
        "A topic that this client's principal may not describe looks the same.",
    )
