"""An HDF5 file of Keras, checked before Keras opens it: numbers and names inside the file, and nothing else."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ganexport.errors import CheckpointError
from ganexport.importers.inert.stubs import shown

__all__ = ["check_h5", "model_config", "write_model_config"]

MAX_OBJECTS = 20_000
MAX_DEPTH = 40
EXPANSION, FREE_EXPANSION = 4, 64 << 20
FILTERS = (1, 2, 3)
"""Gzip, shuffle and a checksum; any other may be a program of its own."""


def check_h5(path: Path) -> None:
    """Check every link, dataset and attribute of a file.

    Raises:
        CheckpointError: It is damaged, points outside itself, or declares more than it holds.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _Walk(h5py, path.stat().st_size).group(file, 0)
    except CheckpointError:
        raise
    except Exception as error:  # h5py raises whatever fits the call that met the damage
        raise CheckpointError(f"is a damaged HDF5 file ({type(error).__name__})") from None


def model_config(path: Path) -> str:
    """The configuration of the model in a checked file.

    Raises:
        CheckpointError: It holds weights only.
    """
    import h5py

    with h5py.File(path, "r") as file:
        found = file.attrs.get("model_config")
    if found is None:
        raise CheckpointError("holds weights only, without the model that they belong to: save the whole model instead")
    text = found.decode("utf-8", "replace") if isinstance(found, bytes) else found
    if not isinstance(text, str):
        raise CheckpointError("has a configuration that is no text")
    return text


def write_model_config(path: Path, text: str) -> None:
    """Put another configuration into a file."""
    import h5py

    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
        file.attrs["model_config"] = text


class _Walk:
    def __init__(self, h5py: Any, size: int) -> None:
        self._h5py = h5py
        self._left = max(FREE_EXPANSION, EXPANSION * size)
        self._objects = 0
        self._seen: set[int] = set()

    def group(self, group: Any, depth: int) -> None:
        self._attributes(group)
        if depth > MAX_DEPTH:
            raise CheckpointError(f"nests groups more than {MAX_DEPTH} deep")
        for name in group:
            self._objects += 1
            if self._objects > MAX_OBJECTS:
                raise CheckpointError(f"holds more than {MAX_OBJECTS} groups and datasets")
            link = group.get(name, getlink=True)
            if not isinstance(link, self._h5py.HardLink):
                raise CheckpointError(f"holds the link {shown(name)} to another place, which Keras never writes")
            item = group[name]
            place = self._h5py.h5o.get_info(item.id).addr
            if place in self._seen:
                raise CheckpointError(f"holds {shown(name)} in two places")
            self._seen.add(place)
            if isinstance(item, self._h5py.Group):
                self.group(item, depth + 1)
            elif isinstance(item, self._h5py.Dataset):
                self._dataset(item)
            else:
                raise CheckpointError(f"holds {shown(name)}, which is neither a group nor numbers")

    def _dataset(self, dataset: Any) -> None:
        name = shown(str(dataset.name))
        self._attributes(dataset)
        if dataset.external or dataset.is_virtual:
            raise CheckpointError(f"keeps the numbers of {name} in another file")
        settings = dataset.id.get_create_plist()
        filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
        if not set(filters) <= set(FILTERS):
            raise CheckpointError(f"packs the numbers of {name} by the filters {filters}; only gzip can be read")
        self._spend(dataset.dtype, dataset.shape, name)

    def _attributes(self, item: Any) -> None:
        for name in item.attrs:
            self._objects += 1
            if self._objects > MAX_OBJECTS:
                raise CheckpointError(f"holds more than {MAX_OBJECTS} groups, datasets and attributes")
            attribute = item.attrs.get_id(name)
            self._spend(attribute.dtype, attribute.shape, shown(name))

    def _spend(self, dtype: Any, shape: tuple[int, ...] | None, name: str) -> None:
        """Numbers and text only, of a size that the file can hold."""
        text = self._h5py.check_string_dtype(dtype) is not None
        if not text and dtype.kind not in "biufS":
            raise CheckpointError(f"holds {name}, which is neither numbers nor text")
        self._left -= math.prod(shape or ()) * max(dtype.itemsize, 1)
        if self._left < 0:
            raise CheckpointError(f"declares more numbers than the file can hold (at {name})")
