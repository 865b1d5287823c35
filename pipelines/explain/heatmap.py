"""A heat map of a symmetric matrix, as SVG text. Knows nothing of what the numbers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil
from typing import Final

_CELL: Final = 44
_LEFT: Final = 190
_TOP: Final = 190
_RIGHT: Final = 90  # the last column's slanted name reaches so far
_PALE, _DARK = (243, 246, 250), (146, 35, 42)
_LIGHT_TEXT_FROM: Final = 0.55
_FONT: Final = 'font-family="system-ui, sans-serif" font-size="13"'


def heatmap(
    names: Sequence[str], cells: Mapping[tuple[str, str], float], *, title: str, note: str, marked_above: float
) -> str:
    """The matrix as a picture.

    Args:
        names: rows and columns, in this order.
        cells: the numbers, each once, by two names, shown rounded up; what is not there is left empty.
        title: what the numbers are.
        note: what a frame and an empty cell mean; it stands below.
        marked_above: a number above this has a frame.
    """
    size = len(names) * _CELL
    width, height = _LEFT + size + _RIGHT, _TOP + size + 36
    most = max([*cells.values(), 1.0])
    values = {**cells, **{(right, left): value for (left, right), value in cells.items()}}
    shape = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {shape} viewBox="0 0 {width} {height}" role="img" {_FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect {shape} fill="white"/>',
        f'<text x="12" y="24" font-weight="600">{escape(title)}</text>',
    ]
    for at, name in enumerate(names):
        middle = at * _CELL + _CELL // 2
        parts.append(f'<text x="{_LEFT - 8}" y="{_TOP + middle + 5}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<text transform="translate({_LEFT + middle + 5} {_TOP - 8}) rotate(-60)">{escape(name)}</text>')
    for row, name in enumerate(names):
        for column, other in enumerate(names):
            x, y = _LEFT + column * _CELL, _TOP + row * _CELL
            parts += _cell(x, y, values.get((name, other)), most, marked_above, same=row == column)
    parts.append(f'<text x="12" y="{height - 12}" fill="#444">{escape(note)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _cell(x: int, y: int, value: float | None, most: float, marked_above: float, *, same: bool) -> list[str]:
    if value is None:
        fill = "#dfe3e8" if same else "white"
        return [f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" fill="{fill}" stroke="#e6e9ee"/>']
    share = value / most
    red, green, blue = (round(pale + (dark - pale) * share) for pale, dark in zip(_PALE, _DARK, strict=True))
    frame = 'stroke="black" stroke-width="2"' if value > marked_above else 'stroke="#e6e9ee"'
    ink = "white" if share > _LIGHT_TEXT_FROM else "black"
    middle = f'x="{x + _CELL // 2 - 1}" y="{y + _CELL // 2 + 4}" text-anchor="middle"'
    return [
        f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" fill="rgb({red},{green},{blue})" {frame}/>',
        f'<text {middle} fill="{ink}">{ceil(value)}</text>',
    ]
