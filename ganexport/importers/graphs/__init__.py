"""Readers of generators that are known only as a graph: ONNX, Keras, SavedModel; and how to tell these apart."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Literal

from ganexport.errors import CheckpointError
from ganexport.importers.inert.zip import zip_members

__all__ = ["SAVED_MODEL", "Kind", "kind_of", "mapped"]

Kind = Literal["SavedModel", "Keras HDF5", "Keras archive", "ONNX"]

SAVED_MODEL = "saved_model.pb"
HEAD = 16


def kind_of(path: Path) -> Kind | None:
    """What kind of graph a file or folder holds, by its content; None where it is something else."""
    if path.is_dir():
        return "SavedModel" if (path / SAVED_MODEL).exists() else None
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(b"\x89HDF"):
        return "Keras HDF5"
    if head.startswith(b"PK\x03\x04") and "config.json" in _members(path):
        return "Keras archive"
    # An ONNX model begins with the version of its format, a small number.
    is_onnx = len(head) > 2 and head[0] == 0x08 and 1 <= head[1] < 64 and head[2] & 7 in (0, 2)
    return "ONNX" if is_onnx else None


def mapped(path: Path) -> memoryview:
    """The bytes of a file, read as they are needed."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _members(path: Path) -> set[str]:
    """Names in a zip archive; none where it is damaged."""
    try:
        return set(zip_members(mapped(path)))
    except CheckpointError:
        return set()
