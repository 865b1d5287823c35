"""Read a minimized topic: committed records only, each decoded by the schema that its own fingerprint names.

    python consumer.py BOOTSTRAP TOPIC SCHEMAS [MAX]

SCHEMAS is the folder schemas/minimized/TOPIC/ of the contract. Prints each record as a line of JSON, and ends after MAX
records. Records that are not the relay's are skipped, and counted on standard error. Needs the packages confluent-kafka
and fastavro, and nothing of this project.
"""

import io
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import fastavro
from confluent_kafka import Consumer, Message

MARKER = b"\xc3\x01"  # Avro 1.11, "Single-object encoding": the marker, 8 bytes of fingerprint, the body
NEEDED = {"ce_id", "ce_type", "ce_policyversion", "ce_expirytime"}


def load_schemas(folder: Path) -> dict[tuple[str, bytes], dict]:
    """Return the schemas of a topic by event type, as in `ce_type`, and fingerprint, as in a record's bytes 2 to 9.

    Those in `superseded/` are of records that were written before a policy changed, and live until they expire.
    """
    found = {}
    for file in [*sorted(folder.glob("superseded/*.avsc")), *sorted(folder.glob("*.avsc"))]:
        schema = json.loads(file.read_text(encoding="utf-8"))
        canonical = fastavro.schema.to_parsing_canonical_form(schema)
        # CRC-64-AVRO. fastavro writes it in the order of the bytes in a record, which is little-endian; other libraries
        # give an integer, whose eight bytes must be written little-endian to be compared.
        fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
        # vpn.session.v1.avsc, superseded/vpn.session.0123456789abcdef.avsc
        event_type = ".".join(file.name.split(".")[:2])
        found[event_type, fingerprint] = fastavro.parse_schema(schema)
    return found


def main(bootstrap: str, topic: str, schemas_folder: str, most: str = "") -> None:
    """Print the topic's records from where this consumer group ended, and commit each offset afterwards."""
    schemas = load_schemas(Path(schemas_folder))
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{topic}-example",
            # Without this you also see records of aborted batches, and some records twice.
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    left, skipped = int(most) if most else -1, 0
    try:
        while left:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                raise SystemExit(f"cannot read {topic}: {message.error().str()}")
            headers, value = read_headers(message), message.value() or b""
            schema = schemas.get((headers["ce_type"], value[2:10])) if headers else None
            if headers and schema is None and value.startswith(MARKER):
                # Do not guess another schema: Avro bytes under a wrong schema become wrong values without an error.
                raise SystemExit(
                    f"no schema in {schemas_folder} for event type {headers['ce_type']} and fingerprint "
                    f"{value[2:10].hex()}: get the schemas of policy version {headers['ce_policyversion']}"
                )
            fields = decode(value, schema) if schema else None
            if fields is None:
                skipped += 1
                where = f"partition {message.partition()}, offset {message.offset()}"
                print(f"skipped, not a record of the relay: {where} ({skipped} so far)", file=sys.stderr)
            elif expires(headers).timestamp() > time.time():  # you must have deleted it by then, copies included
                print(json.dumps({"id": headers["ce_id"], "type": headers["ce_type"], **plain(fields)}))
            consumer.commit(message)  # after your own work is safe: what you did twice has the same ce_id
            left -= fields is not None
    finally:
        consumer.close()


def read_headers(message: Message) -> dict[str, str] | None:
    """Return the headers of a record; None if they are not those of the relay."""
    try:
        headers = {name: text.decode("ascii") for name, text in message.headers() or []}
        return headers if headers.keys() >= NEEDED and expires(headers).tzinfo else None
    except (AttributeError, ValueError):  # a header that is null, not ASCII, not a time: do not show its bytes
        return None


def expires(headers: dict[str, str]) -> datetime:
    """Return when a record must be deleted."""
    return datetime.fromisoformat(headers["ce_expirytime"])


def decode(value: bytes, schema: dict) -> dict | None:
    """Return the fields of a record; None if its bytes are not what its schema says."""
    body = io.BytesIO(value[10:])
    try:
        fields = fastavro.schemaless_reader(body, schema, None)
    except Exception:  # noqa: BLE001 - fastavro raises what it meets, with bytes of the value in its message
        return None
    return None if body.read(1) else fields


def plain(fields: dict) -> dict:
    """Return fields as JSON has them: bytes, such as the handle, in hexadecimal, times as text in UTC."""

    def one(value: object) -> object:
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        if isinstance(value, list):
            return [one(each) for each in value]
        return value

    return {name: one(value) for name, value in fields.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
