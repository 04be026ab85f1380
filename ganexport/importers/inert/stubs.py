"""What a pickle is read into besides plain data: names, inert objects, tensors in their storages."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import CheckpointError, shown

__all__ = ["Array", "Audit", "Dtype", "Global", "NumpyArray", "Storage", "Stub", "Tensor", "checked_sizes", "shown"]

Array = NDArray[Any]

MAX_AXES = 32
MAX_EXPANDED = 1 << 20
"""A view may repeat its storage (stride 0) up to this many elements."""


@dataclass
class Audit:
    """What was met while reading: every global with how often, those refused, and what was left out."""

    globals: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)

    def ignore(self, what: str) -> None:
        """Note that something in the file is not used."""
        self.ignored[what] = self.ignored.get(what, 0) + 1


@dataclass(frozen=True)
class Global:
    """A name in a pickle; never what the name stands for."""

    name: str


@dataclass(eq=False)
class Stub:
    """An object of a known class as recorded; nothing of it can be called.

    Attributes:
        global_name: Its class in full.
        args: What it would have been made with.
        state: What it would have been given, mostly a dict of its attributes.
    """

    global_name: str
    args: tuple[Any, ...] = field(default=(), repr=False)
    state: Any = field(default=None, repr=False)

    @property
    def class_name(self) -> str:
        """The last part of the name."""
        return self.global_name.rpartition(".")[2]

    @property
    def attributes(self) -> dict[str, Any]:
        """The state, where it is a dict."""
        return self.state if isinstance(self.state, dict) else {}


@dataclass(eq=False)
class Dtype:
    """A NumPy type on its way through a pickle: a code such as `f4`, then a byte order."""

    code: str
    order: str = "="

    def numpy(self) -> np.dtype[Any]:
        """The type; plain numbers and booleans only."""
        dtype = np.dtype(self.code).newbyteorder("=" if self.order == "|" else self.order)  # type: ignore[arg-type]
        if dtype.kind not in "biuf" or dtype.itemsize > 8:
            raise CheckpointError(f"NumPy arrays of {shown(self.code)} are not numbers that a checkpoint needs")
        return dtype


@dataclass(eq=False)
class NumpyArray:
    """A NumPy array in a pickle; filled in when its state comes."""

    filled: Array | None = None

    def array(self) -> Array:
        """The array, a view of the file."""
        if self.filled is None:
            raise CheckpointError("a NumPy array in the pickle was never filled")
        return self.filled

    def fill(self, shape: Any, dtype: Any, data: Any, *, fortran: bool) -> None:
        """Take shape, type and bytes, which must agree."""
        sizes = checked_sizes(shape)
        if not isinstance(dtype, Dtype):
            raise CheckpointError("a NumPy array in the pickle has no type")
        if not isinstance(data, bytes | memoryview):
            raise CheckpointError("a NumPy array in the pickle holds objects, not numbers")
        numpy_type = dtype.numpy()
        if math.prod(sizes) * numpy_type.itemsize != len(data):
            raise CheckpointError(f"a NumPy array of {list(sizes)} {numpy_type} comes with {len(data)} bytes")
        self.filled = np.frombuffer(data, numpy_type).reshape(sizes, order="F" if fortran else "C")


@dataclass(eq=False)
class Storage:
    """A flat run of numbers in the file; several tensors may look into one.

    Attributes:
        kind: Its type: a NumPy type without byte order, or `bf16`.
        numel: How many numbers.
        data: Their bytes; None until a legacy file has come to them.
        big_endian: Whether the file says so.
    """

    kind: str
    numel: int
    data: memoryview | None = None
    big_endian: bool = False

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return 2 if self.kind == "bf16" else np.dtype(self.kind).itemsize

    def attach(self, data: memoryview) -> None:
        """Give it its bytes, which must be as many as it has declared."""
        if len(data) != self.numel * self.itemsize:
            raise CheckpointError(
                f"a tensor storage of {self.numel} numbers ({self.kind}) comes with {len(data)} bytes"
            )
        self.data = data

    def flat(self) -> Array:
        """All numbers as they lie, without a copy; bf16 as 16-bit integers."""
        if self.data is None:
            raise CheckpointError("the file names a tensor storage that it does not hold")
        dtype = np.dtype("u2" if self.kind == "bf16" else self.kind).newbyteorder(">" if self.big_endian else "<")
        return np.frombuffer(self.data, dtype)


@dataclass(eq=False)
class Tensor:
    """A view into a storage; offset, size and stride count elements, and were checked against the storage."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        self.size, self.stride = checked_sizes(self.size), checked_sizes(self.stride)
        if len(self.size) != len(self.stride) or type(self.offset) is not int or self.offset < 0:
            raise CheckpointError(f"a tensor of size {list(self.size)} has no fitting offset and stride")
        numel = math.prod(self.size)
        last = self.offset + sum((n - 1) * s for n, s in zip(self.size, self.stride, strict=True))
        if numel and last >= self.storage.numel:
            raise CheckpointError(
                f"a tensor of size {list(self.size)} reaches past its storage of {self.storage.numel} numbers"
            )
        if numel > max(self.storage.numel, MAX_EXPANDED):
            raise CheckpointError(f"a tensor of size {list(self.size)} in a storage of {self.storage.numel} numbers")

    def array(self) -> Array:
        """The numbers: a view of the file, or float32 made of bf16."""
        flat = self.storage.flat()
        if 0 in self.size:
            return np.zeros(self.size, np.float32 if self.storage.kind == "bf16" else flat.dtype)
        strides = [s * flat.itemsize for s in self.stride]
        view = np.lib.stride_tricks.as_strided(flat[self.offset :], self.size, strides, writeable=False)
        if self.storage.kind != "bf16":
            return view
        return np.asarray((view.astype(np.uint32) << 16).view(np.float32))


def checked_sizes(value: Any) -> tuple[int, ...]:
    """A shape or strides out of a file.

    Raises:
        CheckpointError: They are not a few whole numbers that memory could have.
    """
    sizes = tuple(value) if isinstance(value, tuple | list) else (value,)
    if len(sizes) > MAX_AXES or not all(type(n) is int and 0 <= n < 1 << 48 for n in sizes):
        raise CheckpointError("a tensor's size or stride is not a short list of whole numbers")
    return sizes
