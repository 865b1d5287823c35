"""What a build does with superseded schemas: keep what is replaced, remove that whose records have all expired."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date

from pipelines.contract.model import DAY_MS, Contract
from pipelines.contract.superseded import Superseded, fingerprint_in, index_text, read_superseded, ttl_days
from pipelines.contract.topics import MAX_TTL_MS


@dataclass(frozen=True, slots=True)
class Superseding:
    """Files to write (the index last) and to remove, what is superseded now, and what has expired.

    `changed`: the index differs by more than what expired. `doubted`: expired by the index, kept nevertheless, and why.
    """

    index: str
    written: Mapping[str, bytes]
    removed: tuple[str, ...]
    superseded: tuple[Superseded, ...]
    expired: tuple[Superseded, ...]
    changed: bool
    doubted: tuple[tuple[Superseded, str], ...] = ()


def superseding(
    index: str,
    contents: Mapping[str, bytes],
    replaced: Mapping[str, bytes],
    current: AbstractSet[str],
    contract: Contract,
    day: date,
    doubts: Callable[[Sequence[Superseded]], Mapping[str, str]] = lambda _: {},
) -> Superseding:
    """Say what a build does with the superseded schemas of a derived folder.

    Args:
        index: the path of the folder's index.
        contents: path -> bytes of the superseded schemas and their index, as they are.
        replaced: path -> bytes of the derived schemas that this build replaces or removes.
        current: fingerprints of the schemas in force, in hexadecimal.
        contract: what is built; names the TTLs.
        day: the day of the build.
        doubts: says which of the schemas that expired by the index must be kept all the same: fingerprint -> why.
    """
    known = read_superseded(contents, index)
    entries = {one.fingerprint: _kept_long_enough(one, contract, day) for one in (*known.entries, *known.lost)}
    folder = index.rpartition("/")[0]
    added: dict[str, Superseded] = {}
    copies: dict[str, bytes] = {}
    for path, content in sorted([*((path, contents[path]) for path in known.unlisted), *replaced.items()]):
        name = fingerprint_in(content)
        if name is None or name in current or name in entries:
            continue  # a file that is not a schema wrote no record; what is in force or listed stays
        added[name] = _newly_superseded(folder, path, name, contract, day)
        copies[added[name].file] = content
    # A schema that is in force once more, because a change was taken back, is superseded no longer.
    listed = {name: one for name, one in {**entries, **added}.items() if name not in current}
    over = tuple(one for _, one in sorted(listed.items()) if one.until < day)
    why = doubts(over)
    doubted = tuple((one, why[one.fingerprint]) for one in over if one.fingerprint in why)
    expired = tuple(one for one in over if one.fingerprint not in why)
    living = [one for one in listed.values() if one not in expired]
    written = {path: content for path, content in copies.items() if contents.get(path) != content}
    if living and contents.get(index) != (text := index_text(living).encode()):
        written[index] = text
    stays = {one.file for one in living} | ({index} if living else set())
    changed = contents.get(index) != (index_text(listed.values()).encode() if listed else None)
    removed = tuple(sorted(contents.keys() - stays))
    return Superseding(index, written, removed, tuple(added.values()), expired, changed, doubted)


def _kept_long_enough(entry: Superseded, contract: Contract, day: date) -> Superseded:
    """The entry with a day that no record outlives; `until` never becomes earlier.

    A TTL that was shortened does not shorten it, because segments from before keep the old span for a while. A schema
    that was superseded years ahead was superseded today at the latest.
    """
    days = ttl_days(contract, entry.topic)
    if entry.is_ahead(day):
        entry = replace(entry, superseded=day)
    return entry if days is None else replace(entry, until=max(entry.until, entry.needed_until(days)))


def _newly_superseded(folder: str, path: str, fingerprint_: str, contract: Contract, day: date) -> Superseded:
    """The entry of a schema that is replaced on a day.

    Args:
        folder: the derived folder.
        path: where the schema is now, in that folder or in its topic's `superseded`.
        fingerprint_: its fingerprint, in hexadecimal.
        contract: names the topic's TTL; the longest that a contract may have is assumed for a topic that it lacks.
        day: when it is replaced.
    """
    topic, *_, name = path.removeprefix(f"{folder}/").split("/")
    event = ".".join(name.split(".")[:2])
    entry = Superseded(fingerprint_, f"{folder}/{topic}/superseded/{event}.{fingerprint_}.avsc", day, day)
    days = ttl_days(contract, topic)
    return replace(entry, until=entry.needed_until(-(-MAX_TTL_MS // DAY_MS) if days is None else days))
