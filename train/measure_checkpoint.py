"""Measure a finished checkpoint by the same protocol as a run measures itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ganexport.errors import OptionError
from ganexport.generator import load
from train.data import load_dataset, split

__all__ = ["measure_checkpoint"]


def measure_checkpoint(path: Path, data: str, held_out: int, cache: Path) -> dict[str, Any]:
    """Figures of a canonical checkpoint.

    Args:
        path: The checkpoint.
        data: What it learned from, as `load_dataset` takes it.
        held_out: How many pictures training did not see; the same split as in training.
        cache: Folder that keeps the classifier.

    Raises:
        CheckpointError: The file is no checkpoint.
        OptionError: The generator is of another kind, or does not fit the data.
        DataError: The data cannot be read, or has no labels.
    """
    generator = load(path)
    spec = generator.spec
    training, rest = split(load_dataset(data, resolution=spec.resolution, channels=spec.image_channels), held_out, 0)
    if spec.c_dim != training.c_dim:
        raise OptionError(f"{path} has {spec.c_dim} classes, but {data} has {training.c_dim}")
    from train.metrics.measure import measure
    from train.sampling import make_generate

    generate = make_generate(spec, lambda: generator.weights)
    return measure(generate, spec.z_dim, training, rest, cache, say=lambda text: print(text, file=sys.stderr))
