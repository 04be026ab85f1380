"""What kind of file is it? Told from its content, never from its name; then read inertly into one `Container`."""

from __future__ import annotations

import json
import math
import mmap
import struct
import tokenize
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ganexport.errors import CheckpointError
from ganexport.importers.inert.stubs import Audit, NumpyArray, Storage, Tensor, checked_sizes, shown
from ganexport.importers.inert.torch_files import LEGACY_START, load_pickle, load_torch_legacy, load_torch_zip
from ganexport.importers.inert.unpickle import Budget
from ganexport.importers.inert.zip import Member, read_member, zip_members

__all__ = ["Container", "open_container", "safetensors_metadata"]

MAX_HEADER = 8 << 20
SMALLEST = 9

NOT_CHECKPOINTS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git-LFS pointer, not the file itself: fetch it with `git lfs pull`"),
    (b"<!doctype html", "a web page, not a checkpoint: the download gave a page instead of the file"),
    (b"<html", "a web page, not a checkpoint: the download gave a page instead of the file"),
    (b"<?xml", "an XML document, not a checkpoint: the download probably failed"),
    (b"\x1f\x8b", "gzip-compressed: unpack it first"),
    (b"BZh", "bzip2-compressed: unpack it first"),
    (b"\xfd7zXZ", "xz-compressed: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\x89HDF", "an HDF5 file of Keras: a graph, which `ganexport convert` reads, and no checkpoint"),
    (b"\x93NUMPY", "a single NumPy array, not a checkpoint"),
    (b"\x89PNG", "a picture, not a checkpoint"),
    (b"\xff\xd8\xff", "a picture, not a checkpoint"),
    (b"GIF8", "a picture, not a checkpoint"),
    (b"%PDF", "a PDF document, not a checkpoint"),
    (b"#!", "a script, not a checkpoint; it was not run"),
    (b"{", "JSON text, not a checkpoint"),
)

SAFETENSORS_KINDS = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BF16": "bf16",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


@dataclass(frozen=True)
class Container:
    """A file, read inertly.

    Attributes:
        kind: `torch zip`, `legacy torch`, `pickle`, `safetensors` or `npz`.
        root: What it holds: dicts, lists, numbers, `Stub` objects, tensors with an `array()`.
        audit: Names that it holds, and what was left out.
        path: Where it is, for sources that keep a part of what they say in a file beside it.
    """

    kind: str
    root: Any
    audit: Audit
    path: Path


def open_container(path: Path, audit: Audit | None = None, *, lenient: bool = False) -> Container:
    """Read a file of any known kind; nothing in it is executed.

    Args:
        path: The file.
        audit: Where to note what is met; a new one without it.
        lenient: Note names that are not known instead of refusing them (for an audit; never to import from).

    Raises:
        CheckpointError: No checkpoint, cut short, or holding what no checkpoint needs; one line that begins with path.
    """
    audit = Audit() if audit is None else audit
    try:
        kind, root = _read(_mapped(path), audit, lenient=lenient)
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}" if _continues(str(error)) else f"{path}: {error}") from None
    return Container(kind, root, audit, path)


def safetensors_metadata(path: Path) -> dict[str, Any] | None:
    """The strings in the header of a safetensors file; None if it is no such file.

    Raises:
        CheckpointError: The header is damaged.
    """
    try:
        data = _mapped(path)
        if not _is_safetensors(data):
            return None
        length = min(int.from_bytes(data[:8], "little"), MAX_HEADER)
        if b'"__metadata__"' not in bytes(data[8 : 8 + length]):
            return {}  # whoever reads the tensors will parse the header, once
        metadata = _header(data)[0].get("__metadata__", {})
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}") from None
    return metadata if isinstance(metadata, dict) else {}


def _is_safetensors(data: memoryview) -> bool:
    """A length, then JSON; one that is cut short is told too, to say so."""
    return data[8] == ord("{") and int.from_bytes(data[:8], "little") < 1 << 32


def _continues(message: str) -> bool:
    """Whether a message is a predicate of the path, such as `is empty`."""
    return message.startswith(("is ", "does ", "cannot ", "holds "))


def _mapped(path: Path) -> memoryview:
    """The file's bytes, read as they are needed."""
    try:
        if not path.is_file():
            raise CheckpointError("is no file" if path.exists() else "does not exist")
        with path.open("rb") as file:
            size = path.stat().st_size
            if size < SMALLEST:
                raise CheckpointError(f"is {size} bytes long: not a complete safetensors file, nor any checkpoint")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot be read: {error}") from None


