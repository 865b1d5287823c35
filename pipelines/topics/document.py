"""A plan as a document: what `--json` prints, and what a plan file holds. Strict when it is read.

A file is read for the state of the cluster that it was made for, and for nothing else: planning again from that state
must give the very same document. So a file that was edited can do no more than one that was not, and is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, TypeVar

import orjson

from pipelines.broker import Setting, Source
from pipelines.contract.model import Contract
from pipelines.topics.planning import Plan, plan
from pipelines.topics.recorded import audience_of
from pipelines.topics.state import (
    BROKERS_OWN,
    CLEANUP,
    CLOCK,
    COMPRESSION,
    IN_SYNC,
    MESSAGE_BYTES,
    NEEDED,
    RETENTION,
    RETENTION_BYTES,
    SEGMENT_BYTES,
    UNCLEAN,
    ClusterState,
    Latecomers,
    TopicState,
)
from pipelines.trouble import Exit, Trouble

FORMAT: Final = "pipelines topics plan 3"
MOST_BYTES: Final = 16 * 1024 * 1024
# What a managed cluster may not tell; a plan can be made without.
_LIMITS: Final = {MESSAGE_BYTES, SEGMENT_BYTES, RETENTION_BYTES, IN_SYNC, *BROKERS_OWN}
_NUMBERS: Final = (NEEDED - {CLOCK, CLEANUP}) | _LIMITS
_ENDLESS: Final = {RETENTION, RETENTION_BYTES}
_T = TypeVar("_T")


def fingerprint(planned: Plan) -> str:
    """32 hex digits of the contract, of all that was known of the cluster, and of what the plan does."""
    whole = [planned.contract, state_document(planned.state), planned.steps]
    text = orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:32]


def document(planned: Plan, overlay: str | None) -> dict[str, Any]:
    """The plan as plain data. `overlay` names what was laid over the contract."""
    return {
        "format": FORMAT,
        "fingerprint": fingerprint(planned),
        "contract": planned.contract,
        "overlay": overlay,
        "entries": [
            {**asdict(entry), "dangers": [danger.name.lower() for danger in entry.dangers]} for entry in planned.entries
        ],
        "steps": [asdict(step) for step in planned.steps],
        "notices": [asdict(notice) for notice in planned.notices],
        "state": state_document(planned.state),
    }


def state_document(state: ClusterState) -> dict[str, Any]:
    """The state as plain data."""
    return {
        "brokers": {
            str(number): {name: [setting.value, setting.source.value] for name, setting in settings.items()}
            for number, settings in state.brokers.items()
        },
        "topics": {
            name: {"partitions": each.partitions, "replication": each.replication, "settings": dict(each.settings)}
            for name, each in state.topics.items()
        },
        "initial_delay_ms": state.initial_delay_ms,
        "undeclared": list(state.undeclared),
        "readers": None if state.readers is None else {name: list(each) for name, each in state.readers.items()},
        "recorded": None if state.recorded is None else {name: asdict(each) for name, each in state.recorded.items()},
        "hides_record": state.hides_record,
        "latecomers": {name: asdict(each) for name, each in state.latecomers.items()},
    }


def read(data: bytes, contract: Contract, overlay: str | None) -> Plan:
    """The plan in a file's bytes, for this contract.

    Raises:
        Trouble: (exit 4) it is no plan, was made for another contract or overlay, or was edited.
    """
    said = _object(data)
    if said.get("format") != FORMAT:
        raise _refused("it is not a plan of this version", "Make one: pipelines topics plan --out FILE.")
    if said.get("overlay") != overlay:
        raise _refused("it was made under another overlay", "Give the same --overlay, or plan again.")
    if said.get("contract") != contract.digest.hex():
        raise _refused("the contract has changed since it was made", "Plan again, and have that reviewed.")
    state = read_state(said.get("state"))
    if state is None:
        raise _refused("what it says of the cluster cannot be read", "Plan again.")
    planned = plan(contract, state)
    if orjson.loads(orjson.dumps(document(planned, overlay))) != said:
        raise _refused("it does not say what planning gives: it was edited", "Plan again, and leave the file as it is.")
    return planned


def read_state(document: object) -> ClusterState | None:
    """The state that plain data says; None when it says none."""
    try:
        return _state(_mapping(document))
    except (_WrongError, KeyError):
        return None


class _WrongError(Exception):
    """A part of a document that is not what it should be; never seen outside this module."""


def _state(said: Mapping[str, Any]) -> ClusterState:
    initial_delay_ms = _of(said["initial_delay_ms"], int)
    if initial_delay_ms < 0:
        raise _WrongError
    recorded = audience_of(said["recorded"])
    if (recorded is None) is not (said["recorded"] is None):
        raise _WrongError
    brokers = {_number(number): _broker(_mapping(each)) for number, each in _mapping(said["brokers"]).items()}
    if not brokers:
        raise _WrongError
    readers = said["readers"]
    return ClusterState(
        brokers,
        {name: _topic(_mapping(each)) for name, each in _mapping(said["topics"]).items()},
        initial_delay_ms,
        _texts(said["undeclared"]),
        None if readers is None else {name: _texts(each) for name, each in _mapping(readers).items()},
        recorded,
        _of(said["hides_record"], bool),
        {name: _latecomers(_mapping(each)) for name, each in _mapping(said["latecomers"]).items()},
    )


def _broker(said: Mapping[str, Any]) -> dict[str, Setting]:
    if not NEEDED <= said.keys() <= NEEDED | _LIMITS | {UNCLEAN, COMPRESSION}:
        raise _WrongError
    return {name: _setting(name, *_pair(each)) for name, each in said.items()}


def _setting(name: str, value: str, source: str) -> Setting:
    if source not in set(Source):
        raise _WrongError
    return Setting(_checked(name, value), Source(source))


def _topic(said: Mapping[str, Any]) -> TopicState:
    counts = [None if said[name] is None else _of(said[name], int) for name in ("partitions", "replication")]
    settings = {name: _checked(name, _of(each, str)) for name, each in _mapping(said["settings"]).items()}
    return TopicState(counts[0], counts[1], settings)


def _latecomers(said: Mapping[str, Any]) -> Latecomers:
    oldest_ms, until_ms = _of(said["oldest_ms"], int), said["until_ms"]
    if oldest_ms < 0 or said.keys() != {"oldest_ms", "until_ms"}:
        raise _WrongError
    return Latecomers(oldest_ms, None if until_ms is None else _of(until_ms, int))


def _checked(name: str, value: str) -> str:
    if name in _NUMBERS and _number(value) < 0 and name not in _ENDLESS:
        raise _WrongError
    return value


def _number(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):  # noqa: PLR2004 - as Kafka's long has
        raise _WrongError
    return int(text)


def _pair(value: object) -> tuple[str, str]:
    texts = _texts(value)
    if len(texts) != 2:  # noqa: PLR2004 - a value and its source
        raise _WrongError
    return texts[0], texts[1]


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_of(each, str) for each in _of(value, list))


def _mapping(value: object) -> dict[str, Any]:
    return _of(value, dict)


def _of(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise _WrongError
    return value


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise _refused(f"it is larger than {MOST_BYTES:,} bytes", "No plan is so large.")
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise _refused("it is not JSON", "Make one: pipelines topics plan --out FILE.") from None
    return said if isinstance(said, dict) else {}


def _refused(why: str, hint: str) -> Trouble:
    return Trouble(f"this plan is refused: {why}", hint=hint, exit_code=Exit.REFUSED)
