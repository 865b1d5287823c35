"""Checks of the topics that serve no purpose: they keep to what policies/pipeline-topics.yaml says of them.

A contract from before there was that file has none. It gets warnings, and no error: an upgrade stops no deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.checks.check import Check, warning
from pipelines.contract.draft import Draft
from pipelines.contract.findings import Position
from pipelines.contract.folder import PIPELINE_TOPICS
from pipelines.contract.model import ChangesTopic, PipelineTopicReview, QuarantineTopic, RawTopic, Topic
from pipelines.contract.pipeline_topics import CHANGES, LONGEST_MS, QUARANTINE, RAW
from pipelines.contract.report import Mistake, shown
from pipelines.contract.section import spelled
from pipelines.contract.topics import Topics

_Topic = RawTopic | QuarantineTopic | ChangesTopic


def undeclared(draft: Draft) -> Iterator[Mistake]:
    """A contract whose raw topics, quarantine and record of changes nobody reviewed, and what no review would allow."""
    if draft.pipeline_topics is not None or draft.topics is None:
        return
    what = "Nobody has reviewed the raw topics, the quarantine and the record of changes: this file is missing."
    remedy = "`pipelines review` prints the lines to write into it."
    yield Mistake(Position(PIPELINE_TOPICS), what, remedy)
    most = LONGEST_MS[QUARANTINE]
    noted = draft.topics.quarantine
    if noted is not None and noted.ttl_ms > most:
        what = f"The quarantine keeps notes for {spelled(noted.ttl_ms)}; a review can allow {spelled(most)}."
        yield Mistake(noted.position, what, f"Write `ttl: {spelled(most)}` or less.")
    if (short := _proves_too_little(draft.topics)) is not None:
        yield Mistake(draft.topics.changes.position, *short)


def kept_too_long(draft: Draft) -> Iterator[Mistake]:
    """A topic that is kept for longer than was reviewed, or a record of changes that ends before what it proves."""
    for subject, topic, said in _declared(draft):
        if topic.ttl_ms > said.max_ttl_ms:
            what = (
                f"'{topic.name}' is kept for {spelled(topic.ttl_ms)}; the review of '{subject}' allows "
                f"{spelled(said.max_ttl_ms)} ({said.position})."
            )
            yield Mistake(topic.position, what, f"Write `ttl: {spelled(said.max_ttl_ms)}` or less.")
        if subject == CHANGES and draft.topics is not None and (short := _proves_too_little(draft.topics)) is not None:
            yield Mistake(topic.position, *short)


def consumers(draft: Draft) -> Iterator[Mistake]:
    """A reader whom the review does not name, or a reviewed reader who does not read."""
    for subject, topic, said in _declared(draft):
        if isinstance(topic, RawTopic):
            continue
        for name in sorted(set(topic.consumers) - set(said.consumers)):
            reads = f"{shown(name)} may read '{topic.name}'"
            what = f"{reads}; the review of '{subject}' does not name them ({said.position})."
            remedy = f"Take them away, or add them under '{subject}' there and have it reviewed."
            yield Mistake(topic.position, what, remedy)
        for name in sorted(set(said.consumers) - set(topic.consumers)):
            what = f"The review of '{subject}' lets {shown(name)} read, whom '{topic.name}' does not name."
            yield Mistake(said.position, what, "Take them away here: a review allows no more than what is needed.")


def names_apart(draft: Draft) -> Iterator[Mistake]:
    """A purpose that is called as a subject, so that nobody could say which of the two a signature is for."""
    for subject in draft.pipeline_topics or ():
        if subject in draft.purposes:
            what = f"The purpose '{subject}' is called as the topics that {PIPELINE_TOPICS} reviews."
            yield Mistake(draft.purposes[subject].position, what, "Give the purpose another name.")


def _declared(draft: Draft) -> Iterator[tuple[str, _Topic, PipelineTopicReview]]:
    """Each topic with its subject and review, as far as they could be read.

    None under an overlay: it shortens TTLs and takes readers away, and `overlay-loosens` says where it does not.
    """
    for subject, said in () if draft.laid is not None else (draft.pipeline_topics or {}).items():
        for topic in () if draft.topics is None else _topics(draft.topics, subject):
            yield subject, topic, said


def _topics(topics: Topics, subject: str) -> tuple[_Topic, ...]:
    if subject == RAW:
        return tuple(topics.raw.values())
    if subject == QUARANTINE:
        return () if topics.quarantine is None else (topics.quarantine,)
    return (topics.changes,)


def _proves_too_little(topics: Topics) -> tuple[str, str] | None:
    """What is wrong, and its remedy, when the record of changes ends before the TTLs whose changes it proves."""
    noted = () if topics.quarantine is None else (topics.quarantine,)
    longest = max((*topics.minimized.values(), *topics.raw.values(), *noted), key=_ttl_ms, default=None)
    if longest is None or topics.changes.ttl_ms >= longest.ttl_ms:
        return None
    long = spelled(longest.ttl_ms)
    what = (
        f"'{topics.changes.name}' records changes of TTLs for {spelled(topics.changes.ttl_ms)}; '{longest.name}' "
        f"is kept for {long}, and a change of it could not be proven until then."
    )
    return what, f"Write `ttl: {long}` or more under `changes:` in topics.yaml."


def _ttl_ms(topic: Topic | RawTopic | QuarantineTopic) -> int:
    return topic.ttl_ms


CHECKS: Final = (
    warning(
        "pipeline-undeclared",
        "The raw topics, the quarantine and the record of changes are reviewed in policies/pipeline-topics.yaml.",
        undeclared,
    ),
    Check(
        "pipeline-ttl",
        "No topic of the pipeline is kept for longer than reviewed, and changes as long as the longest TTL.",
        kept_too_long,
    ),
    Check("pipeline-consumers", "The topics of the pipeline have the consumers that were reviewed.", consumers),
    Check("pipeline-name", "No purpose is called raw, quarantine or changes where these are reviewed.", names_apart),
)
