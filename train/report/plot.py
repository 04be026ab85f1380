"""Line plots and bars as SVG, each with its values as a table and a sentence for those who do not see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from train.report.read import Series

__all__ = ["Curve", "Level", "bars", "number", "plot", "table"]

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 50, 16, 10, 32
MOST_POINTS = 160
"""Of more, a curve shows means, with what they are the means of as a band."""
ROWS = 12


@dataclass(frozen=True)
class Curve:
    """A curve and its name."""

    label: str
    points: Series


@dataclass(frozen=True)
class Level:
    """A horizontal line and its name."""

    label: str
    value: float


@dataclass(frozen=True)
class _Scale:
    """From values to places in the picture."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, v = (self.low, self.high, value)
        if self.log:
            low, high, v = math.log10(low), math.log10(high), math.log10(max(value, self.low))
        return self.start + (v - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.log:
            decades = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**k for k in decades] if len(decades) > 1 else [self.low, self.high]
        step = _nice((self.high - self.low) / 6)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def plot(name: str, title: str, text: str, curves: Sequence[Curve], levels: Sequence[Level] = ()) -> str:
    """A figure with up to three curves over kimg and some levels, as HTML.

    Args:
        name: Unique on the page.
        title: What is shown.
        text: What a reader may make of it.
        curves: Each with a point at least.
        levels: Lines to compare with.
    """
    xs = [x for c in curves for x, _ in c.points]
    ys = [y for c in curves for _, y in c.points] + [level.value for level in levels]
    x = _Scale(*_apart(min(xs), max(xs)), LEFT, WIDTH - RIGHT)
    log = min(ys) > 0 and max(ys) > 50 * min(ys)
    low, high = (min(ys), max(ys)) if log else _padded(min(ys), max(ys))
    y = _Scale(low, high, HEIGHT - BOTTOM, TOP, log)
    marks = [_axes(x, y)]
    marks += [_level(y, i, level) for i, level in enumerate(levels)]
    marks += [_curve(x, y, i, c.points) for i, c in enumerate(curves)]
    legend = "".join(f'<span class="c{i}">{_swatch()}{escape(c.label)}</span>' for i, c in enumerate(curves))
    legend += "".join(
        f'<span class="l{i}">{_swatch()}{escape(level.label)}: {number(level.value)}</span>'
        for i, level in enumerate(levels)
    )
    said = " ".join(_said(c) for c in curves)
    said += "".join(f" A line marks {level.label} at {number(level.value)}." for level in levels)
    return _figure(name, title, text, legend, said, "".join(marks), _values(curves))


