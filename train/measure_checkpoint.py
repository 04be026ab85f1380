"""Measure a finished checkpoint, or those of a run, by the same protocol as a run measures itself."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganexport.errors import OptionError
from ganexport.generator import Generator, load
from train.data import load_dataset, split
from train.snapshot import RunFolder
from train.watch.log import read_lines

__all__ = ["measure_checkpoint", "measure_run"]


def measure_run(root: Path, **options: Any) -> Iterator[dict[str, Any]]:
    """Measure each generator of a run that has not been measured yet, and add it to the run's `metrics.jsonl`.

    Args:
        root: Folder of the run.
        options: Those of `measure_checkpoint`.

    Yields:
        The figures of one generator, with its `kimg`.

    Raises:
        OptionError: The folder has no generators. And what `measure_checkpoint` raises.
    """
    folder = RunFolder(root)
    paths = sorted(folder.generators.glob("kimg*.safetensors"))
    if not paths:
        raise OptionError(f"{root} holds no generators to measure; give a checkpoint, or the folder of a run")
    for path in paths:
        kimg = float(path.stem.removeprefix("kimg"))
        if not any(abs(line["kimg"] - kimg) < 0.05 for line in read_lines(root / "metrics.jsonl")):  # names are rounded
            record = {"kimg": kimg, **measure_checkpoint(path, **options)}
            folder.log_metrics(record)
            yield record


def measure_checkpoint(
    path: Path, data: str | None, held_out: int | None, cache: Path, *, fidelity: bool = False
) -> dict[str, Any]:
    """Figures of a checkpoint of any architecture.

    Args:
        path: The checkpoint.
        data: What it learned from, as `load_dataset` takes it; None for what the checkpoint says itself.
        held_out: How many pictures training did not see, the same split as in training; None for what the checkpoint
            says itself, and else 0.
        cache: Folder that keeps the classifier.
        fidelity: Whether to take FID and KID in Inception's features too, by torch-fidelity.

    Raises:
        CheckpointError: The file is no checkpoint.
        OptionError: The generator does not fit the data, or does not say what it learned from.
        DataError: The data cannot be read.
        MissingExtraError: `fidelity` without torch-fidelity.
        RuntimeUnavailableError: `fidelity` without Inception's weights and without a network.
    """
    generator = load(path)
    spec, config = generator.spec, _config(generator)
    data = data or config.get("data")
    if data is None:
        raise OptionError(f"{path} does not say what it learned from; give --data")
    pictures = load_dataset(data, resolution=spec.resolution, channels=spec.image_channels)
    training, rest = split(pictures, config.get("held_out", 0) if held_out is None else held_out, 0)
    from train.drawing import Drawer
    from train.metrics.measure import measure

    drawer = Drawer(spec, lambda: generator.weights)
    with_labels = config.get("use_labels", True) and not config.get("categories")
    say = functools.partial(print, file=sys.stderr)
    return measure(drawer, training, rest, cache, say, with_labels=with_labels, fidelity=fidelity)


def _config(generator: Generator) -> dict[str, Any]:
    """The training run's configuration; empty where the checkpoint came from elsewhere."""
    config: dict[str, Any] = (generator.provenance.training or {}).get("config", {})
    return config
