"""Train an encoder for a generator: `python -m train encoder`."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ganexport.atomic import check_output
from ganexport.encoders import encode
from ganexport.encoders.encoder import Encoder
from ganexport.errors import OptionError
from ganexport.generator import Generator
from ganexport.latents import one_hot, z_from_seeds
from ganexport.ops.tensorflow_ops import TensorFlowOps
from ganexport.weights import read_tensors, write_tensors
from train.data import Dataset, Sampler, load_dataset, split, to_float
from train.devices import prepare
from train.drawing import Drawer
from train.encoder.options import EncoderOptions
from train.encoder.start import Source, body_of, find_source
from train.encoder.step import EncoderState, draw_found, make_encoder_step
from train.interrupts import interruptible
from train.progress import LINE_SECONDS

__all__ = ["measure_encoder", "train_encoder"]

Tensor = Any
SAVE_INTERVAL = 250
"""Steps between two saves of what a stopped run goes on from."""

STATISTICS = 256
"""Pictures that stand for all where a BatchNorm is folded in."""

MEASURED = 500
"""Pictures of each kind that the figures are taken from."""


def train_encoder(
    path: Path,
    out: Path,
    options: EncoderOptions,
    *,
    data: str | None = None,
    channels: tuple[int, ...] = (),
    force: bool = False,
    say: Callable[[str], None] = print,
) -> Encoder | None:
    """Train an encoder, or go on with it, and write it.

    Args:
        path: A run's folder or a checkpoint.
        out: The encoder's `.safetensors` file; beside it lies what a stopped run goes on from.
        options: How.
        data: Real pictures, as `load_dataset` takes them; None for what the generator says that it learned from.
        channels: Feature maps of the body, where no discriminator says them.
        force: Whether to replace an existing file.
        say: Told what happens.

    Returns:
        The encoder; None where Ctrl-C stopped its training.

    Raises:
        OptionError: There is nothing to start from, or the data do not fit.
        OutputExistsError: `out` exists and `force` was not given.
        CheckpointError: A file cannot be read.
        DataError: The data cannot be read.
    """
    check_output(out, force=force)
    source = find_source(path)
    training, held_out, labelled = _pictures(source, data)
    some = _in_range(to_float(training.images[:STATISTICS]), source.generator).numpy()
    spec, start = body_of(source, channels, some, from_scratch=options.from_scratch)
    prepare(options.seed, deterministic=False)
    body = "random weights" if options.from_scratch else "the discriminator's"
    say(f"{len(training)} pictures of {training.name}; the encoder starts from {body}")
    state = EncoderState(spec, options, start)
    progress_file = out.with_suffix(".state.safetensors")
    asked = json.dumps(
        {
            "options": dataclasses.asdict(options),
            "generator": source.generator.provenance.weights_sha256,
            "encoder": spec.model_dump(mode="json"),
            "data": [training.name, len(training)],
        }
    )
    if progress_file.exists():
        tensors, header = read_tensors(progress_file)
        if header.get("asked") != asked:
            raise OptionError(f"{progress_file} belongs to another training; remove it, or choose another output")
        state.restore(tensors)
        say(f"Going on from step {state.step}")
    generator = source.generator
    weights = {name: tf.constant(array) for name, array in generator.weights.items()}
    step = make_encoder_step(options, state, generator.spec, weights)
    sampler = Sampler(training, seed=options.seed, batch=options.batch // 2)
    spoken = time.monotonic()
    with interruptible() as interrupted:
        while state.step < options.steps and not interrupted():
            images, labels = sampler.sample(state.step)
            c = tf.constant(one_hot(labels.tolist(), generator.spec.c_dim)) if labelled and labels is not None else None
            logs = step(_in_range(images, generator), c, tf.constant(state.step, tf.int32))
            state.step += 1
            if state.step % SAVE_INTERVAL == 0 or interrupted():
                write_tensors(progress_file, state.tensors(), {"asked": asked})
            if time.monotonic() - spoken > LINE_SECONDS:
                spoken = time.monotonic()
                losses = "  ".join(f"{name} {float(value):.4f}" for name, value in logs.items())
                say(f"step {state.step}/{options.steps}  {losses}")
    if state.step < options.steps:
        say(f"Stopped and saved at step {state.step}; the same command goes on from there")
        return None
    kind = "held-out" if len(held_out) else "training"
    figures = measure_encoder(state, generator, held_out if len(held_out) else training, kind, labelled=labelled)
    say(json.dumps(figures, indent=1))
    encoder = Encoder(
        spec,
        {name: np.asarray(tensor, np.float32) for name, tensor in state.weights().items()},
        generator.provenance.weights_sha256,
        figures,
        dataclasses.asdict(options),
    )
    encoder.save(out, force=force)
    progress_file.unlink(missing_ok=True)
    return encoder


def measure_encoder(
    state: EncoderState, generator: Generator, pictures: Dataset, kind: str, *, labelled: bool
) -> dict[str, float]:
    """How near the pictures come that are drawn of what is found, and how often the class is right.

    Args:
        state: The encoder.
        generator: Its generator.
        pictures: Real ones.
        kind: What they are called in the figures: held-out, training.
        labelled: Whether their labels are the generator's classes.
    """
    spec = generator.spec
    drawer = Drawer(spec, lambda: generator.weights)
    z = z_from_seeds(range(MEASURED), spec.z_dim, spec.z_distribution)
    asked = np.arange(MEASURED) % spec.c_dim if spec.c_dim else None
    drawn = drawer.images(drawer.ws(z, asked) if spec.has_w_space else z, asked)
    chosen = np.random.RandomState(0).permutation(len(pictures))[:MEASURED]  # they may lie class by class
    real = _in_range(to_float(pictures.images[chosen]), generator).numpy()
    known = pictures.labels[chosen] if labelled and pictures.labels is not None else None
    figures = {}
    for name, images, labels in ((kind, real, known), ("drawn", drawn, asked)):
        again, classes = _again(state, generator, images)
        low, high = spec.image_range
        levels = 255.0 / (high - low) * (np.clip(again, low, high) - np.clip(images, low, high))
        figures[f"error on {name} pictures, grey levels"] = float(
            np.sqrt(np.square(levels).mean(axis=(1, 2, 3))).mean()
        )
        if classes is not None and labels is not None:
            figures[f"class of {name} pictures found"] = float((classes == labels).mean())
    return figures


def _again(
    state: EncoderState, generator: Generator, images: NDArray[np.float32], batch: int = 50
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """Images drawn of what is found in images [N, H, W, C], and the class that is found in each."""
    spec, weights = generator.spec, {name: tf.constant(array) for name, array in generator.weights.items()}

    @tf.function(autograph=False, reduce_retracing=True)
    def run(part: Tensor) -> tuple[Tensor, Tensor]:
        found = encode(TensorFlowOps(), state.weights(), state.spec, part)
        label = tf.argmax(found["c_logits"], axis=1) if spec.c_dim else tf.zeros([0], tf.int64)
        c = tf.one_hot(label, spec.c_dim) if spec.c_dim else None
        return draw_found(spec, weights, found["ws" if "ws" in found else "z"], c), label

    parts = [run(tf.constant(images[i : i + batch])) for i in range(0, len(images), batch)]
    again, labels = (np.concatenate([part[i].numpy() for part in parts]) for i in range(2))
    return again, labels if spec.c_dim else None


def _pictures(source: Source, data: str | None) -> tuple[Dataset, Dataset, bool]:
    """Training and held-out pictures of the generator's size, and whether their labels are its classes."""
    spec = source.generator.spec
    config: dict[str, Any] = (source.generator.provenance.training or {}).get("config", {})
    if source.config is not None:
        config = dataclasses.asdict(source.config)
    name = data or config.get("data")
    if name is None:
        raise OptionError("the generator does not say what it learned from; give real pictures with --data")
    pictures = load_dataset(str(name), resolution=spec.resolution, channels=spec.image_channels)
    training, held_out = split(pictures, int(config.get("held_out", 0)) if data is None else 0, 0)
    labelled = spec.c_dim > 0 and pictures.c_dim == spec.c_dim and not config.get("categories")
    return training, held_out, labelled


def _in_range(images: NDArray[np.float32], generator: Generator) -> Tensor:
    """Pictures in −1…1 -> in the generator's image range."""
    low, high = generator.spec.image_range
    return tf.constant((images + np.float32(1)) * np.float32((high - low) / 2) + np.float32(low))
