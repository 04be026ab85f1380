"""Inception-based FID and KID, as papers report them: by torch-fidelity, whose weights are downloaded on first use."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import MissingExtraError, RuntimeUnavailableError
from ganexport.pictures import to_image

__all__ = ["check_fidelity", "inception_distances"]

Pictures = NDArray[np.uint8]
LARGEST_SUBSET = 1000


def inception_distances(made: Pictures, real: Pictures, say: Callable[[str], None] = print) -> dict[str, float]:
    """FID and KID between two sets of pictures uint8 [N, H, W, C], in Inception's features.

    Returns:
        `inception_fid`, `inception_kid` and its standard deviation over subsets, `inception_kid_std`.

    Raises:
        MissingExtraError: torch-fidelity is not installed.
        RuntimeUnavailableError: Inception's weights are not there and cannot be downloaded.
    """
    torch_fidelity = check_fidelity()
    say("Inception: on first use its weights (91 MB) are downloaded")
    with tempfile.TemporaryDirectory() as folder:
        inputs = [_written(Path(folder) / name, pictures) for name, pictures in (("made", made), ("real", real))]
        try:
            found: dict[str, Any] = torch_fidelity.calculate_metrics(
                input1=str(inputs[0]),
                input2=str(inputs[1]),
                cuda=False,
                fid=True,
                kid=True,
                kid_subset_size=min(LARGEST_SUBSET, len(made), len(real)),
                verbose=False,
            )
        except (URLError, ConnectionError, TimeoutError) as error:
            raise RuntimeUnavailableError(
                f"the weights of Inception could not be downloaded ({error}); --fidelity needs a network once, after "
                "that they stay in torch's cache. Without it the same figures are taken in features of our own"
            ) from None
    return {
        "inception_fid": float(found["frechet_inception_distance"]),
        "inception_kid": float(found["kernel_inception_distance_mean"]),
        "inception_kid_std": float(found["kernel_inception_distance_std"]),
    }


def check_fidelity() -> Any:
    """torch-fidelity.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import torch_fidelity
    except ImportError:
        raise MissingExtraError(
            'FID and KID in Inception\'s features need torch-fidelity: pip install "ganexport[fidelity]"; '
            "without --fidelity the same figures are taken in features of our own"
        ) from None
    return torch_fidelity


def _written(folder: Path, pictures: Pictures) -> Path:
    """A folder with the pictures as RGB files."""
    folder.mkdir()
    for i, picture in enumerate(pictures):
        to_image(picture).convert("RGB").save(folder / f"{i:06d}.png")
    return folder