def _read(data: memoryview, audit: Audit, *, lenient: bool) -> tuple[str, Any]:
    head = bytes(data[:512])
    budget = Budget(copied=2 * len(data) + 4096, numbers=max(Budget.numbers, 2 * len(data)))
    if _is_safetensors(data):
        return "safetensors", _safetensors(data)
    if head.startswith(b"PK\x03\x04"):
        return _zip(data, audit, budget, lenient=lenient)
    if head.startswith(LEGACY_START):
        return "legacy torch", load_torch_legacy(data, audit, budget, lenient=lenient)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, what in NOT_CHECKPOINTS:
        if head.startswith(start) or text.startswith(start):
            raise CheckpointError(f"is {what}")
    if head[257:262] == b"ustar":
        raise CheckpointError("is a tar archive: unpack it first")
    if head[:1] == b"\x80" or (head[:1] in b"(c]}l" and data[-1] in b".\n"):
        return "pickle", load_pickle(data, audit, budget, lenient=lenient)
    raise CheckpointError(
        "is of no known kind; known are PyTorch files (.pt, .pth), NVIDIA pickles (.pkl), .safetensors and .npz"
    )


def _zip(data: memoryview, audit: Audit, budget: Budget, *, lenient: bool) -> tuple[str, Any]:
    members = zip_members(data)
    tables = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in members):
        raise CheckpointError("is a TorchScript archive, which is a program; save a plain state_dict instead")
    if len(tables) == 1:
        return "torch zip", load_torch_zip(data, members, tables[0], audit, budget, lenient=lenient)
    if members and all(name.endswith(".npy") for name in members):
        return "npz", {name.removesuffix(".npy"): _npy(data, member) for name, member in members.items()}
    if "model.weights.h5" in members or "config.json" in members:
        raise CheckpointError("is a Keras archive: a graph, which `ganexport convert` reads, and no checkpoint")
    raise CheckpointError(f"is a zip archive with no checkpoint in it ({len(members)} members); unpack it first")


def _npy(data: memoryview, member: Member) -> NumpyArray:
    """An array of an `.npz`: plain numbers, no objects."""
    raw = read_member(data, member)
    try:
        if bytes(raw[:6]) != b"\x93NUMPY" or raw[6] not in (1, 2, 3):
            raise ValueError("no .npy")
        long = raw[6] > 1
        (length,) = struct.unpack_from("<I" if long else "<H", raw, 8)
        start = (12 if long else 10) + length
        if length > 10_000 or start > len(raw):
            raise ValueError("no header")
        header = np.lib.format.read_array_header_1_0 if not long else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings(action="ignore"):  # NumPy's, where Python 2 wrote the file
            shape, fortran, dtype = header(BytesIO(bytes(raw[8:start])))
    except (ValueError, TypeError, SyntaxError, IndexError, struct.error, MemoryError, RecursionError):
        raise CheckpointError(f"holds {shown(member.name)}, which is no NumPy array of numbers") from None
    except tokenize.TokenError:
        raise CheckpointError(f"holds {shown(member.name)}, which is no NumPy array of numbers") from None
    shape = checked_sizes(shape)
    if dtype.kind not in "biuf" or math.prod(shape) * dtype.itemsize != len(raw) - start:
        raise CheckpointError(f"holds {shown(member.name)}, which is cut short or holds other things than numbers")
    return NumpyArray(np.frombuffer(raw[start:], dtype).reshape(shape, order="F" if fortran else "C"))


def _safetensors(data: memoryview) -> dict[str, Tensor]:
    header, body = _header(data)
    try:
        tensors = {name: _tensor(entry, body) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError):
        raise CheckpointError("is not a complete safetensors file") from None
    if sum(tensor.storage.numel * tensor.storage.itemsize for tensor in tensors.values()) > len(body):
        raise CheckpointError("is a safetensors file whose tensors overlap")
    return tensors


def _header(data: memoryview) -> tuple[dict[str, Any], memoryview]:
    """The header, and the bytes of the tensors."""
    length = int.from_bytes(data[:8], "little")
    if length > min(MAX_HEADER, len(data) - 8):
        raise CheckpointError(f"is not a complete safetensors file: its header has {length} bytes")
    try:
        header = json.loads(bytes(data[8 : 8 + length]), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise CheckpointError("is not a complete safetensors file: its header is no JSON") from None
    assert isinstance(header, dict)
    return header, data[8 + length :]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise CheckpointError("is a safetensors file that names a tensor twice")
    return made


def _tensor(entry: dict[str, Any], body: memoryview) -> Tensor:
    start, end = entry["data_offsets"]
    if entry["dtype"] not in SAFETENSORS_KINDS or not 0 <= start <= end <= len(body):
        raise CheckpointError("is a safetensors file that is cut short or of an unknown number type")
    size = checked_sizes(tuple(entry["shape"]))
    stride = [1] * len(size)
    for axis in range(len(size) - 2, -1, -1):
        stride[axis] = stride[axis + 1] * size[axis + 1]
    numel = math.prod(size)
    storage = Storage(SAFETENSORS_KINDS[entry["dtype"]], numel)
    storage.attach(body[start:end])
    return Tensor(storage, 0, size, tuple(stride))
