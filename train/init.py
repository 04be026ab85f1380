"""Transfer learning: a run that starts from weights that are there already, of a checkpoint or of another run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import OptionError
from ganexport.generator import load
from ganexport.spec import GeneratorSpec
from ganexport.weights import Tensors, read_tensors
from train.snapshot import RunFolder

if TYPE_CHECKING:
    from train.state import State

__all__ = ["Start", "fitted_spec", "read_start", "take"]

OPTIONS = ("z_dim", "z_distribution", "w_dim", "mapping_layers", "label_layers")
"""Fields of a spec that options of the same names set."""
OF_THE_RUN = {*OPTIONS, "architecture", "resolution", "image_channels", "c_dim", "channels", "hidden", "num_ws", "lod"}
"""Fields that a run sets; all others are the checkpoint's."""


@dataclass(frozen=True)
class Start:
    """What a run starts from.

    Attributes:
        path: Where it was found.
        spec: The generator's.
        licence: That of its weights.
        weights: Canonical tensors of the (averaged) generator.
        snapshot: All that a run had trained, by the names of `State.tensors`; None from a checkpoint.
    """

    path: Path
    spec: GeneratorSpec
    licence: str
    weights: Tensors
    snapshot: Mapping[str, NDArray[np.generic]] | None = None


def read_start(path: Path) -> Start:
    """Read a checkpoint of any kind, a bundle's folder, or a run: its folder or one of its snapshots.

    Raises:
        CheckpointError: It is none of these, or cannot be read.
    """
    snapshot = None
    if path.parent.name == "snapshots":
        snapshot, found = read_tensors(path)[0], RunFolder(path.parents[1]).latest_generator()
    elif (path / "checkpoint.safetensors").is_file():
        found = path / "checkpoint.safetensors"
    elif path.is_dir():
        snapshot, found = RunFolder(path).latest(), RunFolder(path).latest_generator()
    else:
        found = path
    generator = load(found)
    return Start(path, generator.spec, generator.provenance.licence, generator.weights, snapshot)


def fitted_spec(wanted: GeneratorSpec, start: Start) -> GeneratorSpec:
    """The spec of a run that starts from `start`: `wanted`, which the options say, and for the rest the checkpoint's.

    A stylegan2 with a to-RGB in every block may be larger than the checkpoint's.

    Raises:
        OptionError: The options contradict the checkpoint; it says which to give.
    """
    theirs, path = start.spec, start.path
    if theirs.architecture != wanted.architecture:
        raise OptionError(
            f"--init {path} is a {theirs.architecture} and this run trains a {wanted.architecture}; "
            "start from a preset of that family, or from another checkpoint"
        )
    if theirs.image_channels != wanted.image_channels or theirs.image_range != wanted.image_range:
        raise OptionError(
            f"--init {path} draws {theirs.image_channels} channels in {theirs.image_range}, the pictures to learn from "
            f"have {wanted.image_channels} in {wanted.image_range}"
        )
    if getattr(theirs, "lod", 0):
        raise OptionError(f"--init {path} has not grown to its full size; let that run finish first")
    if missing := _contradicted(wanted, theirs):
        raise OptionError(f"--init {path} is another generator than the options say; give {' '.join(missing)}")
    own = OF_THE_RUN | ({"embed_dim", "joint_norm"} if theirs.c_dim != wanted.c_dim else set())
    fields = wanted.model_dump() | {k: v for k, v in theirs.model_dump().items() if k not in own}
    return type(wanted)(**fields)


def _contradicted(wanted: GeneratorSpec, theirs: GeneratorSpec) -> list[str]:
    """The options that would make `wanted` agree with `theirs`."""
    differing = [n for n in OPTIONS if getattr(wanted, n, None) != getattr(theirs, n, None)]
    options = [f"--{n.replace('_', '-')} {getattr(theirs, n)}" for n in differing]
    may_grow = getattr(theirs, "output", None) == "skip"
    if wanted.resolution < theirs.resolution or (wanted.resolution > theirs.resolution and not may_grow):
        options.append(f"--resolution {theirs.resolution}")
        further: tuple[int, ...] = ()
    else:
        further = _widths(wanted)[len(_widths(theirs)) :]
    if _widths(wanted) != _widths(theirs) + further:
        options.append(f"--channels {','.join(map(str, _widths(theirs) + further))}")
    return options


def _widths(spec: GeneratorSpec) -> tuple[int, ...]:
    """What `--channels` says of a generator."""
    layers = getattr(spec, "layers", None)
    if layers is not None:
        return tuple(layer.channels for layer in layers[:-1])
    widths: tuple[int, ...] = getattr(spec, "channels", getattr(spec, "hidden", ()))
    return widths


def take(state: State, start: Start) -> str:
    """Put into a fresh state all that fits by name and shape; what does not stays as it is.

    To-RGBs of blocks that the checkpoint has not begin at 0, so that the first pictures are its own, up-sampled.

    Returns:
        A line on what was taken and what is new.
    """
    values = start.snapshot
    if values is None:
        trained = state.family.trained(start.weights, start.spec)
        values = {f"{side}.{name}": value for side in ("g", "g_ema") for name, value in trained.items()}
    new = _assign(state.g, values, "g")
    _assign(state.g_ema, values, "g_ema")
    missing_d = _assign(state.d, values, "d")
    for name in new:
        if ".torgb." in name and ".affine." not in name and state.spec.resolution > start.spec.resolution:
            for side in (state.g, state.g_ema):
                side[name].assign(np.zeros(side[name].shape, np.float32))
    blocks = dict.fromkeys(".".join(name.split(".")[:2]) for name in new)
    text = f"Started from {start.path}: {len(state.g) - len(new)} of {len(state.g)} tensors of the generator"
    text += f" (new: {', '.join(blocks)})" if blocks else ""
    taken_d = len(state.d) - len(missing_d)
    return text + (f", {taken_d} of {len(state.d)} of the discriminator" if taken_d else "; the discriminator is new")


def _assign(variables: Mapping[str, Any], values: Mapping[str, NDArray[np.generic]], side: str) -> list[str]:
    """Assign what fits; returns the names of what does not."""
    fits = {n for n, v in variables.items() if f"{side}.{n}" in values and values[f"{side}.{n}"].shape == v.shape}
    for name in fits:
        variables[name].assign(values[f"{side}.{name}"])
    return [name for name in variables if name not in fits]
