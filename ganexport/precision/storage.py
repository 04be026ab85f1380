"""How the weights of an artefact are stored: a plan names those that lie there in fewer bytes than float32."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ganexport.manifest import Storage
from ganexport.ops.graph import Stored
from ganexport.weights import Tensors

__all__ = [
    "BITS",
    "FINE",
    "REDUCED",
    "Plan",
    "limit",
    "plan_for",
    "read_back",
    "scales",
    "storages_for",
    "to_nearest",
    "weight_bytes",
    "with_codes",
]

Plan = Mapping[str, Storage]
"""Storage by canonical name; what it does not name is float32."""

BITS: dict[str, int] = {"float32": 32, "float16": 16, "int16": 16, "int12": 12, "int10": 10, "int9": 9, "int8": 8}
REDUCED: tuple[Storage, ...] = get_args(Storage)

FINE: tuple[Storage, ...] = ("float16", "int16", "int12")
"""So fine that rounding to the nearest is all that is needed."""

PACKED: tuple[Storage, ...] = ("int9", "int10", "int12")
"""Whose codes lie in two pieces."""

SMALLEST_PACKED = 4096
"""Numbers of a tensor below which two pieces cost more than they save."""

SMALLEST = 256
"""Numbers of a tensor below which it stays float32: there is nothing to gain."""

LARGEST_FLOAT16 = 65504.0

LATENT = "mapping."
"""What the network's names begin with whose errors move the whole picture, not a pixel of it."""


def plan_for(weights: Mapping[str, NDArray[np.float32]], storage: str) -> dict[str, Storage]:
    """The plan that stores all that it can in one way.

    Biases, strengths and other small tensors stay float32. The mapping network has at least int16, whatever is asked
    for; so has what exceeds the range of float16.
    """
    wanted = next((one for one in REDUCED if one == storage), None)
    if wanted is None:
        return {}
    finer = {name for name, tensor in weights.items() if _needs_more(name, tensor, wanted)}
    return {name: "int16" if name in finer else wanted for name, tensor in weights.items() if _reducible(name, tensor)}


def _reducible(name: str, tensor: NDArray[np.float32]) -> bool:
    return tensor.ndim >= 2 and tensor.size >= SMALLEST and not name.endswith(("_filter", ".freqs"))


def _needs_more(name: str, tensor: NDArray[np.float32], storage: Storage) -> bool:
    return name.startswith(LATENT) or (storage == "float16" and float(np.abs(tensor).max()) > LARGEST_FLOAT16)


def scales(tensor: NDArray[np.float32], storage: Storage) -> NDArray[np.float32]:
    """Step between neighbouring codes for each output channel, which is the first axis: [O, 1, …]."""
    greatest = np.abs(tensor).max(axis=tuple(range(1, tensor.ndim)), keepdims=True)
    return (np.where(greatest > 0, greatest, 1) / np.float32(limit(storage))).astype(np.float32)


def storages_for(shape: tuple[int, ...]) -> tuple[Storage, ...]:
    """The storages between which it pays to choose for a weight of this shape, the smallest first."""
    size = math.prod(shape)
    packed = size >= SMALLEST_PACKED and size % 8 == 0
    return ("int8", *(PACKED if packed else ()), "int16")


def limit(storage: Storage) -> int:
    """Greatest code; the least is its negative."""
    return (1 << (BITS[storage] - 1)) - 1


def to_nearest(tensor: NDArray[np.float32], storage: Storage) -> Stored:
    """Each number as the nearest that the storage has."""
    if storage == "float16":
        return Stored(tensor.astype(np.float16))
    scale, most = scales(tensor, storage), limit(storage)
    return with_codes(np.clip(np.rint(tensor.astype(np.float64) / scale), -most, most), scale, storage)


def with_codes(codes: NDArray[np.float64], scale: NDArray[np.float32], storage: Storage) -> Stored:
    """Whole numbers in their storage."""
    return Stored(
        codes.astype("int8" if storage == "int8" else "int16"), scale, BITS[storage] - 8 if storage in PACKED else 0
    )


def read_back(weights: Tensors, stored: Mapping[str, Stored]) -> Tensors:
    """The weights as every runtime has them after it loaded the artefact."""
    return {name: stored[name].read_back if name in stored else tensor for name, tensor in weights.items()}


def weight_bytes(shapes: Mapping[str, tuple[int, ...]], plan: Mapping[str, str]) -> int:
    """Bytes of all weights under a plan, scales included."""
    total = 0
    for name, shape in shapes.items():
        storage = plan.get(name, "float32")
        total += math.prod(shape) * BITS[storage] // 8 + (4 * shape[0] if storage.startswith("int") else 0)
    return total
