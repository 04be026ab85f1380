"""What was measured as an SVG: a panel a size, a bar a contestant, and how far the runs lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["plot"]

WIDTH, LEFT, RIGHT, ROW, HEAD = 640, 176, 96, 22, 34
OURS, OTHERS, LIMIT = "#c2410c", "#64748b", "#1d4ed8"
OWN = {"ganexport", "preview", "train, TensorFlow"} | {
    f"{runtime}, {graphs}" for runtime in ("ort-wasm", "tfjs-wasm") for graphs in ("for wasm", "by default")
}
"""Contestants that are what we ship."""
LEFT_OUT = {"matrix-product"}


def plot(result: Mapping[str, Any]) -> str:
    """All panels of a result, one below the other."""
    parts, y = list[str](), 0
    for title, rows, limit in _panels(result):
        timed = [row for row in rows if "seconds" in row and row["name"] not in LEFT_OUT]
        if not timed:
            continue
        parts.append(f'<g transform="translate(0 {y})">{_panel(title, timed, limit)}</g>')
        y += HEAD + ROW * (len(timed) + 1)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="12" '
        f'role="img"><title>Median times, shorter is better</title><rect width="100%" height="100%" fill="white"/>'
    )
    return f"{head}{''.join(parts)}</svg>\n"


def _panels(result: Mapping[str, Any]) -> list[tuple[str, Sequence[Mapping[str, Any]], float | None]]:
    """Title, rows, and where there is one the time that direct convolution takes at the measured peak."""
    panels: list[tuple[str, Sequence[Mapping[str, Any]], float | None]] = []
    for part in result.get("synthesis", ()):
        title = f"{part['resolution']}², batch {part['batch']}, native, two threads"
        at_peak = [row["gflops"] for row in part["rows"] if row["name"] == "matrix-product" and "gflops" in row]
        panels.append((title, part["rows"], part["giga_operations"] / at_peak[0] if at_peak else None))
    panels += [
        (f"{part['resolution']}², Chromium, one thread", part["rows"], None) for part in result.get("browser", ())
    ]
    if training := result.get("training"):
        panels.append((f"{training['steps']} training steps", training["rows"], None))
    return panels


def _panel(title: str, rows: Sequence[Mapping[str, Any]], limit: float | None) -> str:
    longest = max(*(row["seconds"]["greatest"] for row in rows), limit or 0.0)

    def x(seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * float(seconds / longest)

    marks = [f'<text x="12" y="22" font-weight="bold">{escape(title)}</text>']
    for i, row in enumerate(rows):
        y, times = HEAD + ROW * i, row["seconds"]
        colour = OURS if row["name"] in OWN else OTHERS
        marks += [
            f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(row["name"])}</text>',
            f'<rect x="{LEFT}" y="{y + 3}" width="{x(times["median"]) - LEFT:.1f}" height="13" fill="{colour}"/>',
            f'<path d="M{x(times["least"]):.1f} {y + 9.5}H{x(times["greatest"]):.1f}" stroke="black"/>',
            f'<text x="{x(times["greatest"]) + 6:.1f}" y="{y + 13}">{_time(times["median"])}</text>',
        ]
    if limit is not None:
        bottom, at = HEAD + ROW * len(rows), x(limit)
        marks.append(f'<path d="M{at:.1f} {HEAD}V{bottom}" stroke="{LIMIT}" stroke-dasharray="4 3"/>')
        text = f"direct convolution at the peak: {_time(limit)}"
        marks.append(f'<text x="{at:.1f}" y="{bottom + 12}" fill="{LIMIT}" text-anchor="middle">{text}</text>')
    return "".join(marks)


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
