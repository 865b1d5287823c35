"""Loading: a folder's files become a contract and findings. The order of the stages, and nothing else, stands here.

Every stage notes its mistakes and hands on what it could read; the checks then look at the draft as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pipelines.contract import folder as files
from pipelines.contract.checks import BY_ID, budget, finding, freshness, reviews, run
from pipelines.contract.derived import fingerprint
from pipelines.contract.digest import digest
from pipelines.contract.draft import Draft, EventDraft
from pipelines.contract.findings import Finding, Position, Severity
from pipelines.contract.linkage.accepting import read_linkage
from pipelines.contract.model import Contract, Event, Linkage, RawSchema, Topic
from pipelines.contract.node import Node
from pipelines.contract.operands import Lists
from pipelines.contract.overlay.keeping import kept
from pipelines.contract.overlay.laying import Laying
from pipelines.contract.policy import read_policy
from pipelines.contract.purposes import read_lists, read_purposes
from pipelines.contract.raw_schema import read_schema
from pipelines.contract.reading import read
from pipelines.contract.received import unsigned_purposes
from pipelines.contract.report import Report, meant, shown
from pipelines.contract.topics import Topics, read_topics, with_late
from pipelines.contract.view import read_view
from pipelines.trouble import Exit, Trouble

_ATTRIBUTES = ("class", "max_items", "class_review")
_SHOWN = 5
_TO_LOOK_AT = frozenset({*freshness.BUILD_FIXES, *(check.id for check in (*reviews.CHECKS, *budget.CHECKS))})
# The contract needs what an overlay of it may not need.
_MOOT = frozenset({"linkage-needless", "epoch-linkage-needless"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """A contract, unless a mistake stands in the way of building one, and all findings in the order of their places.

    `base` is the contract without the overlay, if one was named and could be laid.
    """

    contract: Contract | None
    findings: tuple[Finding, ...]
    base: Contract | None = None

    @property
    def valid(self) -> bool:
        """Whether no finding is an error."""
        return all(found.severity is not Severity.ERROR for found in self.findings)


def load(root: Path, *, as_of: date, overlay: str | None = None) -> Loaded:
    """Read, resolve and check a contract.

    Args:
        root: the folder with schemas/, policies/ and topics.yaml.
        as_of: the day on which reviews and bases must stand.
        overlay: the name of the overlay to lay over it.

    Returns:
        The contract and every finding; under an overlay the overlaid contract, and the errors of both. Never raises
        for what the files say.
    """
    report = Report()
    folder = files.survey(root, report)
    base = _loaded(folder, _draft(folder, as_of, report), report)
    if overlay is None or base.contract is None:
        return base
    errors = {found for found in base.findings if found.severity is Severity.ERROR}
    return _overlaid(folder, overlay, as_of, base.contract, errors)


def _overlaid(folder: files.Folder, name: str, as_of: date, base: Contract, errors: set[Finding]) -> Loaded:
    report = Report()
    node = _overlay_node(folder, name, report)
    laying = None if node is None else Laying(name, node, base, _list_names(folder), report)
    if laying is None:
        found = {*errors, *(finding(check, mistake) for check, mistake in report.mistakes)}
        return Loaded(None, _in_order(found))
    loaded = _loaded(folder, _draft(folder, as_of, report, laying), report)
    found = {one for one in loaded.findings if one.check not in _MOOT}
    return Loaded(loaded.contract, _in_order(found | errors), base)


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
    contract = None if any(_is_error(check) for check, _ in report.mistakes) else _contract(draft)
    overlay = None if draft.laid is None else draft.laid.name
    derived = {path: folder.content(path, report) or b"" for path in folder.derived_under(overlay)}
    superseded = {path: folder.content(path, report) or b"" for path in folder.superseded_under(overlay)}
    draft = replace(draft, contract=contract, derived=derived, superseded=superseded)
    return Loaded(contract, _in_order({*(finding(check, mistake) for check, mistake in report.mistakes), *run(draft)}))


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
    """A contract to look at. `unsigned` are the purposes for which nothing may be relayed until somebody signs."""

    contract: Contract
    unsigned: frozenset[str]


def load_to_look_at(root: Path, *, as_of: date, overlay: str | None = None) -> Viewable:
    """Load a contract for its authors and reviewers, and never for relaying.

    Reviews and the bases of TTLs may be missing, unsigned or wrong, records may say more bits than allowed, and derived
    schemas may be stale: a reviewer has to see what would leave before signing, and an author before asking for that.

    Raises:
        Trouble: it has another error; the first ones are named.
    """
    loaded = load(root, as_of=as_of, overlay=overlay)
    contract = _without_errors(root, loaded, _TO_LOOK_AT)
    return Viewable(contract, unsigned_purposes(contract if overlay is None else loaded.base or contract))


def _without_errors(root: Path, loaded: Loaded, forgiven: frozenset[str]) -> Contract:
    errors = [found for found in loaded.findings if found.severity is Severity.ERROR and found.check not in forgiven]
    if loaded.contract is not None and not errors:
        return loaded.contract
    lines = [f"  {found.position}: {found.message} [{found.check}]" for found in errors[:_SHOWN]]
    more = [f"  … and {len(errors) - _SHOWN} more"] if len(errors) > _SHOWN else []
    noun = "error" if len(errors) == 1 else "errors"
    message = "\n".join([f"the contract in {root} has {len(errors)} {noun}", *lines, *more])
    raise Trouble(message, hint="`pipelines validate` shows all of them and how to mend each.", exit_code=Exit.FINDINGS)


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
    if laying is None:
        return Draft(as_of, events, purposes, purpose_names, topics, linkage)
    laid = laying.done()
    events = {name: kept(laid, event) for name, event in events.items()}
    return Draft(as_of, events, purposes, purpose_names, topics, laying.linkage(linkage), laid=laid)


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
        report.add("schema-invalid", place, "The Avro library does not take this schema.", "Mend it as Avro 1.12 says.")
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


def _contract(draft: Draft) -> Contract | None:
    """The contract of a draft in which everything was read; None when parts of it do not exist."""
    if draft.topics is None or draft.topics.quarantine is None:
        return None
    events: dict[str, Event] = {}
    for name, event in draft.events.items():
        views = [view.view for view in event.views]
        if event.policy is None or not event.versions or None in views:
            return None
        whole = tuple(sorted((view for view in views if view is not None), key=lambda view: view.topic))
        events[name] = Event(name, event.versions, whole, event.policy.never)
    topics = _topics(draft.topics, events)
    parts = (events, dict(draft.purposes), topics, dict(draft.topics.raw), draft.topics.quarantine)
    changes = draft.topics.changes
    return Contract(*parts, digest=digest(*parts, changes), linkage=draft.linkage, changes=changes)


def _topics(topics: Topics, events: Mapping[str, Event]) -> dict[str, Topic]:
    ttls: dict[str, list[int]] = {}
    for event in events.values():
        for view in event.views:
            if event.raw_topic in topics.raw:
                ttls.setdefault(view.topic, []).append(topics.raw[event.raw_topic].ttl_ms)
    return {name: with_late(topic, ttls.get(name, [])) for name, topic in topics.minimized.items()}
