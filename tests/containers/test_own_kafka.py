"""The minimizers beside a Kafka with TLS, passwords and rights, with a key-encryption key of one's own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from pipelines.broker import AdminClient, Cluster
from pipelines.contract import load_valid
from pipelines.contract.model import Contract
from pipelines.relay.audit import read_books
from tests.containers import certificates
from tests.support.commands import free_port
from tests.support.container_engine import ROOT, CommandFailedError, Compose, docker, logged
from tests.support.waiting import CALL_S, until

pytestmark = [
    pytest.mark.container,
    pytest.mark.brokers(1),
    pytest.mark.skipif(os.geteuid() != 0, reason="gives files to the image's user, which only root can"),
]

FILES = (ROOT / "docker-compose.yml", ROOT / "tests/containers/secured.test.yml", ROOT / "containers/own-kek.yml")
SOURCE, EVENTS = "tor", 400
USER = 10001


def properties(folder: Path, user: str, password: str, ca: str = "/run/secrets/kafka-ca.pem") -> Path:
    """A kafka.properties as docs/containers.md shows it, readable to the image's user alone."""
    file = folder / f"{user}.properties"
    settings = {
        "bootstrap.servers": "kafka:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": password,
        "ssl.ca.location": ca,
    }
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    give(file)
    return file


def give(file: Path) -> None:
    os.chown(file, USER, USER)
    file.chmod(0o400)


@pytest.fixture
def compose(image: str, kafka_image: str, tmp_path: Path) -> Iterator[Compose]:
    """As the administrator: the principal of whoever makes topics and publishes."""
    (tmp_path / "certificates").mkdir(mode=0o755)
    certificates.write(tmp_path / "certificates")
    kek = tmp_path / "kek"
    kek.write_bytes(secrets.token_bytes(32))
    give(kek)
    environment = {
        "PIPELINES_TAG": image.partition(":")[2],
        "PIPELINES_KAFKA_IMAGE": kafka_image,
        "PIPELINES_KAFKA_PORT": str(free_port()),
        "PIPELINES_KAFKA_PROPERTIES_FILE": str(properties(tmp_path, "admin", "SYNTHETIC-ADMIN")),
        "PIPELINES_KEK_SECRET": str(kek),
        "CERTIFICATES": str(tmp_path / "certificates"),
    }
    one = Compose(f"pipelines-secured-{os.getpid()}", FILES, environment)
    try:
        yield one
    finally:
        one("down", "-v", "--remove-orphans")


def cluster_of(compose: Compose) -> Cluster:
    """The administrator's, from this machine."""
    ca = Path(compose.environment["CERTIFICATES"], "ca.pem")
    login = {"sasl.mechanism": "PLAIN", "sasl.username": "admin", "sasl.password": "SYNTHETIC-ADMIN"}
    secured = {"security.protocol": "SASL_SSL", "ssl.ca.location": str(ca), **login}
    return Cluster(f"127.0.0.1:{compose.environment['PIPELINES_KAFKA_PORT']}", secured)


def grant(cluster: Cluster, contract: Contract) -> None:
    """The rights that docs/containers.md lists for the minimizer of a source, and no other."""
    from confluent_kafka.admin import (
        AclBinding,
        AclOperation,
        AclPermissionType,
        ResourcePatternType,
        ResourceType,
    )

    described = ("DESCRIBE", "DESCRIBE_CONFIGS")
    events = contract.events_of(SOURCE)
    everything = [*contract.raw_topics, *contract.topics, contract.quarantine.name, contract.changes.name]
    written = {view.topic for event in events for view in event.views} | {contract.quarantine.name}
    wanted = [
        *(("TOPIC", name, "LITERAL", right) for name in everything for right in described),
        *(("TOPIC", event.raw_topic, "LITERAL", "READ") for event in events),
        *(("TOPIC", name, "LITERAL", "WRITE") for name in written),
        ("GROUP", f"minimizer.{SOURCE}", "LITERAL", "READ"),
        ("TRANSACTIONAL_ID", f"minimizer.{SOURCE}.", "PREFIXED", "WRITE"),
        *(("BROKER", "kafka-cluster", "LITERAL", right) for right in described),
    ]
    bindings = [
        AclBinding(
            ResourceType[kind],
            name,
            ResourcePatternType[pattern],
            "User:minimizer",
            "*",
            AclOperation[right],
            AclPermissionType.ALLOW,
        )
        for kind, name, pattern, right in wanted
    ]
    client = AdminClient({"bootstrap.servers": cluster.bootstrap, **cluster.properties})
    for future in client.create_acls(bindings).values():
        future.result(CALL_S)


def test_a_minimizer_works_on_a_secured_kafka_with_the_rights_that_the_page_lists(
    compose: Compose, tmp_path: Path
) -> None:
    contract, cluster = load_valid(ROOT, as_of=datetime.now(UTC).date()), cluster_of(compose)
    compose("up", "-d", "kafka")
    until(
        lambda: docker("inspect", "--format", "{{.State.Health.Status}}", *compose.containers("kafka")) == "healthy",
        "a healthy Kafka",
    )
    compose("run", "--rm", "--no-deps", "topics")
    made = compose("run", "--rm", "--no-deps", "keys")
    assert "roots made" in made
    assert "Made a key-encryption key" not in made
    mine = {"PIPELINES_KAFKA_PROPERTIES_FILE": str(properties(tmp_path, "minimizer", "SYNTHETIC-MINIMIZER"))}
    minimizer = replace(compose, environment={**compose.environment, **mine})
    with pytest.raises(CommandFailedError, match="AUTHORIZATION_FAILED"):
        minimizer("run", "--rm", "--no-deps", "minimizer-tor", "topics", "apply")
    grant(cluster, contract)
    minimizer("up", "-d", "--no-deps", "minimizer-tor")
    told = compose(
        *("run", "--rm", "--no-deps", "simulator", "simulate", "--json", "--count", str(EVENTS)),
        *("--event", "tor.circuit"),
    )
    assert orjson.loads(told)["acknowledged"] == EVENTS

    def relayed() -> int:
        return sum(book.events_in for book in read_books(contract, cluster.admin(timeout_s=CALL_S)).values())

    [container] = minimizer.containers("minimizer-tor")
    try:
        until(lambda: relayed() == EVENTS, "every event in a commit", progress=relayed)
    except AssertionError:
        raise AssertionError(logged(container).decode()) from None
    assert b"SYNTHETIC" not in logged(container)
    assert "SYNTHETIC" not in docker("inspect", container)
