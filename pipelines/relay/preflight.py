"""What a worker looks at before it touches an event: it refuses to start where a promise could not be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pipelines.broker import Cluster
from pipelines.contract.model import Contract
from pipelines.keys import Keyring, open_keyring, topic_hash
from pipelines.relay.ahead import Ahead, current
from pipelines.relay.settings import WorkerSettings
from pipelines.topics.judging import judged
from pipelines.topics.looking import look
from pipelines.topics.state import INITIAL_DELAY_MS
from pipelines.trouble import Exit, Trouble

_SHOWN = 5


def contract_of(settings: WorkerSettings, ahead: Ahead | None = None) -> Contract:
    """The valid contract in the worker's folder, under its overlay, as of today; `ahead` may have it already.

    Raises:
        Trouble: it has errors (exit 1), or no event type of the worker's source (exit 2).
    """
    contract = current(settings.contract_dir, ahead, settings.overlay)
    if not contract.events_of(settings.source):
        raise Trouble(
            f"the contract has no events of the source {settings.source}",
            hint=f"Its sources are: {', '.join(contract.sources)}.",
            exit_code=Exit.USAGE,
        )
    return contract


def keyring_of(settings: WorkerSettings, contract: Contract) -> Keyring:
    """The keyring, with keys for the present in every purpose that the source feeds.

    Raises:
        Trouble: it cannot be read, or has no key for now (exit 3).
    """
    keyring = open_keyring(settings.keyring, settings.kek_file)
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    for name in sorted({view.purpose for event in contract.events_of(settings.source) for view in event.views}):
        keyring.subkeys_at(contract.purposes[name], now_ms)
    return keyring


def topic_ids(
    contract: Contract, cluster: Cluster, source: str, initial_delay_ms: int = INITIAL_DELAY_MS
) -> Mapping[str, bytes]:
    """The ids (16 bytes) of the source's raw topics, on a cluster whose topics keep the contract's promises.

    Raises:
        Trouble: a topic is missing or breaks its promise (exit 4), or no broker answers (exit 3).
    """
    live = look(contract, cluster.admin(), initial_delay_ms=initial_delay_ms)
    _refuse([str(breach) for breach in judged(contract, live)])
    # From the same look: a worker that starts after a crash has no time for asking twice.
    ids = {event.raw_topic: live.topics[event.raw_topic].topic_id for event in contract.events_of(source)}
    if len({topic_hash(topic_id) for topic_id in ids.values()}) < len(ids):
        raise Trouble(
            "two raw topics have ids whose hashes collide, so that event ids would not be unique",
            hint="Make one of the new topics again: its id, and with it the hash, will be another.",
            exit_code=Exit.REFUSED,
        )
    return ids


def _refuse(reasons: Sequence[str]) -> None:
    if not reasons:
        return
    more = f"\n  and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    raise Trouble(
        "the topics do not keep the contract's promises:\n  " + "\n  ".join(reasons[:_SHOWN]) + more,
        hint="`pipelines topics apply` creates what is missing; `pipelines topics verify` says how to mend the rest.",
        exit_code=Exit.REFUSED,
    )
