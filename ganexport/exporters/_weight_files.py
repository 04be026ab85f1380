"""Weights beside ONNX graphs: files of a size that web servers and caches take, shared by the graphs of a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from onnx import TensorProto

from ganexport.ops.onnx_ops import fill

__all__ = ["SHARD_BYTES", "WeightFiles"]

SHARD_BYTES = 20_000_000
"""Most bytes of one file; only a tensor that is larger has a longer one, which it does not share."""

PAGE = 4096
"""Offsets are multiples of it, so that runtimes can map the files; a smaller tensor stays in the graph."""


@dataclass(frozen=True)
class _Place:
    file: str
    offset: int


class WeightFiles:
    """Writes the tensors of graphs that are too large to hold them; equal bytes lie there once.

    Attributes:
        used: Names of the files that the graph of the moment needs, in order.
    """

    def __init__(self, folder: Path, stem: str = "weights") -> None:
        self._folder, self._stem = folder, stem
        self._places: dict[bytes, _Place] = {}
        self._count, self._end = 0, SHARD_BYTES
        self.used: list[str] = []

    def next_graph(self, weight_bytes: int) -> Callable[[TensorProto, NDArray[Any]], None]:
        """What fills the tensors of another graph; what only this one needs lies in files of its own."""
        self._end = SHARD_BYTES
        self.used = []
        return self.fill if weight_bytes > SHARD_BYTES else fill

    def fill(self, tensor: TensorProto, array: NDArray[Any]) -> None:
        """Put numbers into a file, or where they are few into the tensor itself."""
        if array.nbytes < PAGE:
            fill(tensor, array)
            return
        data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        digest = hashlib.sha256(data).digest()
        place = self._places.get(digest)
        if place is None:
            place = self._places[digest] = self._write(data)
        if place.file not in self.used:
            self.used.append(place.file)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", place.file), ("offset", place.offset), ("length", len(data))):
            tensor.external_data.add(key=key, value=str(value))

    def _write(self, data: bytes) -> _Place:
        offset = -(-self._end // PAGE) * PAGE
        if offset + len(data) > SHARD_BYTES:
            self._count, offset = self._count + 1, 0
        name = f"{self._stem}{self._count}.bin"
        with (self._folder / name).open("ab") as file:
            file.truncate(offset)  # with zeros up to the page
            file.write(data)
        self._end = offset + len(data)
        return _Place(name, offset)
