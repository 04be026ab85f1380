"""From picture files to latents with a bundle's encoder, and what the generator draws of them."""

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
from ganexport.manifest import SpecSummary
from ganexport.pictures import fit

__all__ = ["Found", "draw_again", "draw_classes", "encode_files", "read_picture"]

MAX_PIXELS = 1 << 26

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in some files.

    Attributes:
        names: Of the files.
        pictures: As the encoder saw them, uint8 [N, H, W, C].
        encoded: Latents and classes.
        drawn: What the generator draws of these, uint8 [N, H, W, C].
    """

    names: tuple[str, ...]
    pictures: Pixels
    encoded: Encoded
    drawn: Pixels

    @property
    def errors(self) -> list[float]:
        """Root of the mean squared difference of each picture and its drawing, in grey levels."""
        square = np.square(self.drawn.astype(np.float64) - self.pictures)
        return [float(one) for one in np.sqrt(square.mean(axis=(1, 2, 3)))]

    def save(self, path: Path, c_dim: int, *, force: bool = True) -> None:
        """Write the latents, with their classes where these are not in them."""
        labels = self.encoded.labels
        c = None if labels is None or self.encoded.latents.ndim == 3 else one_hot(labels, c_dim)
        save_latents(path, self.encoded.latents, c=c, names=self.names, force=force)


def read_picture(path: Path, spec: SpecSummary) -> Pixels:
    """A picture file as the generator's pictures are, uint8 [1, H, W, C]; see `ganexport.pictures.fit`.

    Raises:
        OptionError: The file cannot be read as a picture, or is too large.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise OptionError(f"{path} is too large: {opened.width}×{opened.height} pixels")
            image: Image.Image = ImageOps.exif_transpose(opened)
            if image.mode.startswith(("I", "F")):
                raise OSError(f"its pixels are {image.mode}, expected 8 bits a channel")
            grey = "L" if image.mode in ("1", "L") else "RGB"
            pixels = np.asarray(image.convert("RGBA" if image.has_transparency_data else grey), np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise OptionError(f"{path} cannot be read as a picture: {error}") from None
    levels = pixels.reshape(*pixels.shape[:2], -1)  # [H, W, C]
    return fit(levels, spec.resolution, spec.image_channels)[None]


def encode_files(bundle: Bundle, paths: Sequence[Path]) -> Found:
    """Find the latents of picture files, and draw them again.

    Raises:
        OptionError: A file cannot be read as a picture.
        BundleError: The bundle has no encoder, or its graphs are broken.
    """
    pictures = np.concatenate([read_picture(path, bundle.manifest.spec) for path in paths])
    encoded = bundle.encode(pictures)
    return Found(tuple(path.name for path in paths), pictures, encoded, draw_again(bundle, encoded))


def draw_again(bundle: Bundle, encoded: Encoded, labels: Sequence[int] | None = None) -> Pixels:
    """What the generator draws of latents that were found: uint8 [N, H, W, C].

    Args:
        bundle: The generator.
        encoded: What its encoder found.
        labels: A class for each picture in place of the one that was found; only where it is z that was found.

    Raises:
        OptionError: The latents have their class in them.
    """
    latents, label = encoded.latents, encoded.labels if labels is None else labels
    if latents.ndim == 3:
        if labels is not None:
            raise OptionError("ws have their class in them: an encoder that finds z is needed to draw another class")
        return bundle.draw(latents)
    if bundle.manifest.spec.has_w_space:
        return bundle.draw(bundle.latents((), label, 1.0, z=latents))
    return bundle.draw(latents, label)


def draw_classes(bundle: Bundle, encoded: Encoded) -> Pixels:
    """Every class in each picture's style: uint8 [N, c_dim, H, W, C].

    Raises:
        OptionError: The generator has no classes, or the latents have theirs in them.
    """
    count, classes = len(encoded.latents), bundle.manifest.spec.c_dim
    if not classes:
        raise OptionError("this generator has no classes")
    each = Encoded(np.repeat(encoded.latents, classes, axis=0), None)
    drawn = draw_again(bundle, each, list(range(classes)) * count)
    return drawn.reshape(count, classes, *drawn.shape[1:])
