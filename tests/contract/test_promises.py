"""A TTL that cannot be kept is answered with the shortest that can: in words, and as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.contract import load
from tests.support.contract_folders import TODAY, edited

SHORT = {
    "a minimized topic": (("    ttl: 72h", "    ttl: 25h"), "1 d 1 h"),
    "a raw topic": (("raw.vpn.session: {ttl: 24h", "raw.vpn.session: {ttl: 1m"), "min"),
    "quarantine": (("quarantine, ttl: 7d", "quarantine, ttl: 30s"), "min"),
}


@pytest.mark.parametrize("where", SHORT)
def test_the_shortest_ttl_is_in_words_and_writing_it_is_enough(where: str, tmp_path: Path) -> None:
    (old, new), words = SHORT[where]
    folder = edited(tmp_path, {"topics.yaml": (old, new)})
    (found,) = [one for one in load(folder, as_of=TODAY).findings if one.check == "ttl-too-short"]
    said = found.message.partition("the shortest that can is ")[2]
    assert re.fullmatch(r"(\d+ d )?(\d+ h )?(\d+ min)?\.", said)
    assert words in said
    ttl = re.search(r"`ttl: (\w+)`", found.remedy)
    assert ttl is not None
    topics = folder / "topics.yaml"
    topics.write_text(topics.read_text().replace(new, new[: new.index("ttl: ") + 5] + ttl[1], 1))
    assert "ttl-too-short" not in {one.check for one in load(folder, as_of=TODAY).findings}
