"""Latents in a `.safetensors` file: what `encode` and projection write, and the verbs that play with a bundle take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import CheckpointError, OptionError, shown
from ganexport.weights import read_tensors, write_tensors

__all__ = ["LatentsFile", "read_latents", "save_latents"]

Floats = NDArray[np.float32]
KEY = "ganexport"
"""Of the one string in the file's header: JSON with the names."""


@dataclass(frozen=True, eq=False)
class LatentsFile:
    """What such a file holds.

    Attributes:
        space: `z`, or `w`.
        latents: z [N, z_dim], or ws [N, num_ws, w_dim].
        c: Classes [N, c_dim]; None where there are none, and with ws, which have theirs in them.
        names: What people call each, such as the picture that it came from.
    """

    space: Literal["z", "w"]
    latents: Floats
    c: Floats | None
    names: tuple[str, ...]


def save_latents(
    path: Path, latents: Floats, *, c: Floats | None = None, names: Sequence[str] | None = None, force: bool = True
) -> None:
    """Write latents, whole or not at all.

    Args:
        path: The file.
        latents: z [N, z_dim] or ws [N, num_ws, w_dim]: which of them, their shape says.
        c: Classes [N, c_dim] that go with z.
        names: What people call each.
        force: Whether to replace an existing file.

    Raises:
        OutputExistsError: The file exists and `force` is false.
    """
    tensors = {"ws" if latents.ndim == 3 else "z": latents} | ({} if c is None else {"c": c})
    header = {} if names is None else {KEY: json.dumps({"names": list(names)})}
    write_tensors(path, {name: np.asarray(values, np.float32) for name, values in tensors.items()}, header, force=force)


def read_latents(path: Path) -> LatentsFile:
    """Read latents; whether they fit a generator is seen when they are drawn.

    Raises:
        OptionError: The file cannot be read, or holds something else.
    """
    try:
        tensors, header = read_tensors(path)
    except CheckpointError as error:
        raise OptionError(str(error)) from None
    found = ", ".join(f"{shown(name)} {list(one.shape)}" for name, one in list(tensors.items())[:8]) or "nothing"
    expected = "expected z [N, z_dim] and maybe c [N, c_dim], or ws [N, num_ws, w_dim], as float32"
    if tensors.keys() not in ({"z"}, {"z", "c"}, {"ws"}):
        raise OptionError(f"{path} holds no latents: {expected}; found {found}")
    name = "ws" if "ws" in tensors else "z"
    latents, c = tensors[name], tensors.get("c")
    fits = latents.ndim == (3 if name == "ws" else 2) and len(latents) > 0
    fits &= c is None or (c.ndim == 2 and len(c) == len(latents))
    if not fits or any(one.dtype != np.float32 for one in tensors.values()):
        raise OptionError(f"{path} holds other latents: {expected}; found {found}")
    return LatentsFile(
        "w" if name == "ws" else "z",
        latents.astype(np.float32),
        None if c is None else c.astype(np.float32),
        _names(header.get(KEY, ""), len(latents)),
    )


def _names(text: str, count: int) -> tuple[str, ...]:
    """Names from the header, or numbers where it has none."""
    try:
        names = json.loads(text)["names"]
    except (ValueError, TypeError, KeyError, RecursionError):
        names = None
    if not isinstance(names, list) or len(names) != count:
        return tuple(str(i) for i in range(count))
    return tuple(shown(str(name)) for name in names)
