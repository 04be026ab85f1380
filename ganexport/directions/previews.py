"""Pictures along a direction: a row a seed, a column an amount from one end of the range to the other."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.bundle import Bundle
from ganexport.latents import Move, move_along
from ganexport.manifest import Direction
from ganexport.pictures import grid, save_webp, smaller

__all__ = ["COLUMNS", "PREVIEW_FOLDER", "SEEDS", "TILE", "save_preview"]

PREVIEW_FOLDER = "directions"
SEEDS = (0, 1, 2)
COLUMNS = 7
TILE = 64
"""Greatest height and width of one picture."""


def save_preview(bundle: Bundle, direction: Direction, vector: NDArray[np.float32], path: Path) -> None:
    """Draw the pictures and write them as one WebP."""
    spec = bundle.manifest.spec
    amounts = np.linspace(*direction.range, COLUMNS).tolist()
    noise: Literal["random"] | None = "random" if bundle.manifest.defaults.noise_mode == "input" else None
    rows = []
    for row, seed in enumerate(SEEDS):
        label = row * spec.c_dim // len(SEEDS) if spec.c_dim else None
        latents = bundle.latents([seed], label)
        moved = move_along(latents, [Move(vector, amounts, direction.layers)])
        for start in range(0, COLUMNS, bundle.a_run):
            part = moved[start : start + bundle.a_run]
            pictures = bundle.draw(part, None if spec.has_w_space else label, noise, [seed] * len(part))
            rows.append(smaller(pictures, TILE))
    save_webp(grid(np.concatenate(rows), COLUMNS, len(SEEDS)), path, lossless=False)
