"""From what a caller says to the inputs of a bundle's graphs: each has a row for each picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganexport.errors import OptionError
from ganexport.latents import label_index, noise_from_seeds, one_hot, psi_by_layer
from ganexport.manifest import Graphs, Manifest

__all__ = [
    "Label",
    "Labels",
    "Noise",
    "class_inputs",
    "further_inputs",
    "label_indices",
    "mapping_inputs",
    "noise_choices",
    "noise_inputs",
    "rows",
]

Floats = NDArray[np.float32]
Label = int | str
Labels = Label | Sequence[Label] | Floats
Noise = Literal["const", "none", "random"] | Mapping[str, ArrayLike]


def label_indices(manifest: Manifest, label: Labels | None, count: int) -> list[int] | None:
    """Class index of each of `count` pictures; None for a generator without classes.

    Raises:
        OptionError: There is no such class, it is not said, or there are more or fewer than pictures.
    """
    c_dim, names = manifest.spec.c_dim, manifest.labels
    if c_dim == 0 and label is None:
        return None
    if label is None:
        raise OptionError(f"this generator has {c_dim} classes: say which, for example label={0!r}")
    if isinstance(label, str):
        return [label_index(label, c_dim, names)] * count
    if isinstance(label, Integral):  # NumPy's whole numbers too
        return [label_index(int(label), c_dim, names)] * count
    each = cast("Sequence[Label]", label)
    if len(each) != count:
        raise OptionError(f"{len(each)} labels for {count} seeds")
    return [label_index(one, c_dim, names) for one in each]


def class_inputs(manifest: Manifest, label: Labels | None, count: int) -> dict[str, Floats]:
    """The input c [count, c_dim]; nothing for a generator without classes.

    Raises:
        OptionError: As `label_indices`, or c itself is of another shape.
    """
    c_dim = manifest.spec.c_dim
    if isinstance(label, np.ndarray) and label.ndim == 2 and c_dim:
        return {"c": rows("c", label, (count, c_dim))}
    labels = label_indices(manifest, label, count)
    return {} if labels is None else {"c": one_hot(labels, c_dim)}


def mapping_inputs(
    manifest: Manifest, z: Floats, label: Labels | None, psi: float | None, cutoff: int | None
) -> dict[str, Floats]:
    """z [N, z_dim], c [N, c_dim] and truncation_psi [N, num_ws], as far as the generator has them.

    Raises:
        OptionError: An argument has no meaning for this generator.
    """
    spec, count = manifest.spec, len(z)
    values = {"z": rows("z", z, (count, spec.z_dim)), **class_inputs(manifest, label, count)}
    if spec.has_w_space:
        usual = manifest.defaults.truncation_psi
        psis = psi_by_layer(usual if psi is None else psi, spec.num_ws, cutoff)
        values["truncation_psi"] = np.tile(psis, (count, 1))
    elif psi is not None or cutoff is not None:
        raise OptionError(f"a {spec.architecture} generator has no w space, so psi and cutoff mean nothing")
    return values


def noise_inputs(
    manifest: Manifest, graphs: Graphs, count: int, seeds: Sequence[int] | None, noise: Noise | None
) -> dict[str, Floats]:
    """noise_scale [N], or the noise of each layer [N, …], as the graphs take it.

    Raises:
        OptionError: The bundle was made for other noise, or seeds are missing.
    """
    spec, made_for = manifest.spec, manifest.defaults.noise_mode
    shapes = graphs.noise_shapes
    if isinstance(noise, Mapping):
        if noise.keys() != shapes.keys():
            raise OptionError(f"noise by name must be {', '.join(shapes) or 'none'}; found {', '.join(noise)}")
        return {name: _batch("noise", name, noise[name], count, shape) for name, shape in shapes.items()}
    mode = noise or made_for
    choices = noise_choices(made_for)
    if mode not in choices:
        if mode == "input":
            raise OptionError(f"this bundle takes noise as inputs: give it by name, or one of {', '.join(choices)}")
        how = "without noise" if made_for == "none" else f"for noise {' or '.join(choices)}"
        raise OptionError(f"this bundle was made {how}, so {mode} has no meaning; convert it with --noise {mode}")
    if mode == "random":
        if seeds is None or len(seeds) != count:
            raise OptionError(f"random noise is drawn from seeds: {count} are needed, found {len(seeds or ())}")
        return noise_from_seeds(seeds, spec.z_dim, spec.z_distribution, spec.noise_distribution, shapes)
    quiet = {name: np.zeros((count, *shape), np.float32) for name, shape in shapes.items()}
    return {**quiet, "noise_scale": np.full(count, 1.0 if mode == "const" else 0.0, np.float32)}


def noise_choices(made_for: str) -> tuple[str, ...]:
    """What noise may be asked for by name of a bundle that was made for this noise."""
    return {"const": ("const", "none"), "none": ("none",)}.get(made_for, ("random", "none"))


def further_inputs(manifest: Manifest, graphs: Graphs, count: int, given: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    """What else the graphs take, such as `transform` [N, 3, 3], with the bundle's defaults.

    Raises:
        OptionError: There is no such input, or it is of another shape.
    """
    defaults = manifest.defaults.inputs
    if unknown := given.keys() - defaults.keys():
        known = ", ".join(defaults) or "no further inputs"
        raise OptionError(f"unknown input {', '.join(sorted(unknown))}; this generator has {known}")
    tensors = {tensor.name: tensor for stage in graphs.synthesis for tensor in stage.inputs}
    values = {}
    for name, usual in defaults.items():
        shape = tuple(size for size in tensors[name].shape if size != "N")
        value = given.get(name, np.reshape(np.asarray(usual, np.float32), shape))
        values[name] = _batch("input", name, value, count, shape)
    return values


def rows(name: str, latents: Floats, shape: tuple[int, ...]) -> Floats:
    """Latents of this shape, as float32.

    Raises:
        OptionError: They are of another shape, or not finite.
    """
    if latents.shape != shape:
        raise OptionError(f"latents must be {name} {list(shape)}, found {list(latents.shape)}")
    if not np.isfinite(latents).all():
        raise OptionError(f"latents {name} hold values that are not finite")
    return latents.astype(np.float32)


def _batch(kind: str, name: str, value: ArrayLike, count: int, shape: tuple[int, ...]) -> Floats:
    """One value for all pictures, or one a picture, as float32 [N, …]."""
    array = np.asarray(value, np.float32)
    if array.shape == shape:
        array = np.tile(array, (count, *[1] * len(shape)))
    if array.shape != (count, *shape):
        raise OptionError(f"{kind} {name} must be {list(shape)} or {[count, *shape]}, found {list(array.shape)}")
    if not np.isfinite(array).all():
        raise OptionError(f"{kind} {name} holds values that are not finite")
    return array
