"""Points in a generator's latent space, and sheets of them in rows and columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import OptionError
from ganexport.pictures import grid

__all__ = ["Points", "Sheet", "joined"]

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Points:
    """Points in the latent space, of which each is a picture.

    Attributes:
        space: `z`, or `w`.
        latents: z [N, z_dim], or ws [N, num_ws, w_dim].
        c: Classes [N, c_dim]; None without classes, where they are not said yet, and in w, which has them in it.
        seeds: Whose noise goes with each, where noise is drawn from seeds; 0 for latents out of a file.
        names: What people call each: `3`, `3@birch`, or the picture that it came from.
    """

    space: Literal["z", "w"]
    latents: Floats
    c: Floats | None
    seeds: tuple[int, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.latents)

    def pick(self, indices: Iterable[int]) -> Points:
        """Some of the points, in this order; the same one several times if need be."""
        at = [int(index) for index in indices]
        return replace(
            self,
            latents=self.latents[at],
            c=None if self.c is None else self.c[at],
            seeds=tuple(self.seeds[index] for index in at),
            names=tuple(self.names[index] for index in at),
        )


def joined(parts: Sequence[Points]) -> Points:
    """Points one after the other, all of one space.

    Raises:
        OptionError: There are none, or the classes of only some are said.
    """
    if not parts:
        raise OptionError("there is nothing to draw")
    with_c = [part.c for part in parts if part.c is not None]
    if with_c and len(with_c) < len(parts):
        names = [name for part in parts if part.c is None for name in part.names[:1]]
        raise OptionError(f"which class {', '.join(names[:8])} is of is not said, but that of others is: say it of all")
    return replace(
        parts[0],
        latents=np.concatenate([part.latents for part in parts]),
        c=np.concatenate(with_c) if with_c else None,
        seeds=tuple(seed for part in parts for seed in part.seeds),
        names=tuple(name for part in parts for name in part.names),
    )


@dataclass(frozen=True, eq=False)
class Sheet:
    """Points that are pictures in rows and columns.

    Attributes:
        points: Row by row.
        rows: What people call each row.
        columns: What people call each column.
        corner: Whether the first place is empty, so that there is one point less than places.
    """

    points: Points
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    corner: bool = False

    def assemble(self, pictures: Pixels) -> Pixels:
        """The pictures of the points [N, H, W, C] as one: [rows·H, columns·W, C]."""
        if self.corner:
            pictures = np.concatenate([np.full_like(pictures[:1], 255), pictures])
        return grid(pictures, len(self.columns), len(self.rows))
