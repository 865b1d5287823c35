"""Kafka's errors as the operator's trouble: which Kafka, what was wanted, and the way out."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException

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


def error_of(exception: KafkaException) -> KafkaError | None:
    """The KafkaError inside an exception, or None."""
    return next((arg for arg in exception.args if isinstance(arg, KafkaError)), None)


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
    return Trouble(f"cannot {wanted} at {bootstrap} ({name})", hint=hint, exit_code=Exit.UNAVAILABLE)
