"""What is asked of a cluster only when its topics are planned or verified: rights, groups, and each partition alone.

A part that is refused is a value here (None), not trouble: who asks may see little.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package has no __all__
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ConfigResource,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
)

from pipelines.broker.answers import Grant, Offset, Partition
from pipelines.broker.asking import LEAST_S, Asking
from pipelines.broker.passing import error_of, passes
from pipelines.trouble import Trouble

_READS: Final = frozenset({AclOperation.READ, AclOperation.ALL})
_WITHOUT_MEMBERS: Final = frozenset({ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD})
_PREFIXED: Final = ResourcePatternType.PREFIXED


class Survey:
    """Requests whose parts may be refused one by one. Methods raise `Trouble` (exit 3) when nobody answers."""

    def __init__(self, asking: Asking) -> None:
        """Begin with who asks whom."""
        self._asking = asking

    def exists(self, topic: str) -> bool:
        """Whether there is a topic that the metadata do not show, as they hide what a principal may not describe.

        Raises:
            Trouble: (exit 3) not even that may be known.
        """
        asked = [ConfigResource(ResourceType.TOPIC, topic)]

        def is_there(within_s: float) -> bool:
            answers = self._asking.client.describe_configs(asked, request_timeout=within_s)
            try:
                answers[asked[0]].result(within_s + LEAST_S)
            except KafkaException as refused:
                error = error_of(refused)
                if error is not None and error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    return False
                raise
            return True

        return self._asking.patiently(is_there, f"know whether there is a topic {topic}")

    def readers(self) -> tuple[Grant, ...] | None:
        """Who is allowed to read which topics by an ACL; None where this client may not ask.

        Super users and what an ACL denies are not in it. Of a cluster without an authorizer the client says that
        nobody is.
        """
        if not self._sees_all():  # the client (2.16) then gives no ACLs, and no error
            return None
        anything: Any = None  # which the stubs do not know of
        wanted = AclBindingFilter(
            ResourceType.TOPIC,
            anything,
            ResourcePatternType.ANY,
            anything,
            anything,
            AclOperation.ANY,
            AclPermissionType.ALLOW,
        )
        found = self._asking.ask(
            lambda within_s: {None: self._asking.client.describe_acls(wanted, request_timeout=within_s)},
            "describe the ACLs",
        )[None]
        return tuple(
            Grant(acl.principal.removeprefix("User:"), acl.name, acl.resource_pattern_type is _PREFIXED)
            for acl in found
            if acl.operation in _READS
        )

    def groups(self) -> tuple[str, ...]:
        """Every consumer group.

        Raises:
            Trouble: (exit 3) this client may not see every group.
        """
        return tuple(sorted(self._all_groups()))

    def groups_with_members(self) -> tuple[str, ...]:
        """Every consumer group that has members. A static member that stops stays one until its session times out.

        Raises:
            Trouble: (exit 3) as in `groups`.
        """
        return tuple(sorted(name for name, state in self._all_groups().items() if state not in _WITHOUT_MEMBERS))

    def _all_groups(self) -> dict[str, ConsumerGroupState]:
        if not self._sees_all():
            raise Trouble(
                f"cannot see every consumer group at {self._asking.bootstrap} (CLUSTER_AUTHORIZATION_FAILED)",
                hint="Grant this principal DESCRIBE on the cluster: a group that it does not see could lose records.",
            )
        return self._asking.patiently(self._groups, "list the consumer groups")

    def _groups(self, within_s: float) -> dict[str, ConsumerGroupState]:
        found = self._asking.client.list_consumer_groups(request_timeout=within_s).result(within_s + LEAST_S)
        for refused in found.errors:  # of one broker, which may be loading its groups
            raise refused
        return {group.group_id: group.state for group in found.valid}

    def _sees_all(self) -> bool:
        """Whether this client has the right to describe the cluster: without it, answers are cut short in silence."""
        asked = self._asking.ask(
            lambda within_s: {
                None: self._asking.client.describe_cluster(include_authorized_operations=True, request_timeout=within_s)
            },
            "describe the cluster",
        )[None]
        return AclOperation.DESCRIBE in (asked.authorized_operations or ())

    def oldest(self, partitions: Iterable[Partition]) -> dict[Partition, Offset | None]:
        """The oldest record of each partition, aborted ones and markers included; None where nobody answers for it.

        An empty partition has the offset -1. One whose leader moves is asked again, within the time of one request.
        """
        return self._found(partitions, OffsetSpec.for_timestamp(1))

    def furthest(self, partitions: Iterable[Partition]) -> dict[Partition, Offset | None]:
        """The record with the greatest timestamp of each partition (KIP-734); otherwise as `oldest`."""
        specs: Any = OffsetSpec  # whose constructors carry no types
        return self._found(partitions, specs.max_timestamp())

    def _found(self, partitions: Iterable[Partition], spec: OffsetSpec) -> dict[Partition, Offset | None]:
        asked = set(partitions)
        found: dict[Partition, Offset | None] = {}
        until, pause_s = time.monotonic() + self._asking.timeout_s, self._asking.pause_s
        while asked:
            answers = self._listed(asked, spec)
            found.update({each: None if isinstance(told, KafkaError) else told for each, told in answers.items()})
            # A new partition, or one whose leader moves, answers a moment later, once the client has heard of it.
            asked = {each for each, told in answers.items() if isinstance(told, KafkaError) and passes(told)}
            if time.monotonic() + pause_s > until:
                break
            if asked:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LEAST_S)
                self._asking.listed(LEAST_S)
        return found

    def _listed(self, partitions: Iterable[Partition], spec: OffsetSpec) -> dict[Partition, Offset | KafkaError]:
        asked = {TopicPartition(topic, number): spec for topic, number in partitions}
        if not asked:
            return {}
        found = self._asking.each(
            lambda within_s: self._asking.client.list_offsets(asked, request_timeout=within_s), "list the offsets"
        )
        return {
            (partition.topic, partition.partition): answer
            if isinstance(answer, KafkaError)
            else Offset(answer.offset, None if answer.timestamp < 0 else answer.timestamp)
            for partition, answer in found.items()
        }
