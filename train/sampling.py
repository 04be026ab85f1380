"""A grid of pictures, and the canonical generator of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ganexport.generator import Generator, Provenance
from ganexport.latents import z_from_seeds
from ganexport.pictures import grid
from ganexport.weights import hash_tensors
from train.config import Config
from train.data import Dataset
from train.drawing import Drawer
from train.growing import exported_spec, faded, growth_at
from train.state import State

__all__ = ["averaged_drawer", "picture_grid", "to_generator"]


def picture_grid(drawer: Drawer, columns: int = 12) -> NDArray[np.uint8]:
    """One picture [H', W', C]: a row a class (at most 10), a column a seed; without classes, 8 rows."""
    spec = drawer.spec
    rows = min(spec.c_dim, 10) or 8
    if spec.c_dim:
        z = np.tile(z_from_seeds(range(columns), spec.z_dim, spec.z_distribution), (rows, 1))
        labels = np.repeat(np.arange(rows), columns)
    else:
        z, labels = z_from_seeds(range(rows * columns), spec.z_dim, spec.z_distribution), None
    return grid(drawer.pictures(z, labels), columns, rows)


def averaged_drawer(config: Config, state: State) -> Callable[[], Drawer]:
    """A function that gives the drawer of a run's averaged generator, as far as it has grown when it is called.

    While a block fades in its share is a variable, so that one compiled drawer serves for the whole fade.
    """
    fade = tf.Variable(1.0, trainable=False)
    made: list[Drawer] = []

    def drawer() -> Drawer:
        growth, spec = growth_at(config, state.step), state.spec
        if growth is not None:
            fade.assign(growth.fade)
            spec = exported_spec(spec, growth._replace(fade=0.5) if growth.fading else growth)

        def weights() -> dict[str, Any]:
            values = state.g_ema
            if growth is not None and growth.fading:
                values = faded(values, growth.level, fade)
            return state.family.canonical(values, spec)

        if not made or made[-1].spec != spec:
            made[:] = [Drawer(spec, weights)]
        return made[-1]

    return drawer


def to_generator(config: Config, state: State, data: Dataset) -> Generator:
    """The averaged generator in canonical form, as far as it has grown."""
    growth = growth_at(config, state.step)
    spec = state.spec if growth is None else exported_spec(state.spec, growth)
    values = {name: v.numpy() for name, v in state.g_ema.items()}
    weights = {k: np.asarray(v, np.float32) for k, v in state.family.canonical(values, spec).items()}
    licence = f"trained on: {data.licence or data.name}"
    if state.start_licence is not None:
        licence += f"; started from weights of another model: {state.start_licence}"
    provenance = Provenance(
        source_format="ganexport training",
        source_sha256=None,
        weights_sha256=hash_tensors(weights),
        importer="train",
        licence=licence,
        training={"kimg": state.step * config.batch / 1000, "config": _plain(config)},
    )
    return Generator(
        spec,
        weights,
        provenance,
        data.label_names if config.c_dim(data.c_dim) and not config.categories else None,
    )


def _plain(config: Config) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(config).items()}
