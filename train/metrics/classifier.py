"""A small convolutional classifier of the real pictures; its penultimate layer is the feature space.

Trained once for a data set, then kept in a cache folder. TensorFlow is imported when it first runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ganexport.atomic import atomic_path
from ganexport.errors import DataError
from train.data import Dataset, to_float

__all__ = [
    "FEATURES",
    "Classifier",
    "Judged",
    "Recipe",
    "forward",
    "initial_weights",
    "load_or_train",
    "recipe_for",
    "train_classifier",
]

FEATURES = 64
"""Width of the penultimate layer."""

_VERSION = 1  # raise it when a change below alters what is learnt: cached weights are then not reused
_LARGEST = 64  # larger pictures are averaged down first
_CHUNK = 500

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Recipe:
    """How the classifier is trained.

    Attributes:
        epochs: Passes over the training pictures.
        batch: Pictures in a step.
        rate: Adam's learning rate at its highest; it rises for a tenth of the run and falls to 0.
        shift: Pictures are moved by up to this share of their side,
        turn: turned by up to this many radians,
        scale: stretched by up to this share along each axis,
        shear: and slanted by up to this many pixels a pixel.
        dropout: Share of inputs of the penultimate layer that are dropped.
        seed: Of weights, order, movements and dropout.
    """

    epochs: int = 12
    batch: int = 64
    rate: float = 0.003
    shift: float = 0.0625
    turn: float = 0.2
    scale: float = 0.12
    shear: float = 0.1
    dropout: float = 0.3
    seed: int = 0


def recipe_for(training: Dataset) -> Recipe:
    """The usual recipe; fewer than 5,000 pictures are looked at more often, up to 60 times each."""
    return Recipe(epochs=max(Recipe.epochs, min(60, 60_000 // max(1, len(training)))))


class Judged(NamedTuple):
    """What is said of N pictures: features float32 [N, 64], classes int64 [N] or None where nobody knows them."""

    features: NDArray[np.float32]
    classes: NDArray[np.int64] | None


@dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Attributes:
        weights: Its tensors by name; kernels HWIO.
        accuracy: Share of held-out pictures it names right, 0 to 1.
    """

    weights: Weights
    accuracy: float

    def judge(self, images: NDArray[np.uint8]) -> Judged:
        """Features and most likely class of pictures uint8 [N, R, R, C]."""
        features, logits = forward(self.weights, to_float(images))
        return Judged(features, logits.argmax(axis=1).astype(np.int64))

    def see(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features [N, 64] of images float32 [N, R, R, C] in −1…1, which need not be whole grey levels."""
        return forward(self.weights, images)[0]


def load_or_train(
    training: Dataset,
    held_out: Dataset,
    cache: Path,
    *,
    recipe: Recipe | None = None,
    report: Callable[[str], None] = print,
) -> Classifier:
    """Take the classifier of these very pictures and this recipe from `cache`, or train it and put it there.

    Args:
        training: Labelled pictures.
        held_out: Labelled pictures its accuracy is measured on.
        cache: Folder; made when missing.
        recipe: How to train; None for `recipe_for`.
        report: Takes one line of progress at a time.

    Raises:
        DataError: The pictures have no labels.
    """
    recipe = recipe or recipe_for(training)
    path = cache / f"classifier-{_key(training, held_out, recipe)[:16]}.safetensors"
    found = _read(path)
    if found is not None:
        return found
    trained = train_classifier(training, held_out, recipe=recipe, report=report)
    _write(path, trained)
    return trained


def train_classifier(
    training: Dataset,
    held_out: Dataset,
    *,
    recipe: Recipe = Recipe(),
    report: Callable[[str], None] = print,
) -> Classifier:
    """Train on labelled pictures; the same seed on the same machine gives the same weights.

    Raises:
        DataError: The pictures have no labels, or too few of them.
    """
    if training.labels is None or held_out.labels is None or not len(held_out):
        raise DataError(
            f"{training.name}: a classifier needs labelled pictures, and some held out; "
            "give labels, or turn the measurements off"
        )
    import tensorflow as tf

    total = max(1, recipe.epochs * (len(training) // min(recipe.batch, len(training))))
    initial = initial_weights(training.resolution, training.channels, training.c_dim, recipe.seed)
    variables = {k: tf.Variable(v) for k, v in initial.items()}
    step = _compiled_step(variables, recipe, total)
    for done, batch in enumerate(_batches(training, recipe, total)):
        loss = step(*(tf.constant(part) for part in batch), tf.constant(done))
        if (done + 1) % max(1, total // 6) == 0:
            report(f"classifier: step {done + 1} of {total}, loss {float(loss):.4f}")
    trained = Classifier({k: v.numpy() for k, v in variables.items()}, 0.0)
    named = forward(trained.weights, to_float(held_out.images))[1].argmax(axis=1)
    accuracy = float((named == held_out.labels).mean())
    report(f"classifier: {accuracy:.2%} of {len(held_out)} held-out pictures named right")
    return Classifier(trained.weights, accuracy)


def initial_weights(resolution: int, channels: int, outputs: int, seed: int) -> Weights:
    """He-initialised weights: a convolution and a halving for each octave down to 4×4 or less; `outputs` logits."""
    random = np.random.default_rng([seed, 0])

    def he(*shape: int) -> NDArray[np.float32]:
        gain = np.sqrt(2 / np.prod(shape[:-1]))
        return np.asarray(random.standard_normal(shape) * gain, np.float32)

    size = -(-resolution // _shrink(resolution))
    weights: Weights = {}
    block = 0
    while size > 4 or block == 0:
        width, taps = (32, 64, 128)[min(block, 2)], 3 if block else 5
        weights[f"conv{block}.weight"] = he(taps, taps, channels, width)
        weights[f"conv{block}.bias"] = np.zeros(width, np.float32)
        channels, block, size = width, block + 1, -(-size // 2)
    weights["features.weight"] = he(size * size * channels, FEATURES)
    weights["features.bias"] = np.zeros(FEATURES, np.float32)
    weights["logits.weight"] = he(FEATURES, outputs) * np.float32(0.5)
    weights["logits.bias"] = np.zeros(outputs, np.float32)
    return weights


def _shrink(resolution: int) -> int:
    return -(-resolution // _LARGEST)


def forward(weights: Weights, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features [N, 64] and logits [N, outputs] of images float32 [N, R, R, C] in −1…1."""
    parts = [_forward(weights, images[i : i + _CHUNK]) for i in range(0, len(images), _CHUNK)]
    features, logits = (np.concatenate([p.numpy() for p in part]) for part in zip(*parts, strict=True))
    return features, logits


def _forward(weights: Any, images: Any, drop: Callable[[Any], Any] | None = None) -> tuple[Any, Any]:
    """Features [N, 64] and logits [N, classes] of pictures float32 [N, R, R, C]."""
    import tensorflow as tf

    x, shrink = images, _shrink(images.shape[1])
    if shrink > 1:
        x = tf.nn.avg_pool2d(x, shrink, shrink, "SAME")
    for block in range(sum(k.startswith("conv") for k in weights) // 2):
        x = tf.nn.conv2d(x, weights[f"conv{block}.weight"], 1 if block else 2, "SAME")
        x = tf.nn.max_pool2d(x, 2, 2, "SAME") if block else x  # [N, H/2, W/2, C]
        x = tf.nn.relu(x + weights[f"conv{block}.bias"])
    x = tf.reshape(x, [-1, weights["features.weight"].shape[0]])  # [N, H·W·C]
    if drop is not None:
        x = drop(x)
    features = tf.nn.relu(x @ weights["features.weight"] + weights["features.bias"])
    return features, features @ weights["logits.weight"] + weights["logits.bias"]


def _compiled_step(variables: dict[str, Any], recipe: Recipe, total: int) -> Callable[..., Any]:
    """One step of Adam, compiled: (images, labels, movements, number of the step) to the loss."""
    import tensorflow as tf

    names = list(variables)
    first = {k: tf.Variable(tf.zeros_like(v)) for k, v in variables.items()}
    second = {k: tf.Variable(tf.zeros_like(v)) for k, v in variables.items()}

    @tf.function
    def step(images: Any, labels: Any, movements: Any, number: Any) -> Any:
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=movements,
            output_shape=images.shape[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )

        def drop(x: Any) -> Any:
            return tf.nn.experimental.stateless_dropout(x, recipe.dropout, seed=[recipe.seed, number])

        with tf.GradientTape() as tape:
            _, logits = _forward(variables, moved, drop)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        gradients = tape.gradient(loss, [variables[k] for k in names])
        t = tf.cast(number, tf.float32) + 1.0
        rate = recipe.rate * tf.minimum(t / (0.1 * total), (total - t + 1.0) / (0.9 * total))
        for k, g in zip(names, gradients, strict=True):
            first[k].assign(0.9 * first[k] + 0.1 * g)
            second[k].assign(0.99 * second[k] + 0.01 * g * g)
            mean, square = first[k] / (1.0 - 0.9**t), second[k] / (1.0 - 0.99**t)
            variables[k].assign_sub(rate * mean / (tf.sqrt(square) + 1e-7))
        return loss

    compiled: Callable[..., Any] = step
    return compiled


def _batches(
    dataset: Dataset, recipe: Recipe, total: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]]:
    """Shuffled batches: pictures float32 [B, R, R, C], labels int64 [B], movements float32 [B, 8]."""
    assert dataset.labels is not None
    random = np.random.default_rng([recipe.seed, 1])
    batch, order = min(recipe.batch, len(dataset)), np.arange(0)
    for _ in range(total):
        if len(order) < batch:
            order = random.permutation(len(dataset))
        index, order = order[:batch], order[batch:]
        movements = _movements(random, recipe, batch, dataset.resolution)
        yield to_float(dataset.images[index]), dataset.labels[index], movements


def _movements(random: np.random.Generator, recipe: Recipe, count: int, resolution: int) -> NDArray[np.float32]:
    """Random affine maps about the centre, as TensorFlow's projective transforms [count, 8]."""
    angle = random.uniform(-recipe.turn, recipe.turn, count)
    scale = np.exp(random.uniform(-recipe.scale, recipe.scale, (2, count)))
    shear = random.uniform(-recipe.shear, recipe.shear, count)
    shift = random.uniform(-recipe.shift, recipe.shift, (2, count)) * resolution
    xx, xy = np.cos(angle) * scale[0], -np.sin(angle) * scale[0] + shear
    yx, yy = np.sin(angle) * scale[1], np.cos(angle) * scale[1]
    centre = (resolution - 1) / 2
    zero = np.zeros(count)
    rows = [
        *(xx, xy, (1 - xx - xy) * centre + shift[0]),
        *(yx, yy, (1 - yx - yy) * centre + shift[1]),
        *(zero, zero),
    ]
    return np.stack(rows, axis=1).astype(np.float32)


def _key(training: Dataset, held_out: Dataset, recipe: Recipe) -> str:
    """SHA-256 over the pictures, their labels, the recipe and this file's version."""
    digest = hashlib.sha256(json.dumps([_VERSION, asdict(recipe), training.c_dim]).encode())
    for part in (training, held_out):
        digest.update(str(part.images.shape).encode())
        digest.update(np.ascontiguousarray(part.images).tobytes())
        digest.update(b"" if part.labels is None else part.labels.astype("<i8").tobytes())
    return digest.hexdigest()


def _read(path: Path) -> Classifier | None:
    """What lies in the cache; None where nothing does, or nothing whole."""
    try:
        with safe_open(path, framework="numpy") as file:
            weights = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (no mapping)
            return Classifier(weights, float((file.metadata() or {})["accuracy"]))
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def _write(path: Path, classifier: Classifier) -> None:
    with atomic_path(path, force=True) as temporary:
        temporary.write_bytes(save(classifier.weights, {"accuracy": repr(classifier.accuracy)}))
