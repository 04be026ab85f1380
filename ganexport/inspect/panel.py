"""Draws what was measured: maps and filters in signed colours, parts of a picture, small labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ganexport.inspect.measure import Channel, Part
from ganexport.pictures import to_uint8

__all__ = ["Picture", "channels_panel", "parts_panel", "signed_colours", "stacked", "text_lines"]

Array = NDArray[np.float64]
Picture = Image.Image

NEGATIVE, ZERO, POSITIVE = (np.array(colour, float) for colour in ((20, 80, 190), (246, 246, 246), (190, 40, 20)))
PAPER, INK, FAINT, EDGE = (255, 255, 255), (35, 35, 35), (110, 110, 110), (205, 205, 205)
MAP, SMALL = 64, 32
"""Height and width of a tile: of a map or picture, and of a filter or an input."""
STEPS = 40
"""Colours on each side of zero."""
GAP = 4
LINE = 14


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(11)


def signed_colours(values: Array, scale: float) -> NDArray[np.uint8]:
    """Numbers [H, W] -> [H, W, 3]: blue below zero, red above it, almost white at it; full colour from ±`scale` on.

    In steps that no eye tells apart, so that files are small.
    """
    part = np.rint(np.clip(values / (scale or 1.0), -1, 1) * STEPS)[..., None] / STEPS
    ends = np.where(part < 0, NEGATIVE, POSITIVE)
    return np.asarray(np.rint(ZERO + np.abs(part) * (ends - ZERO)), np.uint8)


def channels_panel(channels: Sequence[Channel], width: int) -> Picture:
    """Each channel's map, and beside it its filters over the inputs that they meet."""
    scales = {
        "maps": _scale([channel.map for channel in channels]),
        "filters": _scale([one.kernel for channel in channels for one in channel.filters]),
        "inputs": _scale([one.inputs for channel in channels for one in channel.filters]),
    }
    cells = []
    for channel in channels:
        whole = _tile(signed_colours(channel.map, scales["maps"]), MAP)
        made = stacked([whole, _text(f"{channel.index}: {channel.strength:.2g}", MAP)], gap=0)
        filters = [
            stacked(
                [
                    _tile(signed_colours(one.kernel, scales["filters"]), SMALL),
                    _tile(signed_colours(one.inputs, scales["inputs"]), SMALL),
                    _text(str(one.index), SMALL, FAINT),
                ],
                gap=0,
            )
            for one in channel.filters
        ]
        cells.append(_beside([made, *filters], gap=2))
    return stacked([*_wrapped(cells, width, gap=3 * GAP), _legend(scales, width)], gap=2 * GAP)


def parts_panel(parts: Sequence[Part], image_range: tuple[float, float], width: int) -> Picture:
    """Above what each part adds, below the picture so far."""
    scale = _scale([part.adds for part in parts])
    cells = []
    for part in parts:
        adds = signed_colours(part.adds[0], scale) if len(part.adds) == 1 else _around_grey(part.adds[:3], scale)
        so_far = to_uint8(part.so_far[None], image_range)[0]
        tiles = [_tile(adds, MAP), _tile(so_far, MAP)]
        cells.append(stacked([*tiles, _text(part.title, MAP), _text(f"{part.strength:.2g}", MAP, FAINT)], gap=2))
    grey = text_lines(f"adds: grey is 0, black -{scale:.2g}, white +{scale:.2g}, each colour by itself", width)
    legend = [_legend({"adds": scale}, width)] if len(parts[0].adds) == 1 else grey
    return stacked([*_wrapped(cells, width, gap=GAP), *legend], gap=2 * GAP)


def text_lines(text: str, width: int) -> list[Picture]:
    """A text in lines no wider than `width`."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], longer] if _font().getlength(longer) <= width else [*lines, word]
    return [_text(line, width) for line in lines]


def stacked(pictures: Sequence[Picture], *, gap: int, margin: int = 0) -> Picture:
    """One below the other."""
    width, height = max(p.width for p in pictures), sum(p.height + gap for p in pictures) - gap
    whole = Image.new("RGB", (width + 2 * margin, height + 2 * margin), PAPER)
    top = margin
    for picture in pictures:
        whole.paste(picture, (margin, top))
        top += picture.height + gap
    return whole


def _beside(pictures: Sequence[Picture], *, gap: int) -> Picture:
    width, height = sum(p.width + gap for p in pictures) - gap, max(p.height for p in pictures)
    whole = Image.new("RGB", (width, height), PAPER)
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + gap
    return whole


def _wrapped(items: Sequence[Picture], width: int, *, gap: int) -> list[Picture]:
    """In rows no wider than `width`."""
    rows: list[list[Picture]] = [[]]
    for item in items:
        if rows[-1] and sum(one.width + gap for one in rows[-1]) + item.width > width:
            rows.append([])
        rows[-1].append(item)
    return [_beside(row, gap=gap) for row in rows]


def _tile(pixels: NDArray[np.uint8], size: int) -> Picture:
    """Pixels [H, W, C] as a square with an edge: few are enlarged as they are, many averaged."""
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels[:, :, :3]).convert("RGB")
    how = Image.Resampling.NEAREST if picture.width <= size else Image.Resampling.BOX
    tile = Image.new("RGB", (size + 2, size + 2), EDGE)
    tile.paste(picture.resize((size, size), how), (1, 1))
    return tile


def _around_grey(values: Array, scale: float) -> NDArray[np.uint8]:
    """Signed colours [3, H, W] -> [H, W, 3]: middle grey where they are zero."""
    pixels: NDArray[np.uint8] = to_uint8(values[None], (-scale or -1.0, scale or 1.0))[0]
    return pixels


def _scale(values: Sequence[Array]) -> float:
    return max((float(np.max(np.abs(one))) for one in values), default=0.0)


def _text(text: str, width: int, colour: tuple[int, int, int] = INK) -> Picture:
    """One line; what is too long for it is cut."""
    line = Image.new("RGB", (width, LINE), PAPER)
    ImageDraw.Draw(line).text((0, 0), text, colour, _font())
    return line


def _legend(scales: dict[str, float], width: int) -> Picture:
    """A bar of colours for each kind of number, with its ends."""
    bar = Image.fromarray(signed_colours(np.linspace(-1, 1, 61)[None].repeat(LINE - 4, axis=0), 1.0))
    items = []
    for name, scale in scales.items():
        texts = (name, f"-{scale:.2g}", f"+{scale:.2g}")
        before, low, high = (_text(text, int(_font().getlength(text)) + 2, FAINT) for text in texts)
        items.append(_beside([before, low, bar, high], gap=GAP))
    return stacked(_wrapped(items, width, gap=4 * GAP), gap=2)
