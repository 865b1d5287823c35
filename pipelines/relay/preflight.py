"""What a worker looks at before it touches an event: it refuses to start where a promise could not be kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from pipelines.broker import Admin, Cluster, SilentClusterError
from pipelines.contract.model import Contract
from pipelines.keys import Keyring, open_keyring, topic_hash
from pipelines.relay.ahead import Ahead, current
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.station import Station
from pipelines.relay.succession import StoppedError
from pipelines.topics.judging import judged
from pipelines.topics.looking import look
from pipelines.topics.state import INITIAL_DELAY_MS
from pipelines.trouble import Exit, Trouble

_SHOWN = 5
_PAUSE_S = 0.5


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
    keyring = open_keyring(settings.keyring, settings.kek_file, hold=True)
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
    return _ids(contract, cluster.admin(), source, initial_delay_ms)


def topic_ids_in_the_end(station: Station, contract: Contract, stopping: Callable[[], bool]) -> Mapping[str, bytes]:
    """The same for a worker, which waits for brokers that are silent.

    Raises:
        StoppedError: it was told to stop meanwhile.
        Trouble: a topic is missing or breaks its promise (exit 4), or the cluster refuses to say (exit 3).
    """
    settings, admin = station.settings, station.cluster.admin(rounds=1)  # so that signs of life come in between
    began = time.monotonic()
    while not stopping():
        station.beat()
        try:
            return _ids(contract, admin, settings.source, settings.initial_delay_ms)
        except SilentClusterError as silent:
            if time.monotonic() - began > settings.bears_silence_s:
                raise
            station.log.warning("worker.waiting", message=str(silent))
            time.sleep(_PAUSE_S)
    raise StoppedError


def _ids(contract: Contract, admin: Admin, source: str, initial_delay_ms: int) -> Mapping[str, bytes]:
    live = look(contract, admin, initial_delay_ms=initial_delay_ms)
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
        hint="`pipelines topics apply` creates what is missing; `pipelines topics verify` says how to fix the rest.",
        exit_code=Exit.REFUSED,
    )
