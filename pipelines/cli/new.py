"""`pipelines new`: the first lines of an event type, a purpose or a view. Writes files; overwrites none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import orjson

from pipelines.atomic import write_within
from pipelines.cli.options import contract_option
from pipelines.contract.folder import EVENT, MINIMIZED, PIPELINE_TOPICS, PURPOSES, RAW, TOPICS, content, leaves
from pipelines.contract.leaves import Leaf
from pipelines.contract.leaves import leaves as leaves_of
from pipelines.contract.node import Mapping as MappingNode
from pipelines.contract.node import Scalar
from pipelines.contract.raw_schema import read_schema
from pipelines.contract.reading import MAX_BYTES, read
from pipelines.contract.report import Report
from pipelines.contract.scaffolding import (
    NEW_TOPICS,
    NotBlockStyle,
    first_pipeline_topics,
    minimized_topic,
    new_policy,
    new_purpose,
    new_schema,
    new_view,
    raw_topic,
    with_entry,
    without_never,
)
from pipelines.contract.topics import CATEGORIES
from pipelines.trouble import Exit, Trouble

_SHOWN: Final = 5

schema_option: Final = click.option(
    "--schema",
    "schema_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="An Avro schema (.avsc) to begin with. Foreign attributes (connect.*, avro.java.string …) are left out.",
)


@click.group(short_help="Write the first lines of an event type, a purpose or a view.")
def command() -> None:
    """Write the first lines of an event type, a purpose or a view, to be completed by hand.

    What nobody has decided yet is the strictest: a field is classed `content` and listed under `never`, an answer is
    TODO, which `pipelines validate` refuses. No file is overwritten.

    \b
    Examples:
      pipelines new source lock.latch --schema latch.avsc
      pipelines new event lock.battery
      pipelines new purpose lock-health
      pipelines new view lock.latch device-lifecycle.lock-health
    """  # noqa: D301 - click reads the backspace as "do not wrap"


@command.command("source")
@click.argument("event", metavar="SOURCE.EVENT")
@schema_option
@contract_option
def source(event: str, schema_file: Path | None, contract_dir: Path) -> None:
    """Begin a source with its first event type; also begins a contract in an empty folder."""
    name = _named(event, "an event type").partition(".")[0]
    if any((contract_dir / RAW / name).glob("*.avsc")):
        hint = f"Write `pipelines new event {event}`."
        raise Trouble(f"the source {name} is there already", hint=hint, exit_code=Exit.USAGE)
    _event(contract_dir, event, schema_file)


@command.command("event")
@click.argument("event", metavar="SOURCE.EVENT")
@schema_option
@contract_option
def event_(event: str, schema_file: Path | None, contract_dir: Path) -> None:
    """Begin an event type: its raw schema, a policy that lets nothing out, and its raw topic."""
    _event(contract_dir, _named(event, "an event type"), schema_file)


@command.command("purpose")
@click.argument("name", metavar="PURPOSE")
@contract_option
def purpose(name: str, contract_dir: Path) -> None:
    """Begin a purpose: every question is open, and nobody has reviewed it."""
    _named(f"any.{name}", "a purpose")
    text = _there(contract_dir, PURPOSES) or ""
    if _purpose(text, name) is not None:
        raise Trouble(f"the purpose {name} is there already", hint=f"Edit {PURPOSES}.", exit_code=Exit.USAGE)
    _write(contract_dir, {PURPOSES: f"{text.rstrip()}\n\n{new_purpose(name)}".lstrip()})
    click.echo("Next: answer each TODO, and give one of its topics a view: pipelines new view EVENT CATEGORY." + name)


@command.command("view")
@click.argument("event", metavar="SOURCE.EVENT")
@click.argument("topic", metavar="CATEGORY.PURPOSE")
@contract_option
def view(event: str, topic: str, contract_dir: Path) -> None:
    """Begin a view: the handle that its purpose names, the hour, and each boolean and enum classed metadata."""
    name, _, event_name = _named(event, "an event type").partition(".")
    category, _, purpose_name = _named(topic, "a topic").partition(".")
    if category not in CATEGORIES:
        hint = f"The categories are {', '.join(CATEGORIES)}."
        raise Trouble(f"there is no category {category!r}", hint=hint, exit_code=Exit.USAGE)
    policy = f"policies/{name}/{event_name}.yaml"
    there = _purpose(_text(contract_dir, PURPOSES, f"pipelines new purpose {purpose_name}"), purpose_name)
    if there is None:
        hint = f"Write `pipelines new purpose {purpose_name}` first."
        raise Trouble(f"there is no purpose {purpose_name!r}", hint=hint, exit_code=Exit.USAGE)
    text, topics = _text(contract_dir, policy, f"pipelines new event {event}"), _text(contract_dir, TOPICS, "")
    if f"\n  {topic}:" in text:
        raise Trouble(f"{policy} has a view {topic} already", hint="Edit it.", exit_code=Exit.USAGE)
    handle = there.get("handle")
    lines, used = new_view(topic, handle.text if isinstance(handle, Scalar) else None, _newest(contract_dir, event))
    edits = {policy: without_never(_added(policy, text, "views", lines), used)}
    if f"\n  {topic}:" not in topics:
        edits[TOPICS] = _added(TOPICS, topics, "minimized", minimized_topic(topic, datetime.now(UTC).date()))
    _write(contract_dir, edits)
    click.echo(f"Next: decide about the rest under `never` in {policy}, then pipelines validate")


def _event(root: Path, event: str, schema_file: Path | None) -> None:
    name, _, event_name = event.partition(".")
    schema, policy = f"{RAW}/{name}/{event_name}.v1.avsc", f"policies/{name}/{event_name}.yaml"
    for path in (schema, policy):
        if (root / path).exists():
            raise Trouble(f"{path} is there already", hint="Edit it, or choose another name.", exit_code=Exit.USAGE)
    text = new_schema(event, None if schema_file is None else _avro(schema_file))
    found = _leaves(text, schema)
    there = _there(root, TOPICS)
    topics = NEW_TOPICS if there is None else there
    edits = {schema: text, policy: new_policy(event, found), TOPICS: _added(TOPICS, topics, "raw", raw_topic(event))}
    if there is None and _there(root, PIPELINE_TOPICS) is None:
        edits[PIPELINE_TOPICS] = first_pipeline_topics()
    _write(root, edits)
    click.echo(f"Next: say the class of each field in {schema} (all begin as content), then pipelines new view")


def _named(name: str, what: str) -> str:
    if not EVENT.fullmatch(name) or not MINIMIZED.fullmatch(name):
        spelled = name.removeprefix("any.")
        hint = "Lower-case letters, digits and single dashes; an event type is source.event."
        raise Trouble(f"{spelled!r} cannot be {what}'s name", hint=hint, exit_code=Exit.USAGE)
    return name


def _avro(file: Path) -> Mapping[str, Any]:
    try:
        found = orjson.loads(file.read_bytes())
    except OSError as error:
        hint = "Name an .avsc file."
        raise Trouble(f"{file} cannot be read: {error.strerror}", hint=hint, exit_code=Exit.USAGE) from None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or found.get("type") != "record":
        raise Trouble(f"{file} is not an Avro record in JSON", hint="Give it an .avsc file.", exit_code=Exit.USAGE)
    return found


def _leaves(text: str, path: str) -> tuple[Leaf, ...]:
    report = Report()
    node = read(text.encode(), path, report, strict_json=True)
    record = None if node is None else read_schema(node, report)
    if record is None:
        lines = [f"  {mistake.position}: {mistake.message} {mistake.remedy}" for _, mistake in report.mistakes]
        message = "\n".join(["this schema cannot be taken as it is:", *lines[:_SHOWN]])
        raise Trouble(message, hint="Change it, then repeat this command.", exit_code=Exit.FINDINGS)
    return tuple(leaves_of(record))


def _newest(root: Path, event: str) -> tuple[Leaf, ...]:
    name, _, event_name = event.partition(".")
    files = sorted((root / RAW / name).glob(f"{event_name}.v*.avsc"), key=lambda file: (len(file.name), file.name))
    if not files:
        hint = f"Write `pipelines new event {event}` first."
        raise Trouble(f"there is no raw schema of {event}", hint=hint, exit_code=Exit.USAGE)
    path = files[-1].relative_to(root).as_posix()
    return _leaves(_there(root, path) or "", path)


def _purpose(text: str, name: str) -> MappingNode | None:
    node = read(text.encode(), PURPOSES, Report()) if text.strip() else None
    found = node.get(name) if isinstance(node, MappingNode) else None
    return found if isinstance(found, MappingNode) else None


def _text(root: Path, path: str, first: str) -> str:
    text = _there(root, path)
    if text is None:
        hint = f"Write `{first or 'pipelines new source SOURCE.EVENT'}` first."
        raise Trouble(f"{path} is not there", hint=hint, exit_code=Exit.USAGE)
    return text


def _there(root: Path, path: str) -> str | None:
    """Return a file of the contract; None if it is not there. What `validate` refuses to read is refused here, too."""
    report = Report()
    found = content(root, path, report, required=False)
    for _, mistake in report.mistakes:
        raise Trouble(f"{path}: {mistake.message}", hint=mistake.remedy, exit_code=Exit.REFUSED)
    if found is None:
        return None
    try:
        if len(found) > MAX_BYTES:
            raise Trouble(f"{path} is larger than {MAX_BYTES:,} bytes", hint="Make it smaller.", exit_code=Exit.USAGE)
        return found.decode()
    except UnicodeDecodeError:
        raise Trouble(f"{path} is not UTF-8", hint="Save it as UTF-8.", exit_code=Exit.USAGE) from None


def _added(path: str, text: str, section: str, lines: list[str]) -> str:
    try:
        return with_entry(text, section, lines)
    except NotBlockStyle as by_hand:
        what = f"{path} has no mapping `{section}:` in block style. Add these lines by hand:\n{by_hand}"
        raise Trouble(what, hint="Then repeat this command, or go on by hand.", exit_code=Exit.USAGE) from None


def _write(root: Path, edits: Mapping[str, str]) -> None:
    for path in edits:
        if leaves(root, path):
            what = f"{path} goes through a symbolic link, so nothing is written"
            hint = "Put the folder or the file itself there: links may leave the contract."
            raise Trouble(what, hint=hint, exit_code=Exit.REFUSED)
    try:
        for path, text in edits.items():
            write_within(root, path, text.encode())
            click.echo(f"wrote {path}")
    except OSError as error:
        raise Trouble(
            f"{root} cannot be written: {error.strerror}", hint="Make it writable.", exit_code=Exit.USAGE
        ) from None
