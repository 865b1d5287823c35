"""Kafka's errors as the operator's trouble: which Kafka, what was wanted, and the way out.

A broker that refuses an administrative request says why, in words about topics and settings; those are shown. Its words
about a produced or fetched record are not: they may speak of the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
_RAISE: Final = "Raise max.message.bytes (or segment.bytes) of the topic: `pipelines topics plan` shows what it needs."
_BRING: Final = "Fewer replicas are in sync than min.insync.replicas wants: bring the brokers back."
# What a broker answers to a request that it refuses → the way out.
_REFUSED: Final[Mapping[str, str]] = {
    "TOPIC_EXCEPTION": "Kafka takes two names that differ in `.` and `_` only for the same. Rename the topic in the "
    "contract, or have the other one deleted by its owner.",
    "POLICY_VIOLATION": "A policy of this cluster refuses it: ask the cluster's administrators.",
    "INVALID_REPLICATION_FACTOR": "Fewer brokers are up than the topic gets replicas: bring them back, and plan again.",
    "INVALID_CONFIG": "This cluster does not take a setting: compare its Kafka version and policies.",
    "UNSUPPORTED_VERSION": "This Kafka is too old for that request: see the least version in docs/operator.md.",
    "NOT_ENOUGH_REPLICAS": _BRING,
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND": _BRING,
    "MSG_SIZE_TOO_LARGE": _RAISE,
    "RECORD_LIST_TOO_LARGE": _RAISE,
}
_MOST_WORDS: Final = 300


class SilentClusterError(Trouble):
    """No broker answered in time, or none could answer yet. A caller that can wait may ask again."""


def unreachable(
    cause: KafkaException | KafkaError | None, bootstrap: str, wanted: str, *, administrative: bool = False
) -> Trouble:
    """What to raise when `wanted` ("list the topics") could not be done at `bootstrap`; None means out of time.

    Raise it `from None`: an exception of the client may hold a message.

    Args:
        administrative: whether the request was about topics, settings or groups, so that the broker's words about it
            are shown.
    """
    error = error_of(cause) if isinstance(cause, KafkaException) else cause
    name = "no answer in time" if error is None else error.name()
    if name in _DENIED:
        hint = f"Give this client's principal the right to do so at {bootstrap}, or check --kafka-properties."
    elif name in _MISCONFIGURED:
        hint = "Check --kafka-properties: librdkafka does not accept a setting in it."
    elif name in _REFUSED:
        hint = _REFUSED[name]
    elif error is not None and _of_broker(error) and not passes(error):
        hint = f"A broker at {bootstrap} answered, and refuses this: its log says more."
    else:
        hint = (
            f"Is a Kafka running at {bootstrap}? `pipelines broker start` starts one here; "
            "--bootstrap or PIPELINES_BOOTSTRAP points at another."
        )
    silent = error is None or error.code() == KafkaError._TIMED_OUT or passes(error)  # noqa: SLF001 - librdkafka's local codes are spelled so
    kind = SilentClusterError if silent else Trouble
    words = _words(error) if administrative and error is not None else ""
    return kind(f"cannot {wanted} at {bootstrap} ({name}{words})", hint=hint, exit_code=Exit.UNAVAILABLE)


def _of_broker(error: KafkaError) -> bool:
    return error.code() >= KafkaError.UNKNOWN  # -1; the client's own codes are below


def _words(error: KafkaError) -> str:
    """Return a broker's own words, on one line; empty where there are only the client's for that code."""
    said = " ".join("".join(each if each.isprintable() else " " for each in error.str()).split())
    if not _of_broker(error) or not said or said == KafkaError(error.code()).str():
        return ""
    return f": {said[:_MOST_WORDS]}"


def missing(topics: Iterable[str], bootstrap: str) -> Trouble:
    """Return what to raise for topics that the cluster does not list. One that hides a topic answers the same."""
    names = sorted(topics)
    more = f" (nor {len(names) - 1} more)" if len(names) > 1 else ""
    return Trouble(
        f"there is no topic {names[0]}{more} at {bootstrap}",
        hint="`pipelines topics apply` creates the contract's topics. "
        "A topic that this client's principal may not describe looks the same.",
    )
