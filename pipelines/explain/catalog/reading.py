"""How to subscribe to a topic: the command line, Python and Java. Nothing in it is a real host or a real group."""

from __future__ import annotations

from typing import Final

from pipelines.contract.model import Topic
from pipelines.explain.catalog.deployment import PLAIN, Deployment
from pipelines.explain.catalog.page import Block, Code, Heading, Listing, Paragraph, line

_PYTHON: Final = """\
from pathlib import Path

from confluent_kafka import Consumer
from pipelines.sdk.decoding import Decoder

TOPIC = "{topic}"
decoder = Decoder.of(Path("."), TOPIC{overlay})  # the contract's folder
consumer = Consumer(
    {{
        "bootstrap.servers": "broker.example:9092",
        "group.id": "{group}",
        "isolation.level": "read_committed",  # librdkafka's default; said all the same
        "auto.offset.reset": "earliest",
    }}
)
consumer.subscribe([TOPIC])
while True:
    message = consumer.poll(1.0)
    if message is not None and message.error() is None:
        fields = decoder.decode(message.value())  # None: no schema of this topic wrote it
        headers = dict(message.headers())
"""
_JAVA: Final = """\
Properties settings = new Properties();
settings.put("bootstrap.servers", "broker.example:9092");
settings.put("group.id", "{group}");
settings.put("isolation.level", "read_committed"); // Java's default is read_uncommitted
settings.put("auto.offset.reset", "earliest");
settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
settings.put("value.deserializer", ByteArrayDeserializer.class.getName());

// Avro's own reader of the single-object encoding; schemas: those of schemas/minimized/{topic}/
var decoder = new BinaryMessageDecoder<GenericRecord>(GenericData.get(), null);
schemas.forEach(decoder::addSchema);
try (var consumer = new KafkaConsumer<byte[], byte[]>(settings)) {{
    consumer.subscribe(List.of("{topic}"));
    while (true) {{
        for (var message : consumer.poll(Duration.ofSeconds(1))) {{
            GenericRecord fields = decoder.decode(message.value());
        }}
    }}
}}
"""


def reading(topic: Topic, here: Deployment = PLAIN) -> list[Block]:
    """How to look at the topic, and how to read it from a program."""
    overlay = "" if here.overlay is None else f', "{here.overlay}"'
    group = topic.consumers[0] if topic.consumers else "your-principal"
    return [
        Paragraph(
            line(
                "A value is Avro single-object encoding: C3 01, the 8 bytes of the schema's fingerprint, the body. One "
                "schema serves all versions of the raw event. To look at it:",
            )
        ),
        Listing("sh", f"pipelines consume {topic.name} --from-beginning --max 5{here.option}"),
        Heading(3, "Python (librdkafka)"),
        Listing("python", _PYTHON.format(topic=topic.name, group=group, overlay=overlay)),
        Heading(3, "Java"),
        Listing("java", _JAVA.format(topic=topic.name, group=group)),
        Paragraph(
            line(
                "You need a grant for the topic, and you are authenticated as the principal that ",
                Code("topics.yaml"),
                " names. A principal serves one purpose.",
            )
        ),
    ]
