"""From seeds to the inputs of a generator: latents, labels, truncation. The web side says the same in TypeScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import OptionError

__all__ = ["label_index", "noise_from_seeds", "one_hot", "psi_by_layer", "z_from_seed", "z_from_seeds"]

Floats = NDArray[np.float32]


def z_from_seed(seed: int, z_dim: int, distribution: Literal["normal", "uniform"] = "normal") -> Floats:
    """The z [1, z_dim] that a seed stands for, as in NVIDIA's programs.

    Args:
        seed: 0 … 2³² − 1.
        z_dim: Length of z.
        distribution: `normal`, or `uniform` on [−1, 1).

    Raises:
        OptionError: The seed is out of range.
    """
    if not 0 <= seed < 2**32:
        raise OptionError(f"a seed is a whole number from 0 to {2**32 - 1}, found {seed}")
    random = np.random.RandomState(seed)
    if distribution == "uniform":
        return random.uniform(-1.0, 1.0, (1, z_dim)).astype(np.float32)
    return random.randn(1, z_dim).astype(np.float32)


def z_from_seeds(seeds: Sequence[int], z_dim: int, distribution: Literal["normal", "uniform"] = "normal") -> Floats:
    """One z a seed, each from its own random stream: [N, z_dim]."""
    if not seeds:
        return np.zeros((0, z_dim), np.float32)
    return np.concatenate([z_from_seed(seed, z_dim, distribution) for seed in seeds])


def noise_from_seeds(
    seeds: Sequence[int],
    z_dim: int,
    distribution: Literal["normal", "uniform"],
    noise_distribution: Literal["normal", "uniform"],
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, Floats]:
    """Noise for graphs that take it as inputs: each seed's random stream goes on after its z, layer by layer.

    Args:
        seeds: One a picture.
        z_dim: Length of z.
        distribution: How z is drawn.
        noise_distribution: `normal`, or `uniform` on [0, 1).
        shapes: Name and shape of each input, without N, in layer order.

    Returns:
        Noise [N, …] by name.
    """
    noise = {name: np.zeros((len(seeds), *shape), np.float32) for name, shape in shapes.items()}
    for i, seed in enumerate(seeds):
        random = np.random.RandomState(seed)
        random.uniform(-1.0, 1.0, z_dim) if distribution == "uniform" else random.randn(z_dim)
        for name, shape in shapes.items():
            noise[name][i] = random.uniform(size=shape) if noise_distribution == "uniform" else random.randn(*shape)
    return noise


def one_hot(labels: Sequence[int], c_dim: int) -> Floats:
    """Class indices -> c [N, c_dim].

    Raises:
        OptionError: An index is out of range.
    """
    for label in labels:
        if not 0 <= label < c_dim:
            raise OptionError(f"class {label} is unknown; this generator has classes 0 to {c_dim - 1}")
    return np.eye(c_dim, dtype=np.float32)[np.asarray(labels, dtype=np.int64)]


def label_index(label: int | str, c_dim: int, names: Sequence[str] | None) -> int:
    """Index of a class given by index or name; a name wins over an index written as text.

    Raises:
        OptionError: The generator has no classes, or none like this.
    """
    if c_dim == 0:
        raise OptionError(f"this generator has no classes, so class {label!r} has no meaning")
    if isinstance(label, str) and names and label in names:
        return names.index(label)
    try:
        index = int(label)
    except ValueError:
        index = -1
    if not 0 <= index < c_dim:
        known = ", ".join(list(names)[:20]) if names else f"0 to {c_dim - 1}"
        raise OptionError(f"class {label!r} is unknown; choose from: {known}")
    return index


def psi_by_layer(psi: float, num_ws: int, cutoff: int | None = None) -> Floats:
    """Truncation of each layer, [num_ws]: `psi` for the first `cutoff` layers (all without one), then 1.

    Raises:
        OptionError: `psi` is not finite or `cutoff` is negative.
    """
    if not np.isfinite(psi):
        raise OptionError(f"psi must be a finite number, found {psi}")
    if cutoff is not None and cutoff < 0:
        raise OptionError(f"cutoff counts layers from 0, found {cutoff}")
    psis = np.ones(num_ws, np.float32)
    psis[:cutoff] = psi
    return psis
