"""The client library's own errors, as a real broker and librdkafka give them."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException


def failure(
    code: int, reason: str = "", *, fatal: bool = False, retriable: bool = False, requires_abort: bool = False
) -> KafkaException:
    """Return the exception that librdkafka raises for an error; an empty reason becomes librdkafka's description."""
    return KafkaException(
        KafkaError(code, reason or None, fatal=fatal, retriable=retriable, txn_requires_abort=requires_abort)
    )


def error_in(exception: KafkaException) -> KafkaError:
    """Return the error that `failure` put into an exception."""
    error: KafkaError = exception.args[0]
    return error
