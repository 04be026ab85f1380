"""Walks through points: the frames of a film."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from ganexport.errors import OptionError
from ganexport.latents import walk as walk_latents
from ganexport.play.points import Points
from ganexport.play.studio import Studio

__all__ = ["walk"]


def walk(
    studio: Studio, keyframes: Points, frames: int, *, loop: bool = False, space: Literal["z", "w"] | None = None
) -> Points:
    """From keyframe to keyframe: on the arc in z, on the straight line in w.

    Args:
        studio: The bundle.
        keyframes: Where it leads through.
        frames: From one keyframe to the next.
        loop: Whether to go on from the last keyframe to the first, so that the film can repeat without a jump.
        space: Without one it is z; w where the keyframes are in w, or are of different classes and there is a w.
            In z, classes blend on the straight line between them.

    Returns:
        A point a frame, with the noise of the first keyframe.

    Raises:
        OptionError: There is no keyframe or frame, or no such space.
    """
    if space is None:
        several = keyframes.c is not None and bool((keyframes.c != keyframes.c[:1]).any())
        space = "w" if several and studio.bundle.manifest.spec.has_w_space else keyframes.space
    if space == "w":
        keyframes = studio.placed(keyframes)
    if keyframes.space != space:
        raise OptionError(f"these latents are in {keyframes.space}, so there is no way through {space}")
    latents = walk_latents(keyframes.latents, frames, loop=loop)
    c = None if keyframes.c is None else walk_latents(keyframes.c[:, None], frames, loop=loop)[:, 0]  # straight
    names = tuple(f"{place:g}" for place in np.arange(len(latents)) / frames)
    return replace(keyframes, latents=latents, c=c, seeds=keyframes.seeds[:1] * len(latents), names=names)
