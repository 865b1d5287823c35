"""A search of every byte that left for canaries and identifiers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipelines.broker import Message, headers_of
from pipelines.simulate import find


@dataclass(slots=True)
class Search:
    """Looks for canaries and identifiers. `leaks` counts what was found, by kind, topic and part of the record."""

    leaks: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    searched: Counter[str] = field(default_factory=Counter)
    _clean: set[tuple[str, bytes]] = field(default_factory=set)

    def look(self, message: Message) -> None:
        """Search all bytes of a record."""
        topic, key = message.topic() or "", message.key()
        assert key is None or isinstance(key, bytes)
        self.searched[topic] += 1
        self._search(topic, "value", value_of(message))
        self._search(topic, "key", key or b"")
        for header in headers_of(message):
            if header in self._clean:
                continue
            name, value = header
            found = self._search(topic, "headers", name.encode() + b"=" + value)
            if not found and name != "ce_id":
                self._clean.add(header)  # it is that of very many records

    def _search(self, topic: str, part: str, data: bytes) -> bool:
        kind = find(data)
        if kind is not None:
            self.leaks[kind, topic, part] += 1
        return kind is not None


def value_of(message: Message) -> bytes:
    value = message.value()
    assert value is None or isinstance(value, bytes)
    return value or b""
