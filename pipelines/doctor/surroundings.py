"""The surroundings: the contract, the clock, the keyring and the Kafka that commands would use from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from pipelines.broker import LEAST_KAFKA, Admin, Cluster, too_old
from pipelines.contract import load
from pipelines.contract.findings import Severity
from pipelines.contract.model import DAY_MS, Contract
from pipelines.contract.report import counted
from pipelines.doctor.durability import look_at_durability
from pipelines.doctor.observation import Observation, State
from pipelines.keys import VERSION, Keyring, find_leftovers
from pipelines.trouble import Exit, Trouble

RELEASED: Final = date(2026, 11, 23)
"""The day of this release: a clock before it is wrong."""
SHORT_RUNWAY_MS: Final = 7 * DAY_MS
_ASK_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What the commands would use. `kafka` and `keyring` open it, or raise Trouble; `now_ms` is the wall clock.

    `kafka_is_named` and `keyring_is_named` say that somebody chose them: then they must be there. What nobody chose and
    nobody made yet is worth a warning.
    """

    contract_dir: Path
    now_ms: int
    kafka: Callable[[], Cluster]
    kafka_is_named: bool
    keyring: Callable[[], Keyring]
    keyring_is_named: bool
    key_files: tuple[Path, ...] = ()
    overlay: str | None = None


def look_at_surroundings(situation: Situation) -> Iterator[Observation]:
    """The contract first, because the keyring is held against its purposes."""
    yield _clock(situation.now_ms)
    today = datetime.fromtimestamp(situation.now_ms / 1000, UTC).date()
    contract, observation = _contract(situation.contract_dir, today, situation.overlay)
    yield observation
    yield _keyring(situation, contract)
    yield _key_files(situation.key_files)
    yield from _kafka(situation)


def _clock(now_ms: int) -> Observation:
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    text = now.isoformat().replace("+00:00", "Z")
    if now.date() >= RELEASED:
        return Observation("clock", State.OK, text)
    found = f"{text}: before this release was made"
    return Observation("clock", State.FAIL, found, "Set it (NTP): TTLs, reviews and epochs count from it.")


def _contract(folder: Path, today: date, overlay: str | None) -> tuple[Contract | None, Observation]:
    loaded = load(folder, as_of=today, overlay=overlay)
    errors = sum(finding.severity is Severity.ERROR for finding in loaded.findings)
    warnings = len(loaded.findings) - errors
    if errors:
        found = f"{counted(errors, 'error')} and {counted(warnings, 'warning')} in {folder}"
        return None, Observation("contract", State.FAIL, found, "`pipelines validate` shows them and how to fix them.")
    contract = loaded.contract
    size = _size(contract) if contract else "empty"
    if warnings:
        return contract, Observation(
            "contract", State.WARN, f"{size}; {warnings} warnings", "See `pipelines validate`."
        )
    return contract, Observation("contract", State.OK, size)


def _size(contract: Contract) -> str:
    """The number of topics is that of `topics plan`: quarantine and the topic of changes are the last two."""
    raw, minimized = len(contract.raw_topics), len(contract.topics)
    topics = f"{raw + minimized + 2} topics ({raw} raw, {minimized} minimized, quarantine and the topic of changes)"
    return f"{len(contract.events)} event types, {topics}"


def _keyring(situation: Situation, contract: Contract | None) -> Observation:
    remedy = "Run `pipelines keys init`."
    try:
        keyring = situation.keyring()
    except Trouble as trouble:
        not_made_yet = trouble.exit_code is Exit.UNAVAILABLE and not situation.keyring_is_named
        return Observation("keyring", State.WARN if not_made_yet else State.FAIL, str(trouble), trouble.hint)
    if contract is None:
        return Observation("keyring", State.OK, f"{len(keyring.roots)} roots; no valid contract to hold it against")
    runways = {name: keyring.runway_ms(purpose, situation.now_ms) for name, purpose in contract.purposes.items()}
    dry = [name for name, runway_ms in runways.items() if not runway_ms]
    if dry:
        return Observation("keyring", State.FAIL, f"no root for now: {', '.join(sorted(dry))}", remedy)
    shortest = min(runways.values(), default=0)
    found = f"{len(keyring.roots)} roots; they reach {shortest / DAY_MS:.1f} days ahead"
    if shortest < SHORT_RUNWAY_MS:
        return Observation("keyring", State.WARN, found, remedy)
    if keyring.version < VERSION:
        old = f"{found}; version {keyring.version}, which an attacker who learns one root can forge"
        return Observation("keyring", State.WARN, old, "Stop the workers and run `pipelines keys migrate`.")
    return Observation("keyring", State.OK, found)


def _key_files(paths: tuple[Path, ...]) -> Observation:
    left = [str(leftover) for path in paths for leftover in find_leftovers(path)]
    if not left:
        return Observation("key files", State.OK, "no other name and no temporary copy of one")
    found = f"other names or temporary copies: {', '.join(left)}"
    remedy = (
        "`pipelines keys init` deletes what an interrupted command left; delete the rest, or a deleted key lives on."
    )
    return Observation("key files", State.WARN, found, remedy)


def _kafka(situation: Situation) -> Iterator[Observation]:
    try:
        cluster = situation.kafka()
        admin = cluster.admin(timeout_s=_ASK_S)
        brokers = admin.broker_ids()
    except Trouble as trouble:
        state = State.FAIL if situation.kafka_is_named else State.WARN
        yield Observation("kafka", state, str(trouble), trouble.hint)
        return
    found = f"{counted(len(brokers), 'broker')} at {cluster.bootstrap}"
    old = _too_old(admin)
    if old:
        found += f", and broker {', '.join(map(str, old))} runs a Kafka before {LEAST_KAFKA}"
        yield Observation(
            "kafka", State.FAIL, found, f"Upgrade them to Kafka {LEAST_KAFKA} or newer: no TTL holds before."
        )
    else:
        yield Observation("kafka", State.OK, found)
    yield look_at_durability(admin, cluster.survey(timeout_s=_ASK_S))


def _too_old(admin: Admin) -> list[int]:
    try:
        return too_old(admin.broker_configs())
    except Trouble:  # it may not see settings; what that costs is said under durability
        return []
