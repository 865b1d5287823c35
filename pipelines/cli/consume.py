"""`pipelines consume TOPIC`: committed records of a minimized topic or of quarantine, decoded. Never a raw topic."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
import orjson
from fastavro.schema import SchemaParseException, UnknownType

from pipelines.broker import Message, headers_of, records
from pipelines.cli import times
from pipelines.cli.connect import connect
from pipelines.cli.console import say_lines
from pipelines.cli.options import contract_option, json_option, kafka_options, overlay_option
from pipelines.cli.printing import json_text, say_json, visible
from pipelines.contract import load
from pipelines.envelope import read_notes
from pipelines.sdk.decoding import Decoder
from pipelines.trouble import Exit, Trouble

_SHORT: Final = 4


@click.command()
@click.argument("topic")
@contract_option
@overlay_option
@kafka_options
@json_option
@click.option("--from-beginning", is_flag=True, help="Begin at the oldest record and end at the newest.")
@click.option("--follow", is_flag=True, help="Do not end: wait for new records (as without --from-beginning).")
@click.option("--max", "most", type=click.IntRange(min=1), metavar="N", help="End after N records.")
def command(
    topic: str,
    contract_dir: Path,
    overlay: str | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    as_json: bool,
    from_beginning: bool,
    follow: bool,
    most: int | None,
) -> None:
    """Print the records of a minimized topic, or the notes of the quarantine topic. Ends on Ctrl-C."""
    decoder = _decoder(contract_dir, topic, overlay)
    cluster = connect(bootstrap, kafka_properties)
    found = records(
        cluster, topic, begin="earliest" if from_beginning else "latest", follow=follow or not from_beginning
    )
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(found):
        for message in islice(found, most):
            told = _told(message, decoder)
            say_json(told, indent=False) if as_json else say_lines(_line(told).split("\n"))


def _decoder(contract_dir: Path, topic: str, overlay: str | None) -> Decoder | None:
    """What decodes the topic's records; None for quarantine, whose notes are JSON.

    Raises:
        Trouble: (exit 4) a raw topic; (exit 2) a topic that is not the contract's, or derived schemas that are none.
    """
    if topic.startswith("raw."):
        raise Trouble(
            f"{topic} is a raw topic, and consumers never read raw events",
            hint="Consume the minimized topic of the purpose you were granted.",
            exit_code=Exit.REFUSED,
        )
    try:
        decoder = Decoder.of(contract_dir, topic, overlay)
    except (OSError, ValueError, SchemaParseException, UnknownType):  # their messages may hold the file's text
        raise Trouble(
            f"the derived schemas of {topic} cannot be read",
            hint="`pipelines validate` names the file; `pipelines build` writes them again.",
            exit_code=Exit.USAGE,
        ) from None
    if decoder is not None:
        return decoder
    contract = load(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay).contract
    if contract is None or contract.quarantine.name != topic:
        raise Trouble(
            f"unknown topic {topic!r}: expected a minimized topic of the contract, or its quarantine topic",
            hint="The topics stand in topics.yaml; `pipelines build` writes their schemas.",
            exit_code=Exit.USAGE,
        )
    return None


def _told(message: Message, decoder: Decoder | None) -> dict[str, Any]:
    """A record as JSON has it. What its writer put there may be anything: nothing of it ends the command."""
    value, key = message.value() or b"", message.key()
    place = {"partition": message.partition(), "offset": message.offset()}
    if decoder is None:
        # Shown as it was written: a note that counts may stand for many.
        return {**place, "note": None if read_notes(value) is None else orjson.loads(value)}
    fields = decoder.decode(value)
    # A record that cannot be decoded is not shown, because nobody knows what it says.
    problem = {} if fields is not None else {"problem": decoder.why_not(value)}
    return {
        **place,
        "time": times.spelled_whole(message.timestamp()[1]),
        "key": None if key is None else key.hex(),
        "headers": {name: text.decode("ascii", "replace") for name, text in headers_of(message)},
        "fields": None if fields is None else _plain(fields),
        **problem,
    }


def _plain(value: Any) -> Any:
    """A decoded value as JSON has it: bytes in hexadecimal, times in RFC 3339."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _line(told: Mapping[str, Any]) -> str:
    place = f"{told['partition']}/{told['offset']}"
    if "note" in told:
        return f"{place}  {'not a note of the relay' if told['note'] is None else _values(told['note'])}"
    handle = told["key"]
    key = "" if handle is None else f"  key {_short(handle)}"
    head = f"{place}  {told['time']}{key}  {_word(told['headers'].get('ce_type', '?'))}"
    headers = "  ".join(f"{_word(name)}={_word(text)}" for name, text in told["headers"].items() if name != "ce_type")
    if told["fields"] is None:
        body = told.get("problem", "no note of the pipelines")
    else:
        # A handle stands for the whole of itself in every field that repeats it, and is never null.
        shown = {name: _short(each) if handle and each == handle else each for name, each in told["fields"].items()}
        body = _values(shown)
    return f"{head}\n    {headers}\n    {body}"


def _values(values: Mapping[str, Any]) -> str:
    return "  ".join(f"{name}={json_text(value)}" for name, value in values.items())


def _word(text: str) -> str:
    """A header's name or text on one line."""
    return visible(text).replace("\n", "\\n")


def _short(handle: str) -> str:
    return f"{handle[: 2 * _SHORT]}…"
