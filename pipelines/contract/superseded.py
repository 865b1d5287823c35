"""Superseded derived schemas: kept until the records that were written under them have expired, and listed in an index.

A change of a policy changes the schema of a topic's records, and records from before keep the fingerprint of the schema
that was replaced. Without that schema nobody can decode them.

    <derived folder>/superseded.json                                        fingerprint -> file, superseded, until
    <derived folder>/<topic>/superseded/<event>.<fingerprint>.avsc

`superseded` is the day on which `pipelines build` replaced the schema, and `until` the last day on which a record that
was written under it can live. Both are written once, so what the index says does not depend on who builds where.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from pipelines.contract.derived import fingerprint
from pipelines.contract.model import DAY_MS, Contract

ROLLOUT_DAYS: Final = 30
"""How long workers may go on writing under a schema after it was replaced in the folder, until they are restarted."""
_YEAR_DAYS: Final = 366
_FINGERPRINT_DIGITS: Final = 16
_KEYS: Final = {"file", "superseded", "until"}


@dataclass(frozen=True, slots=True)
class Superseded:
    """A superseded schema: `fingerprint` in hexadecimal, `file` in the contract's folder."""

    fingerprint: str
    file: str
    superseded: date
    until: date

    @property
    def topic(self) -> str:
        """The minimized topic whose records it decodes."""
        return self.file.split("/")[-3]

    def is_ahead(self, day: date) -> bool:
        """Return whether it was superseded more than a year after a day: a slip, and dates may end before its TTL does.

        Less is no slip: contracts are also looked at as of a day in the past.
        """
        return (self.superseded - day).days > _YEAR_DAYS

    def needed_until(self, days: int) -> date:
        """The last day on which a record written under it can live, in a topic with a TTL of so many days."""
        return self.superseded + timedelta(days=days + ROLLOUT_DAYS)


@dataclass(frozen=True, slots=True)
class SupersededFiles:
    """What a folder holds of superseded schemas.

    `entries`: listed, and there. `lost`: listed, and not there or not what its fingerprint says. `unlisted`: files that
    the index does not list. `readable`: the index is absent or well-formed; one that is neither lists nothing.
    """

    entries: tuple[Superseded, ...]
    lost: tuple[Superseded, ...]
    unlisted: frozenset[str]
    readable: bool


def read_superseded(contents: Mapping[str, bytes], index: str) -> SupersededFiles:
    """Read the index and hold it against the files.

    Args:
        contents: path -> bytes of the superseded schemas and, if there is one, of their index.
        index: the path of the index.
    """
    try:
        listed = _index(contents.get(index, b"{}"), index)
    except ValueError:
        return SupersededFiles((), (), frozenset(contents.keys() - {index}), readable=False)
    there = tuple(one for one in listed if fingerprint_in(contents.get(one.file)) == one.fingerprint)
    lost = tuple(one for one in listed if one not in there)
    unlisted = contents.keys() - {index} - {one.file for one in listed}
    return SupersededFiles(there, lost, frozenset(unlisted), readable=True)


def index_text(entries: Iterable[Superseded]) -> str:
    """The index as JSON text, the same for the same entries."""
    listed = {
        one.fingerprint: {"file": one.file, "superseded": f"{one.superseded}", "until": f"{one.until}"}
        for one in entries
    }
    return json.dumps(listed, indent=2, sort_keys=True) + "\n"


@lru_cache(maxsize=4_096)  # an Avro fingerprint takes milliseconds, and a build asks more than once
def fingerprint_in(content: bytes | None) -> str | None:
    """The fingerprint of a schema file's content, in hexadecimal; None if it is not an Avro schema."""
    try:
        return None if content is None else fingerprint(json.loads(content)).hex()
    except (ValueError, RecursionError):
        return None


def ttl_days(contract: Contract, topic: str) -> int | None:
    """A topic's TTL in whole days, rounded up; None for a topic that the contract no longer has."""
    found = contract.topics.get(topic)
    return None if found is None else -(-found.ttl_ms // DAY_MS)


def _index(content: bytes, index: str) -> tuple[Superseded, ...]:
    """Raises ValueError for what no build wrote."""
    folder = index.rpartition("/")[0]
    try:
        listed = json.loads(content)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(listed, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one error for all that is wrong with a file
    return tuple(_entry(name, told, folder) for name, told in sorted(listed.items()))


def _date(text: str) -> date:
    """Read a date as `index_text` writes it: other spellings of ISO 8601 are refused. Raises ValueError."""
    found = date.fromisoformat(text)
    if f"{found}" != text:
        raise ValueError("not a date in the form YYYY-MM-DD")
    return found


def _entry(name: str, told: Any, folder: str) -> Superseded:
    if not isinstance(told, dict) or told.keys() != _KEYS or not all(isinstance(text, str) for text in told.values()):
        raise ValueError("not an entry")
    entry = Superseded(name, told["file"], _date(told["superseded"]), _date(told["until"]))
    parts = entry.file.removeprefix(f"{folder}/").split("/")
    if not entry.file.startswith(f"{folder}/") or len(parts) != len(("topic", "superseded", "file")):
        raise ValueError("not a file of this folder")
    if len(name) != _FINGERPRINT_DIGITS or not parts[2].endswith(f".{name}.avsc"):
        raise ValueError("not the file of this fingerprint")
    return entry
