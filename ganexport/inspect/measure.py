"""What is strong in a recorded layer, and how its picture comes together, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganexport.inspect.record import Layer, Recording

__all__ = ["Channel", "Filter", "Part", "block_parts", "channel_parts", "strength", "strongest_channels"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Filter:
    """What leads from an input of a layer to one of its channels.

    Attributes:
        index: Of the input.
        kernel: [kh, kw] as this picture uses it.
        inputs: [H, W], the map that it meets.
    """

    index: int
    kernel: Array
    inputs: Array


@dataclass(frozen=True)
class Channel:
    """One channel of a layer.

    Attributes:
        index: Of the channel.
        strength: Root mean square of its map.
        map: [H, W].
        filters: Those that make it, the weightiest first: by the length of the kernel times the input's strength.
    """

    index: int
    strength: float
    map: Array
    filters: tuple[Filter, ...]


@dataclass(frozen=True)
class Part:
    """What one block or one channel adds to the picture.

    Attributes:
        title: Which it is.
        strength: Root mean square of what it adds.
        adds: [C, H, W].
        so_far: [C, H, W]: the picture of this part and those before it.
    """

    title: str
    strength: float
    adds: Array
    so_far: Array


def strength(values: Array) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(values * values)))


def strongest_channels(layer: Layer, count: int, inputs: int) -> list[Channel]:
    """The strongest `count` channels of a layer, each with the `inputs` filters that weigh most."""
    maps, before = layer.output[0], layer.inputs[0]
    strengths = np.sqrt(np.mean(maps * maps, axis=(1, 2)))  # [O]
    weights = np.sqrt(np.sum(layer.kernel * layer.kernel, axis=(2, 3))) * np.sqrt(np.mean(before * before, axis=(1, 2)))
    channels = []
    for o in _descending(strengths)[:count]:
        chosen = _descending(weights[o])[:inputs]
        filters = tuple(Filter(int(i), layer.kernel[o, i], before[i]) for i in chosen)
        channels.append(Channel(int(o), float(strengths[o]), maps[o], filters))
    return channels


def block_parts(recording: Recording) -> list[Part]:
    """What each block that gives a picture adds to the whole; none where it is one block alone."""
    if len(recording.parts) < 2:
        return []
    parts = [(name, picture[0]) for name, picture in recording.parts.items()]
    totals = np.cumsum([picture for _, picture in parts], axis=0)
    return [Part(name, strength(picture), picture, total) for (name, picture), total in zip(parts, totals, strict=True)]


def channel_parts(layer: Layer, count: int, before: Array | None = None) -> list[Part]:
    """What the inputs of a layer that gives a picture add to it: bias, the strongest `count`, all others together.

    Args:
        layer: The one that gives a picture.
        count: How many inputs stand for themselves.
        before: [C, H, W], the picture that there is already, to which this layer's is added.

    Returns:
        What each adds, before the activation; `so_far` after it, and with what was there before: at last the picture.
    """
    base = np.zeros_like(layer.output[0]) if before is None else before
    parts = [] if before is None else [Part("before", strength(before), before, before)]
    total = np.zeros_like(base)

    def add(title: str, adds: Array) -> None:
        nonlocal total
        total = total + adds
        parts.append(Part(title, strength(adds), adds, base + layer.finish(total[None])[0]))

    size = layer.kernel.shape[1]
    order = _descending(np.array([strength(layer.contribution(i)) for i in range(size)]))
    add("bias", layer.offset[0])
    for i in order[:count]:
        add(f"channel {i}", layer.contribution(int(i))[0])
    if size > count:
        add(f"{size - count} others", sum((layer.contribution(int(i))[0] for i in order[count:]), np.zeros_like(total)))
    return parts


def _descending(values: Array) -> NDArray[np.intp]:
    return np.argsort(-values, kind="stable")
