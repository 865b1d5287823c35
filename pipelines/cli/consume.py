"""`pipelines consume TOPIC`: committed records of a minimized topic or of quarantine, decoded. Never a raw topic."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
import orjson

from pipelines.broker import Message, headers_of, records
from pipelines.cli.connect import connect
from pipelines.cli.options import contract_option, json_option, kafka_options, overlay_option
from pipelines.cli.times import spelled_whole
from pipelines.contract import load
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
            click.echo(orjson.dumps(told).decode() if as_json else _line(told))


def _decoder(contract_dir: Path, topic: str, overlay: str | None) -> Decoder | None:
    """What decodes the topic's records; None for quarantine, whose notes are JSON.

    Raises:
        Trouble: (exit 4) a raw topic; (exit 2) a topic that is not the contract's.
    """
    if topic.startswith("raw."):
        raise Trouble(
            f"{topic} is a raw topic, and consumers never read raw events",
            hint="Consume the minimized topic of the purpose you were granted.",
            exit_code=Exit.REFUSED,
        )
    decoder = Decoder.of(contract_dir, topic, overlay)
    if decoder is not None:
        return decoder
    contract = load(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay).contract
    if contract is None or contract.quarantine.name != topic:
        raise Trouble(
            "that is no minimized topic of the contract, nor its quarantine",
            hint="The topics stand in topics.yaml; `pipelines build` writes their schemas.",
            exit_code=Exit.USAGE,
        )
    return None


def _told(message: Message, decoder: Decoder | None) -> dict[str, Any]:
    value, key = message.value() or b"", message.key()
    if decoder is None:
        with contextlib.suppress(orjson.JSONDecodeError):
            return {"partition": message.partition(), "offset": message.offset(), "note": orjson.loads(value)}
    fields = None if decoder is None else decoder.decode(value)
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "time": spelled_whole(message.timestamp()[1]),
        "key": None if key is None else key.hex(),
        "headers": {name: text.decode("ascii", "replace") for name, text in headers_of(message)},
        # A record that no schema of the topic wrote is not shown: nobody knows what it says.
        "fields": None if fields is None else _plain(fields),
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
    if isinstance(value, date | Decimal):
        return str(value)
    return value


def _line(told: Mapping[str, Any]) -> str:
    place = f"{told['partition']}/{told['offset']}"
    if "note" in told:
        return f"{place}  " + "  ".join(f"{name}={each}" for name, each in told["note"].items())
    key = "" if told["key"] is None else f"  key {_short(told['key'])}"
    head = f"{place}  {told['time']}{key}  {told['headers'].get('ce_type', '?')}"
    headers = "  ".join(f"{name}={text}" for name, text in told["headers"].items() if name != "ce_type")
    if told["fields"] is None:
        body = "no schema of this topic wrote this record"
    else:
        handle = told["key"]
        shown = {name: _short(each) if each == handle else each for name, each in told["fields"].items()}
        body = "  ".join(f"{name}={each}" for name, each in shown.items())
    return f"{head}\n    {headers}\n    {body}"


def _short(handle: str) -> str:
    return f"{handle[: 2 * _SHORT]}…"
