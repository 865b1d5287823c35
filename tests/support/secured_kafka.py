"""A broker that asks for a name and a password (SCRAM), and lets each do only what an ACL says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipelines.broker import AdminClient, Cluster, EmbeddedKafka, embedded
from tests.support.waiting import CALL_S

ADMIN: Final = "admin"
_PASSWORD: Final = "synthetic-password"
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"
_PLAIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"


class SecuredKafka(EmbeddedKafka):
    """One broker; `users` may log in besides the admin, who may do everything."""

    def __init__(self, folder: Path, users: Sequence[str], settings: Mapping[str, str]) -> None:
        super().__init__(folder, 1, settings)
        self._users = (ADMIN, *users)

    @property
    def cluster(self) -> Cluster:
        """The cluster as the admin sees it."""
        return self.seen_by(ADMIN)

    def seen_by(self, user: str) -> Cluster:
        """The cluster as a user sees it."""
        return Cluster(self.bootstrap, _login(user))

    def grant(self, user: str, *, kind: str, name: str, operations: Sequence[str], prefixed: bool = False) -> None:
        """Let a user do these operations on a `topic`, a `group` or the `cluster` (whose name is kafka-cluster)."""
        from confluent_kafka.admin import (
            AclBinding,
            AclOperation,
            AclPermissionType,
            ResourcePatternType,
            ResourceType,
        )

        pattern = ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL
        resource = ResourceType.BROKER if kind == "cluster" else ResourceType[kind.upper()]
        rules = [
            AclBinding(resource, name, pattern, f"User:{user}", "*", AclOperation[each], AclPermissionType.ALLOW)
            for each in operations
        ]
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 3, **_login(ADMIN)})
        for future in client.create_acls(rules).values():
            future.result(CALL_S)

    def _format(self, plan: embedded._Plan, config: Path) -> None:
        users = [f"SCRAM-SHA-512=[name={user},password={_PASSWORD}]" for user in self._users]
        given = [part for user in users for part in ("--add-scram", user)]
        tool = ["kafka.tools.StorageTool", "format", "-t", plan.cluster_id, "-c", str(config), *given]
        subprocess.run([*self._java(), *tool], check=True, capture_output=True, env={"LANG": "C.UTF-8"})

    def _start_node(self, node_id: int) -> None:
        plain = embedded.settings
        embedded.settings = lambda *given: _secured(plain(*given))
        try:
            super()._start_node(node_id)
        finally:
            embedded.settings = plain


@contextmanager
def secured(folder: Path, users: Sequence[str], settings: Mapping[str, str]) -> Iterator[SecuredKafka]:
    """A broker that runs for the block."""
    kafka = SecuredKafka(folder, users, settings)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


def _login(user: str) -> dict[str, str]:
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": _PASSWORD,
    }


def _secured(settings: dict[str, str]) -> dict[str, str]:
    jaas = f'required username="{ADMIN}" password="{_PASSWORD}"'
    name = "SASL_PLAINTEXT"
    return {
        **settings,
        "listeners": settings["listeners"].replace("PLAINTEXT", name),
        "advertised.listeners": settings["advertised.listeners"].replace("PLAINTEXT", name),
        "inter.broker.listener.name": name,
        "listener.security.protocol.map": f"{name}:{name},CONTROLLER:{name}",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config": f"{_SCRAM} {jaas};",
        "listener.name.controller.plain.sasl.jaas.config": f'{_PLAIN} {jaas} user_{ADMIN}="{_PASSWORD}";',
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN}",
    }
