"""What lies in a bundle's folder beside its graphs, checked against its manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import BundleError, CheckpointError
from ganexport.manifest import MANIFEST_NAME, Manifest
from ganexport.weights import check_cover, file_sha256, read_tensors

__all__ = ["check_files", "read_directions"]


def check_files(folder: Path, manifest: Manifest) -> None:
    """Check that a bundle's files are exactly those of its manifest, byte for byte.

    Raises:
        BundleError: Names each file that is missing, left over or altered.
    """
    problems = []
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.is_symlink():
            problems.append(f"{name} is missing")
        elif path.stat().st_size != entry.bytes:
            problems.append(f"{name} has {path.stat().st_size} bytes, expected {entry.bytes}")
        elif file_sha256(path) != entry.sha256:
            problems.append(f"{name} was altered: its SHA-256 is not the manifest's")
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    problems += [f"{name} is not in the manifest" for name in sorted(found - manifest.files.keys() - {MANIFEST_NAME})]
    if problems:
        raise BundleError(f"{folder} is not whole: " + "; ".join(problems[:8]))


def read_directions(folder: Path, manifest: Manifest) -> dict[str, NDArray[np.float32]]:
    """Vectors of the manifest's directions by name: [w_dim] or [z_dim], an amount of 1 each.

    Raises:
        BundleError: Their file does not hold exactly these.
    """
    found = manifest.directions
    if found is None:
        return {}
    spec = manifest.spec
    shapes = {one.name: (spec.w_dim if one.space == "w" else spec.z_dim,) for one in found.items}
    try:
        tensors, _ = read_tensors(folder / found.file)
        check_cover(tensors, shapes)
    except CheckpointError as error:
        raise BundleError(f"the directions of {folder} cannot be read: {error}") from None
    return {name: np.asarray(tensors[name], np.float32) for name in shapes}
