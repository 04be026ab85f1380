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


def channel_parts(layer: Layer, count: int) -> list[Part]:
    """What the inputs of a layer that gives a picture add to it: bias, the strongest `count`, all others together.

    What each adds is counted before the activation, `so_far` after it: the last of them is the layer's picture.
    """
    offset = layer.offset[0]
    size = layer.kernel.shape[1]
    strengths = np.array([strength(layer.contribution(i)) for i in range(size)])
    chosen = _descending(strengths)
    total = offset
    parts = [Part("bias", strength(offset), offset, layer.finish(total[None])[0])]
    for i in chosen[:count]:
        adds = layer.contribution(int(i))[0]
        total = total + adds
        parts.append(Part(f"channel {i}", strength(adds), adds, layer.finish(total[None])[0]))
    if size > count:
        rest = np.zeros_like(offset)
        for i in chosen[count:]:
            rest += layer.contribution(int(i))[0]
        parts.append(Part(f"{size - count} others", strength(rest), rest, layer.finish((total + rest)[None])[0]))
    return parts


def _descending(values: Array) -> NDArray[np.intp]:
    return np.argsort(-values, kind="stable")
