"""Texts that YAML readers choke on."""

from __future__ import annotations

from hypothesis import strategies as st

from pipelines.contract.reading import MAX_BYTES

FULL = MAX_BYTES
HOSTILE = {
    "nested lists": "[" * 100_000,
    "nested mappings": "{a: " * 100_000,
    "nested keys": "? " * 100_000,
    "nested dashes": "- " * 100_000,
    "a laugh": "a: &a [x]\n" + "\n".join(f"b{i}: [*a, *a]" for i in range(2_000)),
    "comments": "#\n" * (FULL // 2),
    "blank lines": "a: b" + "\n" * (FULL - 4),
    "one word": "a: " + "x" * (FULL - 3),
    "words": "a: " + "x " * (FULL // 2 - 2),
    "quotes": "a: " + "'" * (FULL - 3),
    "escapes": 'a: "' + "\\x41" * (FULL // 4 - 2) + '"',
    "a bad escape": 'a: "\\UFFFFFFFF"',
    "half a pair": 'a: "\\ud83d"',
    "documents": "---\n" * (FULL // 4),
    "question marks": "?\n" * (FULL // 2),
    "colons": ":" * FULL,
    "values": "[" + "a," * (FULL // 2 - 2) + "]",
    "keys": "".join(f"k{i}: v\n" for i in range(40_000)),
    "directives": "%TAG !e! tag:x\n" * 60_000 + "---\na: b",
    "tags": "a: " + "!<" * (FULL // 2 - 2),
    "nul": "a: \x00",
    "line separators": "a: b\u2028c: d",
    "a byte order mark": "\ufeffa: b",
    "a zero-width space": "a: b\u200b",
    "a no-break space": "a: b\u00a0c",
    "an override": "a: \u202eb",
    "a carriage return": "a: b\rc: d",
    "brackets that never open": "]" * FULL,
    "a block scalar": "a: |\n" + "  x\n" * (FULL // 4 - 2),
    "one long key": "x" * (FULL - 2) + ": b",
}
YAMLISH = st.text(alphabet=st.sampled_from("ab:-? \n[]{},'\"#&*!|>%@\\0.\tx\r\u2028é"), max_size=80)
