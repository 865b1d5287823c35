"""A bar chart of CPU per event, as SVG: one bar a contender, with the spread of its rounds, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

_LEFT, _WIDTH, _ROW, _TOP = 120, 520, 30, 34


def chart(rows: Sequence[Mapping[str, Any]]) -> str:
    """The chart of rows as `python -m bench` gives them."""
    ordered = sorted(rows, key=lambda one: float(one["cpu_us_per_event"]))
    most = max(float(one["cpu_us_most"]) for one in ordered)
    scale = _WIDTH / math.log10(max(most, 10) * 1.1)

    def x(micros: float) -> float:
        return _LEFT + scale * math.log10(max(micros, 1))

    lines = [text for number, one in enumerate(ordered) for text in _bar(one, _TOP + number * _ROW, x)]
    height = _TOP + len(ordered) * _ROW + 12
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 90} {height}" role="img"',
        '  font-family="system-ui, sans-serif" font-size="13">',
        "<title>CPU of the client's process per raw event, microseconds, logarithmic</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{_LEFT}" y="20" fill="#444">CPU per raw event, µs (logarithmic; line: spread of the rounds)</text>',
        *lines,
        "</svg>\n",
    ])  # fmt: skip


def _bar(one: Mapping[str, Any], y: int, x: Any) -> list[str]:
    name, median = one["contender"], float(one["cpu_us_per_event"])
    middle = y + _ROW // 2 - 4
    low, high = x(float(one["cpu_us_least"])), x(float(one["cpu_us_most"]))
    fill = _FILL.get(name, "#9aa5b1")
    return [
        f'<text x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end" fill="#222">{name}</text>',
        f'<rect x="{_LEFT}" y="{y}" width="{x(median) - _LEFT:.1f}" height="{_ROW - 8}" fill="{fill}"/>',
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="#222"/>',
        f'<text x="{max(high, x(median)) + 6:.1f}" y="{middle + 4}" fill="#222">{median:.1f}</text>',
    ]


_FILL: Final = {"passthrough": "#c9d3dc", "compiled": "#1f6f50", "pure": "#63a088"}
