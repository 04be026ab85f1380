"""From a matrix or sampled latents to unit vectors, and what one standard deviation along one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import OptionError

__all__ = ["Spread", "covariance_with", "principal_axes", "spread_of", "spread_of_z"]

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """How latents lie around their mean; where there are classes, around the mean of their class.

    Attributes:
        covariance: [F, F].
        means: Mean of each class [C, F]; one row without classes.
    """

    covariance: Doubles
    means: Doubles

    def along(self, direction: Doubles) -> float:
        """Standard deviation along a direction [F]."""
        unit = direction / np.linalg.norm(direction)
        return float(np.sqrt(unit @ self.covariance @ unit))


def spread_of(latents: NDArray[np.floating], labels: Sequence[int] | None) -> Spread:
    """Spread of latents [N, F] of these classes, each of which has two at least."""
    points = latents.astype(np.float64)
    classes = np.zeros(len(points), np.int64) if labels is None else np.asarray(labels)
    means = np.stack([points[classes == index].mean(axis=0) for index in range(classes.max() + 1)])
    rest = points - means[classes]
    return Spread(rest.T @ rest / (len(points) - len(means)), means)


def spread_of_z(z_dim: int, distribution: Literal["normal", "uniform"]) -> Spread:
    """Spread of z as seeds draw it: the same in every direction."""
    variance = 1.0 if distribution == "normal" else 1.0 / 3.0
    return Spread(np.eye(z_dim) * variance, np.zeros((1, z_dim)))


def principal_axes(symmetric: Doubles, count: int) -> tuple[Doubles, Doubles]:
    """Eigenvectors of a symmetric matrix [F, F] with the greatest eigenvalues.

    Of the two that there are of each, it is the one whose entry of greatest size is positive, so that results repeat.

    Returns:
        Unit vectors [count, F] and their shares of the sum of all eigenvalues [count], the greatest first; fewer where
        the space has fewer dimensions.

    Raises:
        OptionError: `count` is less than 1.
    """
    if count < 1:
        raise OptionError(f"--count is how many directions to find, 1 or more; found {count}")
    values, vectors = np.linalg.eigh(symmetric)
    order = np.argsort(-values, kind="stable")[:count]
    axes = vectors.T[order]
    greatest = np.take_along_axis(axes, np.argmax(np.abs(axes), axis=1, keepdims=True), axis=1)
    return axes * np.sign(greatest), values[order] / values.sum()


def covariance_with(latents: NDArray[np.floating], values: Doubles) -> Doubles:
    """Covariance [F] of latents [N, F] with a number of each [N], in its standard deviations.

    For values 0 and 1 it points from the mean of the one group to that of the other.
    """
    standard = (values - values.mean()) / values.std()
    return np.asarray(standard @ latents.astype(np.float64) / len(values))
