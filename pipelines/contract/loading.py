"""Loading: a folder's files become a contract and findings. The order of the stages, and nothing else, stands here.

Every stage notes its mistakes and hands on what it could read; the checks then look at the draft as a whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from pipelines.contract import folder as files
from pipelines.contract.assembling import readable_contract, whole_contract
from pipelines.contract.checks import BY_ID, budget, finding, freshness, pipeline_topics, reviews, run
from pipelines.contract.derived import fingerprint
from pipelines.contract.draft import Draft, EventDraft
from pipelines.contract.findings import Finding, Position, Severity
from pipelines.contract.linkage.accepting import read_linkage
from pipelines.contract.model import Contract, Linkage, PipelineTopicReview, RawSchema
from pipelines.contract.node import Node
from pipelines.contract.operands import Lists
from pipelines.contract.overlay.keeping import kept
from pipelines.contract.overlay.laying import Laying
from pipelines.contract.pipeline_reviews import unsigned_topics
from pipelines.contract.pipeline_topics import read_pipeline_topics
from pipelines.contract.policy import read_policy
from pipelines.contract.purposes import read_lists, read_purposes
from pipelines.contract.raw_schema import read_schema
from pipelines.contract.reading import read
from pipelines.contract.received import unsigned_purposes
from pipelines.contract.report import Report, meant, shown
from pipelines.contract.topics import read_topics
from pipelines.contract.unread import Unread, unread
from pipelines.contract.view import read_view
from pipelines.trouble import Exit, Trouble

_ATTRIBUTES = ("class", "max_items", "class_review")
_SHOWN = 5
_TO_LOOK_AT = frozenset(
    {*freshness.BUILD_FIXES, *(check.id for check in (*reviews.CHECKS, *pipeline_topics.CHECKS, *budget.CHECKS))}
)
# The contract needs what an overlay of it may not need.
_MOOT = frozenset({"linkage-needless", "epoch-linkage-needless"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """A contract, unless a mistake stands in the way of building one, and all findings in the order of their places.

    `base` is the contract without the overlay, if one was named and could be laid. `readable` is the contract as far as
    it could be read: the contract itself, or one without what `unread` names and without a digest, to compare and to
    explain, and never to relay by; None when nothing could be read.
    """

    contract: Contract | None
    findings: tuple[Finding, ...]
    base: Contract | None = None
    readable: Contract | None = None
    unread: Unread = field(default_factory=Unread)

    @property
    def valid(self) -> bool:
        """Whether no finding is an error."""
        return all(found.severity is not Severity.ERROR for found in self.findings)


def load(root: Path, *, as_of: date, overlay: str | None = None, base: Loaded | None = None) -> Loaded:
    """Read, resolve and check a contract.

    Args:
        root: the folder with schemas/, policies/ and topics.yaml.
        as_of: the day on which reviews and bases must stand.
        overlay: the name of the overlay to lay over it.
        base: what this function gave for the folder as it is, without an overlay; read again if it is None.

    Returns:
        The contract and every finding; under an overlay the overlaid contract, and the errors of both. Never raises
        for what the files say.
    """
    report = Report()
    folder = files.survey(root, report)
    base = base or _loaded(folder, _draft(folder, as_of, report), report)
    if overlay is None or base.readable is None:
        return base
    return _overlaid(folder, overlay, as_of, base.readable, base)


def _overlaid(folder: files.Folder, name: str, as_of: date, readable: Contract, base: Loaded) -> Loaded:
    report = Report()
    errors = {found for found in base.findings if found.severity is Severity.ERROR}
    node = _overlay_node(folder, name, report)
    laying = None if node is None else Laying(name, node, readable, _list_names(folder), report, base.unread)
    if laying is None:
        found = {*errors, *(finding(check, mistake) for check, mistake in report.mistakes)}
        return Loaded(None, _in_order(found), unread=base.unread)
    loaded = _loaded(folder, _draft(folder, as_of, report, laying), report)
    found = {one for one in loaded.findings if one.check not in _MOOT}
    return replace(loaded, findings=_in_order(found | errors), base=base.contract)


def _overlay_node(folder: files.Folder, name: str, report: Report) -> Node | None:
    if name in folder.overlays:
        return _node(folder, files.overlay_file(name), report)
    what = f"There is no overlay {shown(name)}.{meant(name, folder.overlays)}"
    report.add("file-missing", Position(files.OVERLAYS), what, "Name a file of this folder, without its .yaml.")
    return None


def _list_names(folder: files.Folder) -> frozenset[str]:
    node = _node(folder, files.LISTS, Report(), required=False)
    return frozenset() if node is None else read_lists(node, Report())[1]


def _loaded(folder: files.Folder, draft: Draft, report: Report) -> Loaded:
    broken = frozenset(mistake.position.file for check, mistake in report.mistakes if _is_error(check))
    contract = None if broken else whole_contract(draft)
    overlay = None if draft.laid is None else draft.laid.name
    derived = {path: folder.content(path, report) or b"" for path in folder.derived_under(overlay)}
    superseded = {path: folder.content(path, report) or b"" for path in folder.superseded_under(overlay)}
    left_out = Unread() if contract is not None else unread(draft, folder.derived, broken)
    readable = contract if contract is not None else readable_contract(draft, left_out)
    draft = replace(
        draft, contract=contract, derived=derived, superseded=superseded, readable=readable, unread=left_out
    )
    found = {*(finding(check, mistake) for check, mistake in report.mistakes), *run(draft)}
    return Loaded(contract, _in_order(found), readable=readable, unread=left_out)


def _in_order(found: set[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda one: (one.position, one.check, one.message)))


def validate(root: Path, *, as_of: date) -> tuple[Finding, ...]:
    """Every finding of a contract, in the order of their places."""
    return load(root, as_of=as_of).findings


def load_valid(root: Path, *, as_of: date, overlay: str | None = None) -> Contract:
    """Load a contract that has no error.

    Raises:
        Trouble: it has; the first ones are named.
    """
    return _without_errors(root, load(root, as_of=as_of, overlay=overlay), frozenset())


def load_for_building(root: Path, *, as_of: date, overlay: str | None = None) -> Contract:
    """Load a contract to look at or to build; see `load_to_look_at`.

    Raises:
        Trouble: it has an error that stands in the way; the first ones are named.
    """
    return load_to_look_at(root, as_of=as_of, overlay=overlay).contract


@dataclass(frozen=True, slots=True)
class Viewable:
    """A contract to look at. `unsigned` are the purposes for which nothing may be relayed until somebody signs.

    `unsigned_topics` are those of `raw`, `quarantine` and `changes` whose review nobody has signed.
    """

    contract: Contract
    unsigned: frozenset[str]
    unsigned_topics: frozenset[str] = frozenset()


def load_to_look_at(root: Path, *, as_of: date, overlay: str | None = None) -> Viewable:
    """Load a contract for its authors and reviewers, and never for relaying.

    Reviews and the bases of TTLs may be missing, unsigned or wrong, records may say more bits than allowed, and derived
    schemas may be stale: a reviewer has to see what would leave before signing, and an author before asking for that.

    Raises:
        Trouble: it has another error; the first ones are named.
    """
    loaded = load(root, as_of=as_of, overlay=overlay)
    contract = _without_errors(root, loaded, _TO_LOOK_AT)
    base = contract if overlay is None else loaded.base or contract
    return Viewable(contract, unsigned_purposes(base), unsigned_topics(base))


def _without_errors(root: Path, loaded: Loaded, forgiven: frozenset[str]) -> Contract:
    errors = [found for found in loaded.findings if found.severity is Severity.ERROR and found.check not in forgiven]
    if loaded.contract is not None and not errors:
        return loaded.contract
    lines = [f"  {found.position}: {found.message} [{found.check}]" for found in errors[:_SHOWN]]
    more = [f"  … and {len(errors) - _SHOWN} more"] if len(errors) > _SHOWN else []
    noun = "error" if len(errors) == 1 else "errors"
    message = "\n".join([f"the contract in {root} has {len(errors)} {noun}", *lines, *more])
    raise Trouble(message, hint="`pipelines validate` shows all of them and how to fix each.", exit_code=Exit.FINDINGS)


def _is_error(check: str) -> bool:
    return BY_ID[check].severity is Severity.ERROR


def _node(folder: files.Folder, path: str, report: Report, *, required: bool = True) -> Node | None:
    data = folder.content(path, report, required=required)
    return None if data is None else read(data, path, report)


def _draft(folder: files.Folder, as_of: date, report: Report, laying: Laying | None = None) -> Draft:
    before = len(report)
    lists_node = _node(folder, files.LISTS, report, required=False)
    lists_node = lists_node if lists_node is None or laying is None else laying.lists(lists_node)
    lists_whole, list_names = ({}, frozenset()) if lists_node is None else read_lists(lists_node, report)
    broken = lists_node is None and len(report) > before
    lists = Lists(lists_whole, None if broken else list_names)
    purposes_node = _node(folder, files.PURPOSES, report)
    purposes_node = purposes_node if purposes_node is None or laying is None else laying.purposes(purposes_node)
    purposes, purpose_names = ({}, None) if purposes_node is None else read_purposes(purposes_node, report)
    topics_node = _node(folder, files.TOPICS, report)
    topics_node = topics_node if topics_node is None or laying is None else laying.topics(topics_node)
    topics = None if topics_node is None else read_topics(topics_node, report)
    linkage_node = _node(folder, files.LINKAGE, report, required=False)
    linkage = Linkage() if linkage_node is None else read_linkage(linkage_node, report)
    events = _events(folder, lists, report, laying)
    reviewed = _pipeline_topics(folder, report)
    draft = Draft(as_of, events, purposes, purpose_names, topics, linkage, pipeline_topics=reviewed)
    if laying is None:
        return draft
    laid = laying.done()
    events = {name: kept(laid, event) for name, event in events.items()}
    return replace(draft, events=events, linkage=laying.linkage(linkage), laid=laid)


def _pipeline_topics(folder: files.Folder, report: Report) -> dict[str, PipelineTopicReview] | None:
    """The reviews that could be read; None when there is no such file."""
    before = len(report)
    node = _node(folder, files.PIPELINE_TOPICS, report, required=False)
    if node is None:
        return {} if len(report) > before else None
    return read_pipeline_topics(node, report)


def _events(folder: files.Folder, lists: Lists, report: Report, laying: Laying | None) -> dict[str, EventDraft]:
    read_schemas: dict[str, list[RawSchema | None]] = {}
    for file in folder.schemas:
        read_schemas.setdefault(file.event, []).append(_raw_schema(folder, file, report))
    policy_files = {file.event: file for file in folder.policies}
    events = {}
    for name in sorted({*read_schemas, *policy_files}):
        schemas = read_schemas.get(name, [])
        versions = tuple(schema for schema in schemas if schema is not None)
        whole = bool(schemas) and len(versions) == len(schemas)
        policy = None
        if name in policy_files:
            node = _node(folder, policy_files[name].path, report)
            node = node if node is None or laying is None else laying.policy(name, node)
            policy = None if node is None else read_policy(node, name, report)
        # Rules speak of what the schemas say; of schemas that could not all be read, nothing can be said.
        lines = policy.views if policy is not None and whole else ()
        views = tuple(read_view(name, view, versions, lists, report) for view in lines)
        events[name] = EventDraft(name, versions, whole, name in policy_files, policy, views)
        if not schemas:
            place = Position(policy_files[name].path)
            report.add(
                "policy-without-schema", place, f"There is no raw schema of '{name}'.", "Add it or remove the policy."
            )
    return events


def _raw_schema(folder: files.Folder, file: files.SchemaFile, report: Report) -> RawSchema | None:
    data = folder.content(file.path, report)
    node = None if data is None else read(data, file.path, report, strict_json=True)
    record = None if node is None else read_schema(node, report)
    if record is None or data is None:
        return None
    place = Position(file.path)
    schema = _without_ours(json.loads(data))
    try:
        print_ = fingerprint(schema)
    except ValueError:
        report.add("schema-invalid", place, "The Avro library does not take this schema.", "Fix it as Avro 1.12 says.")
        return None
    return RawSchema(file.event, file.version, record, json.dumps(schema, indent=2), print_, place)


def _without_ours(schema: object) -> object:
    """A schema's JSON without our attributes."""
    match schema:
        case dict():
            kept = {key: value for key, value in schema.items() if key not in _ATTRIBUTES}
            return {key: value if key == "default" else _without_ours(value) for key, value in kept.items()}
        case list():
            return [_without_ours(item) for item in schema]
        case _:
            return schema
