"""How a run's pictures came to be, as a film: its grids from fixed seeds, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganexport.errors import OptionError
from ganexport.films import check_film, save_film
from train.report.read import read_run

__all__ = ["write_film"]

HOLD = 1.5
"""Seconds that the last grid stays."""


def write_film(run: Path, out: Path, *, fps: float = 6.0, force: bool = False) -> Path:
    """Write the grids in a run's folder as a film that ends in .gif, .webp or .mp4, whole or not at all.

    Args:
        run: Folder of a run, of one that goes on too.
        out: The film.
        fps: Grids a second; the last stays for a second and a half more.
        force: Whether to replace an existing file.

    Raises:
        OptionError: It is no run's folder, there are fewer than two grids, or the format is another.
        MissingExtraError: An MP4 without the extra `video`.
        OutputExistsError: The file exists and `force` is false.
    """
    check_film(out, fps)
    data = read_run(run)
    if len(data.samples) < 2:
        raise OptionError(f"{run} has {len(data.samples)} grids of pictures; a film needs two (see --snapshot-kimg)")
    paths = [path for _, path in data.samples]
    paths += paths[-1:] * round(HOLD * fps)
    (first, _), (last, _) = data.samples[0], data.samples[-1]
    save_film(_frames(paths), out, fps=fps, text={"run": data.name, "kimg": f"{first:g} to {last:g}"}, force=force)
    return out


def _frames(paths: list[Path]) -> Iterator[NDArray[np.uint8]]:
    """Grids [H, W, C], in the size and the colours of the last: a run that grows may begin with smaller ones."""
    with Image.open(paths[-1]) as last:
        size, mode = last.size, last.mode
    for path in paths:
        with Image.open(path) as image:
            frame = np.asarray(image.convert(mode).resize(size, Image.Resampling.NEAREST))
        yield frame[:, :, None] if frame.ndim == 2 else frame
