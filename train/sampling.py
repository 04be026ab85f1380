"""Pictures from a generator on TensorFlow, and the canonical generator of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ganexport.architectures import mapping, synthesis
from ganexport.generator import Generator, Provenance
from ganexport.latents import z_from_seeds
from ganexport.ops.tensorflow_ops import TensorFlowOps
from ganexport.pictures import grid
from ganexport.spec import GeneratorSpec
from ganexport.weights import hash_tensors
from train.config import Config
from train.data import Dataset
from train.growing import exported_spec, growth_at
from train.state import State

__all__ = ["GenerateFn", "drawn_spec", "make_generate", "picture_grid", "to_generator"]

GenerateFn = Callable[[NDArray[np.float32], NDArray[np.int64] | None], NDArray[np.uint8]]
"""(z [N, z_dim], labels [N] or None) -> pictures uint8 [N, H, W, C], at psi 1."""

Tensor = Any


def make_generate(spec: GeneratorSpec, weights: Callable[[], dict[str, Tensor]], batch: int = 64) -> GenerateFn:
    """A function that draws with the canonical tensors that `weights` gives when it is called."""

    @tf.function(autograph=False, reduce_retracing=True)
    def draw(z: Tensor, c: Tensor) -> Tensor:
        tensors, ops, count = weights(), TensorFlowOps(), tf.shape(z)[0]
        labels = {"c": c} if spec.c_dim else {}
        inputs = {"z": z, **labels, "noise_scale": tf.ones([count])}
        if spec.has_w_space:
            psi = tf.ones([count, spec.num_ws])
            inputs |= mapping(ops, tensors, spec, z, labels.get("c"), psi)
        image = synthesis(ops, tensors, spec, inputs)["image"]
        return tf.cast(tf.floor(tf.clip_by_value((image + 1.0) * 127.5 + 0.5, 0.0, 255.0)), tf.uint8)

    def generate(z: NDArray[np.float32], labels: NDArray[np.int64] | None) -> NDArray[np.uint8]:
        one_hot = np.zeros((len(z), spec.c_dim), np.float32)
        if labels is not None and spec.c_dim:
            one_hot[np.arange(len(z)), labels] = 1.0
        parts = [
            draw(tf.constant(z[i : i + batch]), tf.constant(one_hot[i : i + batch])).numpy()
            for i in range(0, len(z), batch)
        ]
        return np.concatenate(parts)

    return generate


def picture_grid(generate: GenerateFn, spec: GeneratorSpec, columns: int = 12) -> NDArray[np.uint8]:
    """One picture [H', W', C]: a row a class (at most 10), a column a seed; without classes, 8 rows."""
    rows = min(spec.c_dim, 10) or 8
    if spec.c_dim:
        z = np.tile(z_from_seeds(range(columns), spec.z_dim, spec.z_distribution), (rows, 1))
        labels = np.repeat(np.arange(rows), columns)
    else:
        z, labels = z_from_seeds(range(rows * columns), spec.z_dim, spec.z_distribution), None
    return grid(generate(z, labels), columns, rows)


def drawn_spec(config: Config, state: State) -> GeneratorSpec:
    """What the run's generator is at this moment: the whole of it, or the blocks that have come by now."""
    growth = growth_at(config, state.step)
    return state.spec if growth is None else exported_spec(state.spec, growth)


def to_generator(config: Config, state: State, data: Dataset) -> Generator:
    """The averaged generator in canonical form, as far as it has grown."""
    spec = drawn_spec(config, state)
    values = {name: v.numpy() for name, v in state.g_ema.items()}
    weights = {k: np.asarray(v, np.float32) for k, v in state.family.canonical(values, spec).items()}
    provenance = Provenance(
        source_format="ganexport training",
        source_sha256=None,
        weights_sha256=hash_tensors(weights),
        importer="train",
        licence=f"trained on: {data.licence or data.name}",
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
