"""Apache Kafka's own image through testcontainers, with the settings that the embedded broker has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from testcontainers.community.kafka import KafkaContainer
from testcontainers.core.config import ConnectionMode, testcontainers_config

from pipelines.broker.node import Node, settings
from tests.support.container_engine import has_image
from tests.support.waiting import LIMIT_S

# Where it listens and as what, the container says itself.
_OF_THE_PLACE = ("listener", "controller.", "process.roles", "node.id", "log.dirs", "inter.broker", "advertised.")


class ApacheKafka(KafkaContainer):
    """testcontainers' class is made for Confluent's image; Apache's starts by another script."""

    MIN_KRAFT_TAG = "3.7.0"

    def tc_start(self) -> None:
        """Write the script that the container waits for: only now is the port known that clients will use."""
        listeners = f"{self.listener_name}://{self.get_bootstrap_server()},BROKER://localhost:9092"
        script = f"export KAFKA_ADVERTISED_LISTENERS={listeners}\nexec /etc/kafka/docker/run\n"
        self.create_file(script.encode(), self.TC_START_SCRIPT)


@contextmanager
def container(image: str, overrides: Mapping[str, str]) -> Iterator[str]:
    """A broker in a container, for as long as the block lasts; HOST:PORT."""
    testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    # Its helper removes what a killed test run leaves; where its image is not, there is none.
    testcontainers_config.ryuk_disabled = not has_image(testcontainers_config.ryuk_image)
    kafka = ApacheKafka(image).with_kraft().with_env("KAFKA_HEAP_OPTS", "-Xmx512m")
    node = Node(1, 9092, 9094)
    for name, value in settings(node, [node], "", overrides).items():
        if not name.startswith(_OF_THE_PLACE):
            kafka.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
    kafka.start(timeout=int(LIMIT_S))
    try:
        yield kafka.get_bootstrap_server()
    finally:
        kafka.stop()
