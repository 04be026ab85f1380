"""From picture files to points with a bundle's encoder, and what the generator draws of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganexport.bundle import Bundle, Encoded
from ganexport.errors import OptionError
from ganexport.latent_files import save_latents
from ganexport.latents import one_hot
from ganexport.pictures import read_picture
from ganexport.play.points import Points
from ganexport.play.sheets import every_class
from ganexport.play.studio import Studio
from ganexport.progress import SILENT, Progress

__all__ = ["Found", "draw_classes", "encode_files"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in some files.

    Attributes:
        pictures: As the encoder saw them, uint8 [N, H, W, C].
        points: Their latents, called like the files, in the classes that they were read as.
        encoded: What the encoder gave for them.
        drawn: What the generator draws of the points, uint8 [N, H, W, C].
    """

    pictures: Pixels
    points: Points
    encoded: Encoded
    drawn: Pixels

    @property
    def errors(self) -> list[float]:
        """Root of the mean squared difference of each picture and its drawing, in grey levels."""
        square = np.square(self.drawn.astype(np.float64) - self.pictures)
        return [float(one) for one in np.sqrt(square.mean(axis=(1, 2, 3)))]

    def save(self, path: Path, *, force: bool = True) -> None:
        """Write the latents, with their classes where these are not in them."""
        save_latents(path, self.points.latents, c=self.points.c, names=self.points.names, force=force)


def encode_files(bundle: Bundle, paths: Sequence[Path], progress: Progress = SILENT) -> Found:
    """Find the latents of picture files, and draw them again.

    Args:
        bundle: With an encoder.
        paths: Pictures of any size, of which the middle square is taken.
        progress: Told of each picture.

    Raises:
        OptionError: There is no file, or one cannot be read as a picture.
        BundleError: The bundle has no encoder, or its graphs are broken.
    """
    if not paths:
        raise OptionError("there is no picture to find latents of")
    spec, a_run = bundle.manifest.spec, bundle.a_run
    progress.stage("finding the latents", len(paths))
    pictures, parts = [], []
    for start in range(0, len(paths), a_run):
        part = [read_picture(path, spec.resolution, spec.image_channels) for path in paths[start : start + a_run]]
        parts.append(bundle.encode(np.stack(part)))
        pictures += part
        for _ in part:
            progress.step()
    chances = [part.probabilities for part in parts if part.probabilities is not None]
    latents = np.concatenate([part.latents for part in parts])
    encoded = Encoded(latents, np.concatenate(chances) if chances else None)
    in_w = latents.ndim == 3
    c = None if in_w or encoded.labels is None else one_hot(encoded.labels, spec.c_dim)
    points = Points("w" if in_w else "z", latents, c, (0,) * len(paths), tuple(path.name for path in paths))
    return Found(np.stack(pictures), points, encoded, _studio(bundle, progress).draw(points))


def draw_classes(bundle: Bundle, found: Found, progress: Progress = SILENT) -> Pixels:
    """Every class in each picture's style: uint8 [N, c_dim, H, W, C].

    Raises:
        OptionError: The generator has no classes, or the latents have theirs in them.
    """
    studio = _studio(bundle, progress)
    drawn = studio.draw(every_class(studio, found.points).points)
    return drawn.reshape(len(found.points), -1, *drawn.shape[1:])


def _studio(bundle: Bundle, progress: Progress) -> Studio:
    """Without truncation: latents were found for what the generator draws as it is."""
    return Studio(bundle, 1.0 if bundle.manifest.spec.has_w_space else None, progress=progress)
