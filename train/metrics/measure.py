"""Measure a generator by the fixed protocol, with the classifier kept beside the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.latents import lerp, slerp
from train.data import Dataset, split
from train.drawing import Drawer
from train.metrics.classes import class_figures
from train.metrics.classifier import Classifier
from train.metrics.evaluate import PICTURES, evaluate, protocol_inputs, verdict
from train.metrics.features import Judge, choose_judge
from train.metrics.fidelity import check_fidelity, inception_distances
from train.metrics.path_length import path_length, spread

__all__ = ["measure"]

WAYS = 500
"""Ways between two latents along which the path length is measured."""

Floats = NDArray[np.float32]


def measure(
    drawer: Drawer,
    training: Dataset,
    held_out: Dataset,
    cache: Path,
    say: Callable[[str], None] = print,
    *,
    with_labels: bool = True,
    fidelity: bool = False,
) -> dict[str, Any]:
    """Draw the protocol's pictures and compare them with the held-out ones.

    As many pictures are drawn as there are real ones for the yardstick, 2,000 at most. Where none are held out, one
    half of the training pictures stands in for them and the other half is the yardstick: then learning by heart does
    not show.

    Args:
        drawer: The generator.
        training: Pictures that it learned from.
        held_out: Pictures that it did not see; may be empty.
        cache: Folder that keeps the classifier.
        say: Told what takes time.
        with_labels: Whether its classes are those of the labels, and not codes that it found itself.
        fidelity: Whether to take FID and KID in Inception's features too.

    Returns:
        The figures of `evaluate`; with labels those of `class_figures`; `path_length_z` and, with a w space,
        `path_length_w`: the perceptual path length in the judge's features over the mean squared distance of two real
        pictures, so 1 is a straight and even way between two pictures as unlike as real ones; and `passed`: which bars
        they reach.

    Raises:
        OptionError: The generator does not fit the pictures, or there are too few.
        MissingExtraError: `fidelity` without torch-fidelity.
        RuntimeUnavailableError: `fidelity` without Inception's weights and without a network.
    """
    if fidelity:
        check_fidelity()  # before minutes are spent on the rest
    unseen = len(held_out) > 0
    if not unseen:
        training, held_out = split(training, len(training) // 2, 0)
    judge = choose_judge(training, held_out, cache, say)
    spec = drawer.spec
    z, labels = protocol_inputs(spec, count=min(PICTURES, len(training)))
    asked = labels if with_labels and spec.c_dim and spec.c_dim == training.c_dim else None
    pictures = drawer.pictures(z, labels)
    figures = evaluate(pictures, asked, training, held_out, judge)
    lengths = _path_lengths(drawer, judge, spread(judge.judge(held_out.images).features))
    of_classes = class_figures(drawer, judge) if asked is not None and isinstance(judge, Classifier) else {}
    inception = inception_distances(pictures, held_out.images, say) if fidelity else {}
    return {**figures, **of_classes, **lengths, **inception, "held_out_unseen": unseen, "passed": verdict(figures)}


def _path_lengths(drawer: Drawer, judge: Judge, unit: float) -> dict[str, float]:
    spec, labels = drawer.spec, np.arange(WAYS) % max(drawer.spec.c_dim, 1)
    start, end = np.split(protocol_inputs(spec, count=2 * WAYS)[0], 2)

    def of_latents(latents: Floats) -> Floats:
        images = drawer.images(latents, labels)
        low, high = spec.image_range
        return judge.see(np.clip((images - low) * (2.0 / (high - low)) - 1.0, -1.0, 1.0).astype(np.float32))

    def of_z(z: Floats) -> Floats:
        return of_latents(drawer.ws(z, labels) if spec.has_w_space else z)

    arc = slerp if spec.z_distribution == "normal" else lerp  # arcs would leave the cube
    lengths = {"path_length_z": path_length(of_z, start, end, arc) / unit}
    if spec.has_w_space:
        ways = path_length(of_latents, drawer.ws(start, labels), drawer.ws(end, labels), lerp)
        lengths["path_length_w"] = ways / unit
    return lengths
