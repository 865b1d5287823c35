"""What an operator reads when a cluster does not do what was asked: the broker's words, if they are about requests."""

from __future__ import annotations

import pytest

from pipelines.broker import KafkaError, KafkaException, SilentClusterError, unreachable
from pipelines.trouble import Exit

WORDS = "Topic 'raw.vpn.session' collides with existing topics: raw_vpn_session"
COLLIDES = KafkaError(KafkaError.TOPIC_EXCEPTION, WORDS)


def test_a_broker_that_refuses_a_request_is_quoted_and_its_answer_has_a_way_out() -> None:
    trouble = unreachable(KafkaException(COLLIDES), "k:1", "create the topic raw.vpn.session", administrative=True)
    assert str(trouble) == f"cannot create the topic raw.vpn.session at k:1 (TOPIC_EXCEPTION: {WORDS})"
    assert "Rename the topic" in trouble.hint
    assert trouble.exit_code == Exit.UNAVAILABLE


def test_words_about_a_record_are_not_shown() -> None:
    """Since KIP-467 a broker may say which record it refuses, and why."""
    refused = KafkaError(KafkaError.INVALID_RECORD, "Timestamp 1700000000000 of message with offset 0 is out of range")
    assert str(unreachable(refused, "k:1", "record the change")) == "cannot record the change at k:1 (INVALID_RECORD)"


def test_words_stay_on_one_line_and_move_no_terminal() -> None:
    refused = KafkaError(KafkaError.POLICY_VIOLATION, "no\x1b[2J\r\n\u202e more  than 3 replicas" + "!" * 1000)
    said = str(unreachable(refused, "k:1", "create it", administrative=True))
    assert said.startswith("cannot create it at k:1 (POLICY_VIOLATION: no [2J more than 3 replicas!!!")
    assert said.isprintable()
    assert len(said) < 400


@pytest.mark.parametrize("code", [KafkaError.TOPIC_EXCEPTION, KafkaError.INVALID_CONFIG, KafkaError.UNKNOWN])
def test_nobody_is_asked_whether_a_kafka_runs_that_has_just_answered(code: int) -> None:
    for error in (KafkaError(code), KafkaError(code, "")):
        trouble = unreachable(error, "k:1", "create it", administrative=True)
        assert "Is a Kafka running" not in trouble.hint
        assert not isinstance(trouble, SilentClusterError)
        assert str(trouble) == f"cannot create it at k:1 ({error.name()})"


def test_a_cluster_that_does_not_answer_is_asked_for() -> None:
    for cause in (
        None,
        KafkaError(KafkaError._TIMED_OUT),
        KafkaError(KafkaError._TRANSPORT, "secret.host:9092: refused"),
    ):
        trouble = unreachable(cause, "k:1", "list the topics", administrative=True)
        assert "Is a Kafka running" in trouble.hint
        assert "secret.host" not in str(trouble)
        assert isinstance(trouble, SilentClusterError)
