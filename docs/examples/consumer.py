"""Read a minimized topic: committed records only, each decoded by the schema that its own fingerprint names.

    python consumer.py BOOTSTRAP TOPIC SCHEMAS [MAX]

SCHEMAS is the folder schemas/minimized/TOPIC/ of the contract. Prints each record as a line of JSON, and ends after MAX
records. Needs the packages confluent-kafka and fastavro, and nothing of this project.
"""

import io
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import fastavro
from confluent_kafka import Consumer

MARKER = b"\xc3\x01"  # Avro 1.11, "Single-object encoding": the marker, 8 bytes of fingerprint, the body


def load_schemas(folder: Path) -> dict[tuple[str, bytes], dict]:
    """Return the schemas of a topic by event type, as in `ce_type`, and fingerprint, as in a record's bytes 2 to 9."""
    found = {}
    for file in sorted(folder.glob("*.avsc")):
        schema = json.loads(file.read_text(encoding="utf-8"))
        canonical = fastavro.schema.to_parsing_canonical_form(schema)
        # CRC-64-AVRO. fastavro writes it in the order of the bytes in a record, which is little-endian; other libraries
        # give an integer, whose eight bytes must be written little-endian to be compared.
        fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
        event_type = file.name.rsplit(".v", 1)[0]  # vpn.session.v1.avsc
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
    left = int(most) if most else -1
    try:
        while left:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                raise SystemExit(f"cannot read {topic}: {message.error().str()}")
            headers = {name: text.decode() for name, text in message.headers() or []}
            expires = datetime.fromisoformat(headers["ce_expirytime"])
            value = message.value()
            schema = schemas.get((headers["ce_type"], value[2:10]))
            if not value.startswith(MARKER) or schema is None:
                # Do not guess another schema: Avro bytes under a wrong schema become wrong values without an error.
                raise SystemExit(
                    f"no schema in {schemas_folder} for event type {headers['ce_type']} and fingerprint "
                    f"{value[2:10].hex()}: get the schemas of policy version {headers['ce_policyversion']}"
                )
            if expires.timestamp() > time.time():  # you must have deleted it by then, copies included
                fields = fastavro.schemaless_reader(io.BytesIO(value[10:]), schema, None)
                print(json.dumps({"id": headers["ce_id"], "type": headers["ce_type"], **plain(fields)}))
            consumer.commit(message)  # after your own work is safe: what you did twice has the same ce_id
            left -= 1
    finally:
        consumer.close()


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
