"""Say of seeds what they show: a classifier of the real pictures looks at the drawn ones.

The table goes to `ganexport directions --attributes`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ganexport.atomic import atomic_path, check_output
from ganexport.errors import OptionError
from ganexport.generator import load
from ganexport.latents import z_from_seeds
from train.data import load_dataset, split

__all__ = ["label_seeds"]

HELD_OUT = 0.1
"""Share of the pictures on which the classifier's accuracy is measured."""


def label_seeds(
    checkpoint: Path,
    output: Path,
    *,
    data: str,
    attribute: str | None,
    count: int,
    classes: Sequence[int] | None,
    cache: Path,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> float:
    """Draw seeds 0 … count − 1 and write what each shows: a column of 0 and 1 for each value of the attribute.

    Args:
        checkpoint: The generator.
        output: The CSV file: `seed`, with classes `label`, and the values.
        data: Pictures that show the attribute, as `load_dataset` takes them.
        attribute: Which of their labels it is; None for the usual one.
        count: How many seeds.
        classes: Classes to draw, in turn; None for all.
        cache: Folder that keeps the classifier.
        force: Whether to replace an existing file.
        say: Told what takes time.

    Returns:
        The classifier's accuracy on pictures that it did not see, 0 to 1.

    Raises:
        CheckpointError: The file is no checkpoint.
        DataError: The data cannot be read, or has no such labels.
        OptionError: The generator has no such class, or the pictures show one value only.
        OutputExistsError: The file exists and `force` is false.
    """
    if count < 1:
        raise OptionError(f"--count must be at least 1, found {count}")
    check_output(output, force=force)
    generator = load(checkpoint)
    spec = generator.spec
    pictures = load_dataset(data, resolution=spec.resolution, channels=spec.image_channels, labels=attribute)
    chosen = list(range(spec.c_dim)) if classes is None else list(classes)
    if wrong := [c for c in chosen if not 0 <= c < spec.c_dim]:
        raise OptionError(f"{checkpoint} has no class {wrong[0]}; its classes are 0 to {spec.c_dim - 1}")
    from train.drawing import Drawer
    from train.metrics.classifier import load_or_train

    classifier = load_or_train(*split(pictures, round(HELD_OUT * len(pictures)), 0), cache, report=say)
    labels = np.resize(chosen, count).astype(np.int64) if chosen else np.zeros(count, np.int64)
    z = z_from_seeds(range(count), spec.z_dim, spec.z_distribution)
    say(f"drawing {count} pictures")
    shown = classifier.judge(Drawer(spec, lambda: generator.weights).pictures(z, labels)).classes
    assert pictures.label_names is not None and shown is not None
    found = {name: shown == i for i, name in enumerate(pictures.label_names) if 0 < (shown == i).mean() < 1}
    if not found:
        raise OptionError(f"all {count} pictures show the same {attribute or 'label'}; draw more, or other classes")
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["seed", *(["label"] if chosen else []), *found])
    for seed in range(count):
        table.writerow([seed, *([labels[seed]] if chosen else []), *(int(values[seed]) for values in found.values())])
    with atomic_path(output, force=force) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return classifier.accuracy
