"""Purposes and lists: `policies/purposes.yaml` and `policies/lists.yaml`, from nodes to values."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Final

from pipelines.contract.folder import NAME
from pipelines.contract.model import DAY_MS, MINUTE_MS, Answers, Purpose, Review
from pipelines.contract.node import Node, Scalar
from pipelines.contract.report import Report, shown
from pipelines.contract.section import Section, bad, day, duration, integer, items, text, word

OBJECTIVES: Final = ("product", "security", "support", "compliance", "legal", "administrative", "operational")
MAX_ROTATE_MS: Final = 400 * DAY_MS
MAX_BITS: Final = 4_096
MAX_ENTRIES: Final = 1_000
MAX_LIST: Final = 4_096
MAX_TEXT: Final = 256
QUESTIONS: Final = tuple(field.name for field in fields(Answers))
_NAME: Final = re.compile(NAME, re.ASCII)
_WORD: Final = re.compile(r"[^\W\d_]+")
_PUT_OFF: Final = frozenset({"todo", "tbd", "tba", "tbc", "fixme", "xxx", "placeholder", "lorem"})
_NOTHING: Final = frozenset({
    "n a", "na", "none", "nothing", "no", "yes", "nil", "unknown", "not applicable", "see above",
    "to be decided", "to be defined", "to be done",
})  # fmt: skip
_IRI: Final = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+", re.ASCII)
_COVERS: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def read_purposes(node: Node, report: Report) -> tuple[dict[str, Purpose], frozenset[str]]:
    """The purposes of a file: those that are whole, and the names of all (so that one mistake does not bring more)."""
    whole: dict[str, Purpose] = {}
    section = Section.of(node, "The file", report)
    if section is None:
        return {}, frozenset()
    for key, value in section.entries(MAX_ENTRIES):
        if is_name(key, report) and (purpose := _purpose(key, value, report)) is not None:
            whole[key.text] = purpose
    return whole, frozenset(key.text for key, _ in section.node)


def read_lists(node: Node, report: Report) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """The named vocabularies of a file, and the names of all."""
    whole: dict[str, tuple[str, ...]] = {}
    section = Section.of(node, "The file", report)
    if section is None:
        return {}, frozenset()
    for key, value in section.entries(MAX_ENTRIES):
        if is_name(key, report) and (words := vocabulary(value, report)) is not None:
            whole[key.text] = words
    return whole, frozenset(key.text for key, _ in section.node)


def vocabulary(node: Node, report: Report) -> tuple[str, ...] | None:
    """A list of texts, each once, in the file's order."""
    listed = items(node, report)
    if listed is None:
        return None
    before = len(report)
    words: dict[str, None] = {}
    for item in listed[: MAX_LIST + 1]:
        said = short_text(item, report)
        if said is not None and said in words:
            bad(report, item, f"{shown(said)} stands twice.", "Remove one of them.")
        if said is not None:
            words[said] = None
    if not 0 < len(listed) <= MAX_LIST:
        bad(report, node, f"A list has 1 to {MAX_LIST:,} texts.", "Add or remove some.")
    return None if len(report) > before else tuple(words)


def short_text(node: Node | None, report: Report) -> str | None:
    """A text that a record may say: exactly as it stands, at most 256 characters."""
    if node is None:
        return None
    if not isinstance(node, Scalar):
        text(node, report)
        return None
    if not node.text and node.plain:
        bad(report, node, "There is nothing here.", 'Write a text; the empty text is "".')
        return None
    if len(node.text) > MAX_TEXT:
        bad(report, node, f"A text of more than {MAX_TEXT} characters.", "Shorten it.")
        return None
    return node.text


def is_name(key: Scalar, report: Report) -> bool:
    """Whether a key is a name of ours (lower case, dashes); notes it if not."""
    if _NAME.fullmatch(key.text) and len(key.text) <= 64:  # noqa: PLR2004 - as file names
        return True
    bad(
        report,
        key,
        f"{shown(key.text)} is not a valid name.",
        "Write lower-case letters, digits and single dashes, at most 64.",
    )
    return False


def _purpose(key: Scalar, node: Node, report: Report) -> Purpose | None:
    section = Section.of(node, "A purpose", report)
    if section is None:
        return None
    before = len(report)
    description = text(section.need("description"), report)
    objective = word(section.need("objective"), OBJECTIVES, report)
    iri = _iri(section.need("iri"), report)
    legal_basis = _iri(section.need("legal_basis"), report)
    answers = _answers(section, report)
    handle = word(section.need("handle"), ("device", "account", "none"), report)
    rotate = duration(section.need("rotate"), MINUTE_MS, MAX_ROTATE_MS, report)
    max_bits = integer(section.need("max_bits"), 0, MAX_BITS, report)
    review = read_review(section.may("review"), report)
    section.close()
    if (
        len(report) > before
        or description is None
        or objective is None
        or iri is None
        or legal_basis is None
        or answers is None
        or rotate is None
        or max_bits is None
    ):
        return None
    return Purpose(
        name=key.text,
        description=description,
        objective=objective,
        iri=iri,
        legal_basis=legal_basis,
        answers=answers,
        handle="device" if handle == "device" else "account" if handle == "account" else None,
        rotate_ms=rotate,
        max_bits=max_bits,
        review=review,
        position=key.position,
    )


def _answers(section: Section, report: Report) -> Answers | None:
    """The answers to a data review's questions, all of which are needed."""
    said = {question: answer(section.need(question), question, report) for question in QUESTIONS}
    whole = {question: answered for question, answered in said.items() if answered is not None}
    return Answers(**whole) if len(whole) == len(said) else None


def answer(node: Node | None, question: str, report: Report) -> str | None:
    """A sentence that answers a reviewer's question; notes one that puts it off."""
    said = text(node, report)
    if node is not None and said is not None and is_placeholder(said):
        what = f"{shown(said)} does not answer '{question}'."
        report.add("answer-placeholder", node.position, what, "Answer it in a sentence; the reviewer signs the answer.")
    return said


def is_placeholder(said: str) -> bool:
    """Whether an answer says nothing: no words, or words that put it off."""
    words = _WORD.findall(said.casefold())
    return not words or words[0] in _PUT_OFF or " ".join(words) in _NOTHING


def read_review(node: Node | None, report: Report) -> Review | None:
    """A review; `covers` may be absent here, which is another check's matter."""
    section = Section.of(node, "A review", report)
    if section is None:
        return None
    before = len(report)
    id_, owner = text(section.need("id"), report), text(section.need("owner"), report)
    approved, expires = day(section.need("approved"), report), day(section.need("expires"), report)
    digest = section.may("covers")
    covers = "" if digest is None else text(digest, report)
    section.close()
    if covers and digest is not None and not _COVERS.fullmatch(covers):
        bad(report, digest, f"{shown(covers)} is not a digest.", "Write the 64 digits that `pipelines review` prints.")
    if len(report) > before or id_ is None or owner is None or approved is None or expires is None or covers is None:
        return None
    place = section.node.position
    return Review(id_, approved, expires, owner, covers, place, place if digest is None else digest.position)


def _iri(node: Node | None, report: Report) -> str | None:
    said = text(node, report)
    if node is None or said is None:
        return None
    if not _IRI.fullmatch(said):
        bad(report, node, f"{shown(said)} is not an IRI.", "Write prefix:Name or a whole IRI.")
        return None
    return said
