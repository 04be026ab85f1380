"""Projection: the w of which a style-based generator draws nearest to a picture, found by descent.

As in StyleGAN2's appendix D, but for three things. The distance is that of pixels on a pyramid of halved pictures,
where the published one is LPIPS, whose network would have to be downloaded. The noise stays what is stored, since that
is what a bundle draws with; so there are no noise maps to regularise. And there may be a w for each layer.

Source: Karras et al. 2020 (StyleGAN2), appendix D; a w for each layer: Abdal et al. 2019 (Image2StyleGAN), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ganexport.atomic import check_output
from ganexport.errors import OptionError
from ganexport.generator import Generator, load
from ganexport.latent_files import save_latents
from ganexport.latents import one_hot, z_from_seeds
from ganexport.pictures import from_uint8, read_picture
from train.drawing import draw_images, draw_ws

__all__ = ["ProjectOptions", "Projection", "project", "project_file", "pyramid_distance", "schedule"]

Tensor = Any
SAMPLES = 2000
"""Latents from which the mean of w and its spread are taken."""

NOISE, NOISE_UNTIL = 0.05, 0.75
RAMP_UP, RAMP_DOWN = 0.05, 0.25


@dataclass(frozen=True)
class ProjectOptions:
    """How to look for w.

    Attributes:
        steps: How many steps of Adam.
        lr: Its learning rate, between a ramp up and a ramp down.
        each_layer: Whether each layer gets a w of its own, which comes nearer but edits worse.
        seed: Of the noise that is added to w at first.
    """

    steps: int = 1000
    lr: float = 0.1
    each_layer: bool = False
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Projection:
    """What was found.

    Attributes:
        ws: [1, num_ws, w_dim].
        error: Root of the mean squared difference of picture and drawing, in grey levels.
    """

    ws: NDArray[np.float32]
    error: float


def project(
    generator: Generator,
    picture: NDArray[np.uint8],
    options: ProjectOptions = ProjectOptions(),  # frozen
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> Projection:
    """Find the w of a picture.

    Args:
        generator: Of a family with a w space.
        picture: uint8 [H, W, C] as the generator draws.
        options: How.
        on_step: Told each step and its loss.

    Raises:
        OptionError: The family has no w space, or the picture is of another size.
    """
    spec = generator.spec
    if not spec.has_w_space:
        raise OptionError(f"a {spec.architecture} generator has no w space to project into")
    if picture.shape != (spec.resolution, spec.resolution, spec.image_channels):
        raise OptionError(f"the picture must be what the generator draws, found {list(picture.shape)}")
    low, high = spec.image_range
    target = tf.constant(from_uint8(picture[None], (low, high)).transpose(0, 2, 3, 1))  # [1, H, W, C]
    weights = {name: tf.constant(array) for name, array in generator.weights.items()}
    mean, spread = _statistics(generator, weights)
    count = spec.num_ws if options.each_layer else 1
    w = tf.Variable(np.tile(mean, (1, count, 1)))  # [1, num_ws or 1, w_dim]
    optimizer = tf.keras.optimizers.Adam(options.lr, beta_1=0.9, beta_2=0.999)
    optimizer.build([w])

    @tf.function(autograph=False, jit_compile=False)
    def step(index: Tensor, rate: Tensor, noise: Tensor) -> Tensor:
        optimizer.learning_rate.assign(rate)
        random = tf.random.stateless_normal(w.shape, tf.stack([options.seed, index]))
        with tf.GradientTape() as tape:
            image = draw_images(spec, weights, _to_ws(w + random * noise * spread, spec.num_ws), None)
            loss = pyramid_distance(image, target) * (2.0 / (high - low)) ** 2
        optimizer.apply(tape.gradient(loss, [w]), [w])
        return loss

    for i in range(options.steps):
        rate, noise = schedule(i / options.steps)
        on_step(i + 1, float(step(tf.constant(i), tf.constant(options.lr * rate), tf.constant(noise))))
    ws = _to_ws(w, spec.num_ws)
    drawn = np.clip(draw_images(spec, weights, ws, None), low, high)
    error = 255.0 / (high - low) * float(np.sqrt(np.mean(np.square(drawn - target))))
    return Projection(ws.numpy(), error)


def schedule(done: float) -> tuple[float, float]:
    """Share of the learning rate, and standard deviation of the noise on w in spreads, when `done` of 1 is done.

    Source: Karras et al. 2020, appendix D.
    """
    down = min(1.0, (1.0 - done) / RAMP_DOWN)
    rate = (0.5 - 0.5 * math.cos(math.pi * down)) * min(1.0, done / RAMP_UP)
    return rate, NOISE * max(0.0, 1.0 - done / NOISE_UNTIL) ** 2


def pyramid_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference of images [N, H, W, C] and of both halved down to 4×4, step by step: the mean of all."""
    distances = [tf.reduce_mean(tf.square(a - b))]
    while a.shape[1] >= 8 and a.shape[1] % 2 == 0:
        a, b = (tf.nn.avg_pool2d(x, 2, 2, "VALID") for x in (a, b))
        distances.append(tf.reduce_mean(tf.square(a - b)))
    return tf.add_n(distances) / len(distances)


def project_file(
    checkpoint: Path,
    picture: Path,
    out: Path,
    options: ProjectOptions,
    *,
    force: bool = False,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> float:
    """Find the w of a picture's file and write it as a latents file; returns the error in grey levels.

    Raises:
        OptionError: The generator has no w space, or the picture cannot be read.
        CheckpointError: The checkpoint cannot be read.
        OutputExistsError: `out` exists and `force` was not given.
    """
    check_output(out, force=force)
    generator = load(checkpoint)
    target = read_picture(picture, generator.spec.resolution, generator.spec.image_channels)
    found = project(generator, target, options, on_step)
    save_latents(out, found.ws, names=[picture.name], force=force)
    return found.error


def _to_ws(w: Tensor, num_ws: int) -> Tensor:
    """[1, 1 or num_ws, w_dim] -> ws [1, num_ws, w_dim]."""
    return w if w.shape[1] == num_ws else tf.repeat(w, num_ws, axis=1)


def _statistics(generator: Generator, weights: dict[str, Tensor]) -> tuple[NDArray[np.float32], float]:
    """Mean of w [w_dim] over latents and classes, and the root of its mean squared distance from there."""
    spec = generator.spec
    z = z_from_seeds(range(SAMPLES), spec.z_dim, spec.z_distribution)
    c = tf.constant(one_hot([i % spec.c_dim for i in range(SAMPLES)], spec.c_dim)) if spec.c_dim else None
    w = draw_ws(spec, weights, tf.constant(z), c).numpy()[:, 0]
    mean = w.mean(axis=0)
    return mean, float(np.sqrt(np.square(w - mean).sum(axis=1).mean()))