def bars(name: str, title: str, text: str, labels: Sequence[str], series: Sequence[tuple[str, Sequence[float]]]) -> str:
    """A figure with shares of ranges of values as stairs, one for each series, as HTML."""
    count = len(labels)
    x = _Scale(0, count, LEFT, WIDTH - RIGHT)
    y = _Scale(0, max(max(shares) for _, shares in series) or 1.0, HEIGHT - BOTTOM, TOP)
    marks = [_axis_y(y)]
    marks += [_label_x(x(i), labels[i]) for i in range(0, count, max(1, count // 4))]
    for i, (_, shares) in enumerate(series):
        path = "".join(f"H{x(k):.1f}V{y(v):.1f}H{x(k + 1):.1f}" for k, v in enumerate(shares))
        marks.append(f'<path class="c{i} line" d="M{x(0):.1f},{y(0):.1f}{path}V{y(0):.1f}"/>')
    legend = "".join(f'<span class="c{i}">{_swatch()}{escape(label)}</span>' for i, (label, _) in enumerate(series))
    tops = [(label, max(range(count), key=shares.__getitem__)) for label, shares in series]
    said = " ".join(f"{label}: most of all in the range from {labels[k]}." for label, k in tops)
    rows = [[labels[k], *(f"{shares[k]:.1%}" for _, shares in series)] for k in range(count)]
    values = table(["from", *(label for label, _ in series)], rows)
    return _figure(name, title, text, legend, said, "".join(marks), values)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names the row."""
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(v)}</td>" for v in others)}</tr>'
        for first, *others in rows
    )
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def number(value: float) -> str:
    """Three digits that count, in plain writing where that is short."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        text = f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"
        return text.replace("-", "−")
    return f"{value:.1e}".replace("-", "−")


def _figure(name: str, title: str, text: str, legend: str, said: str, marks: str, values: str) -> str:
    return (
        f'<figure id="{name}"><figcaption><h3>{escape(title)}</h3><p>{escape(text)}</p>'
        f'<p class="legend" aria-hidden="true">{legend}</p></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(said)}</desc>{marks}</svg>'
        f"<details><summary>Values<span class='hidden'> of: {escape(title)}</span></summary>{values}</details></figure>"
    )


def _curve(x: _Scale, y: _Scale, index: int, points: Series) -> str:
    size = math.ceil(len(points) / MOST_POINTS)
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    middles = [(sum(p[0] for p in part) / len(part), sum(p[1] for p in part) / len(part)) for part in parts]
    band = ""
    if size > 1:
        tops = [(m[0], max(v for _, v in part)) for m, part in zip(middles, parts, strict=True)]
        feet = [(m[0], min(v for _, v in part)) for m, part in zip(middles, parts, strict=True)]
        band = f'<path class="c{index} band" d="{_path(x, y, tops + feet[::-1])}Z"/>'
    if len(middles) == 1:
        return f'<circle class="c{index} dot" cx="{x(middles[0][0]):.1f}" cy="{y(middles[0][1]):.1f}" r="4"/>'
    return f'{band}<path class="c{index} line" d="{_path(x, y, middles)}"/>'


def _path(x: _Scale, y: _Scale, points: Series) -> str:
    return "M" + "L".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)


def _level(y: _Scale, index: int, level: Level) -> str:
    at = y(level.value)
    return f'<path class="l{index} line" d="M{LEFT},{at:.1f}H{WIDTH - RIGHT}"/>'


def _axes(x: _Scale, y: _Scale) -> str:
    labels = "".join(_label_x(x(t), number(t)) for t in x.ticks())
    return f'{_axis_y(y)}{labels}<text class="end" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}">kimg</text>'


def _axis_y(y: _Scale) -> str:
    return "".join(
        f'<path class="grid" d="M{LEFT},{y(t):.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="end" x="{LEFT - 6}" y="{y(t) + 4:.1f}">{number(t)}</text>'
        for t in y.ticks()
    )


def _label_x(at: float, text: str) -> str:
    return f'<text class="middle" x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}">{escape(text)}</text>'


def _swatch() -> str:
    return '<svg class="swatch" viewBox="0 0 24 8"><path class="line" d="M0,4H24"/></svg>'


def _said(curve: Curve) -> str:
    (a, first), (b, last) = curve.points[0], curve.points[-1]
    if len(curve.points) == 1:
        return f"{curve.label}: {number(first)} at {number(a)} kimg."
    values = [v for _, v in curve.points]
    return (
        f"{curve.label}: {number(first)} at {number(a)} kimg, {number(last)} at {number(b)} kimg, "
        f"between {number(min(values))} and {number(max(values))}."
    )


def _values(curves: Sequence[Curve]) -> str:
    """Some moments of all curves as a table, the last among them."""
    found = [dict(c.points) for c in curves]
    moments = sorted({x for c in curves for x, _ in c.points})
    step = max(1, math.ceil(len(moments) / ROWS))
    chosen = moments[::-1][::step][::-1]
    rows = [[number(m), *(number(f[m]) if m in f else "–" for f in found)] for m in chosen]
    return table(["kimg", *(c.label for c in curves)], rows)


def _apart(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low - 1, high + 1)


def _padded(low: float, high: float) -> tuple[float, float]:
    low, high = (low, high) if high - low > 1e-9 * max(abs(high), 1.0) else (low - 0.5, high + 0.5)
    return low - (high - low) * 0.04, high + (high - low) * 0.04


def _nice(step: float) -> float:
    """1, 2 or 5 times a power of ten, not under `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * k for k in (1, 2, 5, 10) if power * k >= step * (1 - 1e-9))
