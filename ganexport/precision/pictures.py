"""How far pictures are from one another, in grey levels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PictureErrors", "grey_levels", "picture_errors"]

HIGH = 0.999
"""Share of all values that the high error is not below."""


@dataclass(frozen=True)
class PictureErrors:
    """Errors over all values of some pictures, in grey levels.

    Attributes:
        mean: Mean of the absolute error.
        high: Its 99.9th percentile.
        worst: The greatest.
    """

    mean: float
    high: float
    worst: float

    def within(self, levels: float) -> bool:
        """Whether the mean and the 99.9th percentile are at most so many grey levels."""
        return max(self.mean, self.high) <= levels


def grey_levels(image: NDArray[np.floating], image_range: tuple[float, float]) -> NDArray[np.float64]:
    """Values as a screen shows them, 0 to 255, before they are rounded to whole ones."""
    low, high = image_range
    return np.clip((image.astype(np.float64) - low) * (255.0 / (high - low)), 0.0, 255.0)


def picture_errors(
    got: Iterable[NDArray[np.floating]], expected: Iterable[NDArray[np.floating]], image_range: tuple[float, float]
) -> PictureErrors:
    """Errors of pictures, case by case in the same shapes."""
    pairs = zip(got, expected, strict=True)
    errors = [np.abs(grey_levels(a, image_range) - grey_levels(b, image_range)).ravel() for a, b in pairs]
    every = np.concatenate(errors)
    return PictureErrors(float(every.mean()), float(np.quantile(every, HIGH)), float(every.max()))
