"""Bytes against error as a picture: a small SVG, without a library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Point", "plot"]

WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 52
LEAST_ERROR = 1e-3
"""Grey levels at the foot of the picture; smaller errors stand there too."""


class Point(NamedTuple):
    """One way to store the weights.

    Attributes:
        name: Beside it.
        share: Of the bytes as float32.
        error: Grey levels.
    """

    name: str
    share: float
    error: float


def plot(points: Sequence[Point], levels: float | None = None) -> str:
    """An SVG of the 99.9th percentile of the error, on a logarithmic scale, against bytes.

    Args:
        points: The last one is the one that was chosen.
        levels: What was allowed, drawn as a line.
    """
    top = 10.0 ** math.ceil(math.log10(max(1.0, *(point.error for point in points))))
    decades = round(math.log10(top / LEAST_ERROR))

    def x(share: float) -> float:
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(error: float) -> float:
        return HEIGHT - BOTTOM - math.log10(max(error, LEAST_ERROR) / LEAST_ERROR) / decades * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="13" fill="#444">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for i in range(decades + 1):
        at = y(LEAST_ERROR * 10**i)
        parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{LEAST_ERROR * 10**i:g}</text>')
    for percent in (0, 25, 50, 75, 100):
        at = x(percent / 100)
        parts.append(f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{percent}%</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">bytes of the weights, of float32</text>')
    across = f'x="16" y="{HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 16 {HEIGHT / 2})"'
    parts.append(f"<text {across}>99.9th percentile, grey levels</text>")
    if levels is not None:
        parts.append(f'<path d="M{LEFT} {y(levels):.1f}H{WIDTH - RIGHT}" stroke="#c33" stroke-dasharray="5 4"/>')
    for point in points:
        chosen = point is points[-1]
        colour, weight = ("#c33", "bold") if chosen else ("#27c", "normal")
        cx, cy = x(point.share), y(point.error)
        anchor, dx = ("end", -9) if point.share > 0.8 else ("start", 9)
        parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="5" fill="{colour}"/>')
        label = f'x="{cx + dx:.1f}" y="{cy - 7:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}"'
        parts.append(f"<text {label}>{point.name}</text>")
    return "\n".join([*parts, "</svg>"]) + "\n"
