"""The latent toolbox: blend, mix, sweep, walk and move. `web_demo/src/lib/toolbox` says the same in TypeScript.

Latents are `z` [N, z_dim] or `ws` [N, num_ws, w_dim], float32. Where latents meet, they have equally many rows, or one
of them has one row, which then serves all. What they give is reckoned in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganexport.errors import OptionError

__all__ = [
    "Move",
    "arithmetic",
    "class_sweep",
    "lerp",
    "mix_styles",
    "move_along",
    "slerp",
    "sweep_coordinate",
    "walk",
]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

PARALLEL = 1e-6
"""Below this sine of their angle two vectors count as parallel or opposite."""


@dataclass(frozen=True)
class Move:
    """A direction to move in, and how far.

    Attributes:
        vector: Float32 [z_dim] or [w_dim].
        amount: One for all rows, or one each; 1 is one standard deviation for a bundle's directions.
        layers: First ws that it moves, and one past the last; None for all of them, and in z.
    """

    vector: Floats
    amount: float | Sequence[float]
    layers: tuple[int, int] | None = None


def lerp(a: Floats, b: Floats, t: float | Sequence[float]) -> Floats:
    """On the straight line from `a` (t = 0) to `b` (t = 1).

    Args:
        a: Latents [N or 1, …].
        b: Latents of the same shape after the batch.
        t: One place for all rows, or one each.

    Returns:
        Latents [N, …], float32.

    Raises:
        OptionError: The shapes do not go together, or a place is not finite.
    """
    first, second, places = _ends(a, b, t)
    return ((1 - places) * first + places * second).astype(np.float32)


def slerp(a: Floats, b: Floats, t: float | Sequence[float]) -> Floats:
    """On the arc from `a` (t = 0) to `b` (t = 1), each vector of the last axis on its own.

    The angle is that of the directions and the weights are put on the vectors as they are, so that lengths in between
    lie in between. Directions that are equal or opposite have no arc: there it is `lerp`.

    Args:
        a: Latents [N or 1, …].
        b: Latents of the same shape after the batch.
        t: One place for all rows, or one each.

    Returns:
        Latents [N, …], float32.

    Raises:
        OptionError: The shapes do not go together, or a place is not finite.

    Source: Shoemake 1985 (Animating rotation with quaternion curves), section 3.3; for latents White 2016 (Sampling
        generative networks), section 2.1. The angle is Kahan's 2·atan2(|u − v|, |u + v|), exact for small ones too.
    """
    first, second, places = _ends(a, b, t)
    angle = _angles(first, second)
    sine = np.sin(angle)
    straight = sine < PARALLEL
    divisor = np.where(straight, 1.0, sine)
    weight_a = np.where(straight, 1 - places, np.sin((1 - places) * angle) / divisor)
    weight_b = np.where(straight, places, np.sin(places * angle) / divisor)
    return (weight_a * first + weight_b * second).astype(np.float32)


def walk(keyframes: Floats, frames: int, *, loop: bool = False) -> Floats:
    """Through keyframes, one after the other: `slerp` in z, `lerp` in w.

    Args:
        keyframes: z [K, z_dim] or ws [K, num_ws, w_dim].
        frames: From one keyframe to the next: the keyframe itself, then equal steps.
        loop: Whether to go on from the last keyframe to the first.

    Returns:
        Latents: (K − 1)·frames + 1, of which the last is the last keyframe; K·frames in a loop.

    Raises:
        OptionError: There are no keyframes, or no frames between them.
    """
    count = len(keyframes)
    if frames < 1 or count < 1:
        raise OptionError(f"a walk needs a keyframe and a frame each at least, found {count} and {frames}")
    length = count * frames if loop else (count - 1) * frames + 1
    places, steps = np.divmod(np.arange(length), frames)
    blend = slerp if keyframes.ndim == 2 else lerp
    return blend(keyframes[places], keyframes[(places + 1) % count], (steps / frames).tolist())


def mix_styles(base: Floats, donor: Floats, layers: tuple[int, int]) -> Floats:
    """Style mixing: `base` with the ws of `donor` in some layers.

    Args:
        base: ws [N or 1, num_ws, w_dim].
        donor: ws [N or 1, num_ws, w_dim].
        layers: The first layer, and one past the last.

    Returns:
        ws [N, num_ws, w_dim].

    Raises:
        OptionError: The shapes do not go together, or there are no such layers.
    """
    _check_layers(base, layers)
    mixed, given = _aligned([base, donor])
    mixed = mixed.copy()
    mixed[:, slice(*layers)] = given[:, slice(*layers)]
    return mixed


def sweep_coordinate(latents: Floats, coordinate: int, values: Sequence[float]) -> Floats:
    """Each row with one coordinate of its z, or of all its ws, set to each value.

    Args:
        latents: [N, …].
        coordinate: Index from 0 in the last axis.
        values: What it becomes.

    Returns:
        [N·values, …], row by row.

    Raises:
        OptionError: There is no such coordinate, or a value is not finite.
    """
    size = latents.shape[-1]
    if not 0 <= coordinate < size:
        raise OptionError(f"coordinates go from 0 to {size - 1}, found {coordinate}")
    numbers = _finite("a coordinate", values).astype(np.float32)
    swept = np.repeat(latents, len(numbers), axis=0)
    swept[..., coordinate] = np.tile(numbers, len(latents)).reshape(-1, *[1] * (latents.ndim - 2))
    return swept


def class_sweep(seeds: Sequence[int], classes: int) -> tuple[list[int], list[int]]:
    """Each seed in every class, seed by seed: (seeds, labels), as `Bundle.generate` takes them."""
    return [seed for seed in seeds for _ in range(classes)], [label for _ in seeds for label in range(classes)]


def move_along(latents: Floats, moves: Sequence[Move]) -> Floats:
    """Moved along directions; only the layers of a direction change.

    Args:
        latents: [N or 1, …].
        moves: What to add, in this order.

    Returns:
        [N, …], where N may come from the amounts.

    Raises:
        OptionError: A vector, its layers or the number of its amounts does not fit.
    """
    for move in moves:
        if move.vector.shape != latents.shape[-1:]:
            raise OptionError(f"a direction of {move.vector.shape} does not fit latents of {latents.shape[-1:]}")
        if move.layers is not None:
            _check_layers(latents, move.layers)
    amounts = [_finite("an amount", move.amount) for move in moves]
    (start,) = _aligned([latents], *map(len, amounts))
    sums = start.astype(np.float64)
    for move, amount in zip(moves, amounts, strict=True):
        step = np.multiply.outer(np.broadcast_to(amount, len(sums)), move.vector.astype(np.float64))  # [N, w_dim]
        if sums.ndim == 2:
            sums += step
        else:
            sums[:, slice(*move.layers or (None,))] += step[:, None]
    return sums.astype(np.float32)


def arithmetic(a: Floats, b: Floats, c: Floats) -> Floats:
    """a − b + c, of [N or 1, …] each.

    Raises:
        OptionError: The shapes do not go together.
    """
    first, second, third = (part.astype(np.float64) for part in _aligned([a, b, c]))
    return (first - second + third).astype(np.float32)


def _ends(a: Floats, b: Floats, t: float | Sequence[float]) -> tuple[Doubles, Doubles, Doubles]:
    """Both ends [N, …] and the places between them [N, 1, …]."""
    places = _finite("t", t)
    first, second = _aligned([a, b], len(places))
    spread = np.broadcast_to(places, len(first)).reshape(-1, *[1] * (first.ndim - 1))
    return first.astype(np.float64), second.astype(np.float64), spread


def _angles(a: Doubles, b: Doubles) -> Doubles:
    """Angle between the directions of vectors [N, …, F] -> [N, …, 1]; 0 where one of them has none."""
    lengths = np.linalg.norm(a, axis=-1, keepdims=True), np.linalg.norm(b, axis=-1, keepdims=True)
    nothing = (lengths[0] == 0) | (lengths[1] == 0)
    u, v = (part / np.where(length == 0, 1.0, length) for part, length in zip((a, b), lengths, strict=True))
    difference = np.linalg.norm(u - v, axis=-1, keepdims=True)
    angle = 2 * np.arctan2(difference, np.linalg.norm(u + v, axis=-1, keepdims=True))
    return np.where(nothing, 0.0, angle)


def _aligned(parts: Sequence[Floats], *lengths: int) -> list[Floats]:
    """Latents that go together row by row: those of one row are repeated."""
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise OptionError(f"latents of {' and '.join(map(str, sorted(shapes)))} do not go together")
    counts = {*map(len, parts), *lengths} - {1}
    if len(counts) > 1:
        raise OptionError(f"{' and '.join(map(str, sorted(counts)))} rows do not go together")
    count = counts.pop() if counts else 1
    return [part if len(part) == count else np.repeat(part, count, axis=0) for part in parts]


def _check_layers(latents: Floats, layers: tuple[int, int]) -> None:
    if latents.ndim != 3:
        raise OptionError("only latents in w have layers; these are in z")
    if not 0 <= layers[0] < layers[1] <= latents.shape[1]:
        found = f"found {layers[0]} up to {layers[1]}"
        raise OptionError(f"layers go from 0 up to {latents.shape[1]}, the first below the last; {found}")


def _finite(what: str, values: ArrayLike) -> Doubles:
    numbers = np.atleast_1d(np.asarray(values, np.float64))
    if not np.isfinite(numbers).all():
        raise OptionError(f"{what} must be a finite number, found {numbers[~np.isfinite(numbers)][0]}")
    return numbers
