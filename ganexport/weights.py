"""Canonical tensors: float32 arrays by name, in one `.safetensors` file, with an exact-cover check."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ganexport.atomic import atomic_path
from ganexport.errors import CheckpointError, WeightsError, shown

__all__ = [
    "Tensors",
    "check_cover",
    "file_sha256",
    "hash_tensors",
    "read_tensors",
    "write_tensors",
]

MAX_PROBLEMS = 20

Tensors = dict[str, NDArray[np.float32]]


def read_tensors(path: Path) -> tuple[dict[str, NDArray[np.generic]], dict[str, str]]:
    """All tensors of a `.safetensors` file, and the strings of its header.

    Raises:
        CheckpointError: The file is missing, cut short or no safetensors file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in list(file.keys())}, file.metadata() or {}
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist") from None
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} is not a complete safetensors file: {error}") from None


def write_tensors(
    path: Path, tensors: Mapping[str, NDArray[np.generic]], metadata: Mapping[str, str], *, force: bool = True
) -> None:
    """Write a `.safetensors` file whole or not at all; equal contents give equal bytes.

    Args:
        path: The file.
        tensors: Arrays by name.
        metadata: At most one string: the library writes more of them in no fixed order.
        force: Whether to replace an existing file.

    Raises:
        ValueError: More than one string of metadata.
        OutputExistsError: The file exists and `force` is false.
    """
    if len(metadata) > 1:
        raise ValueError(f"at most one string of metadata, found {sorted(metadata)}")
    with atomic_path(path, force=force) as temporary:
        # `require` and not `ascontiguousarray`, which turns a scalar into a list of one.
        save_file({k: np.require(v, requirements="C") for k, v in tensors.items()}, temporary, dict(metadata))


def check_cover(tensors: Mapping[str, NDArray[np.generic]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that `tensors` are exactly those of `shapes`.

    Raises:
        WeightsError: Names the tensors that are missing, left over, mis-shaped or not finite float32.
    """
    problems = [f"missing {name} {list(shapes[name])}" for name in shapes if name not in tensors]
    problems += [f"unused {shown(name)} {list(t.shape)}" for name, t in tensors.items() if name not in shapes]
    for name, shape in shapes.items():
        if name not in tensors:
            continue
        tensor = tensors[name]
        if tensor.shape != shape:
            problems.append(f"{name} is {list(tensor.shape)}, expected {list(shape)}")
        elif tensor.dtype != np.float32:
            problems.append(f"{name} is {tensor.dtype}, expected float32")
        elif not np.isfinite(tensor).all():
            problems.append(f"{name} holds values that are not finite")
    if problems:
        more = f"; and {len(problems) - MAX_PROBLEMS} more" if len(problems) > MAX_PROBLEMS else ""
        raise WeightsError("the tensors do not fit the generator: " + "; ".join(problems[:MAX_PROBLEMS]) + more)


def hash_tensors(tensors: Mapping[str, NDArray[np.generic]]) -> str:
    """SHA-256 of names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype.str} {list(tensor.shape)}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
