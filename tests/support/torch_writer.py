"""Writes PyTorch's files, zip and legacy, without PyTorch: names are written that stand for nothing here."""

import io
import pickle  # writes what the reader under test must read without it
import struct
import sys
import types
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"f8": "Double", "f4": "Float", "f2": "Half", "i8": "Long", "i4": "Int", "i2": "Short", "u1": "Byte"}


@dataclass(frozen=True)
class Named:
    """A global of this name; it pickles as one although nothing of that name exists."""

    module: str
    name: str

    def __call__(self) -> None:
        raise AssertionError("only a name")


@dataclass(frozen=True)
class Call:
    """What a pickle makes by calling a global."""

    callee: Named
    args: tuple[Any, ...]


@dataclass(frozen=True)
class Object:
    """An object of a class of this name, with a state."""

    cls: Named
    state: Any


@dataclass(frozen=True)
class StorageId:
    """A persistent id."""

    pid: tuple[Any, ...]

    @staticmethod
    def dump(kind: Named, key: str, numel: int, file: Any) -> None:
        """Pickle a storage alone."""
        Pickler(file, 2).dump(StorageId(("storage", kind, key, "cpu", numel, None)))


def call(module: str, name: str, args: tuple[Any, ...]) -> Call:
    return Call(Named(module, name), args)


def rebuild_call(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...] | None = None) -> Call:
    """A tensor in a storage; contiguous without strides."""
    if stride is None:
        stride = tuple(int(np.prod(size[i + 1 :], dtype=int)) for i in range(len(size)))
    return call("torch._utils", "_rebuild_tensor_v2", (storage, offset, tuple(size), stride, False, {}))


class Pickler(pickle._Pickler):  # type: ignore[name-defined]  # the one in Python can be taught
    """Writes the stand-ins above as what they stand for."""

    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if isinstance(obj, StorageId) else None

    def _named(self, obj: Named) -> None:
        if self.proto >= 4:
            self.save(obj.module)
            self.save(obj.name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())

    def _call(self, obj: Call) -> None:
        self.save(obj.callee)
        self.save(obj.args)
        self.write(pickle.REDUCE)
        self.memoize(obj)

    def _object(self, obj: Object) -> None:
        self.save(obj.cls)
        self.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
        self.memoize(obj)
        self.save(obj.state)
        self.write(pickle.BUILD)

    dispatch[Named] = _named
    dispatch[Call] = _call
    dispatch[Object] = _object


def dumps(root: Any, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    Pickler(file, protocol).dump(root)
    return file.getvalue()


class Saved:
    """Collects the storages of a torch file while its tree is put together."""

    def __init__(self, order: str = "<") -> None:
        self.order, self.data, self.numel = order, {}, {}  # type: ignore[var-annotated]

    def storage(self, array: np.ndarray, kind: str | None = None) -> StorageId:
        key = str(len(self.data))
        flat = np.asarray(array).reshape(-1)
        name = kind or f"{STORAGES[flat.dtype.str[1:]]}Storage"
        self.data[key] = flat.astype(flat.dtype.newbyteorder(self.order)).tobytes()
        self.numel[key] = flat.size
        return StorageId(("storage", Named("torch", name), key, "cuda:0", flat.size))

    def tensor(self, array: np.ndarray) -> Call:
        return rebuild_call(self.storage(array), 0, np.shape(array))

    def state_dict(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Call]:
        return {name: self.tensor(array) for name, array in arrays.items()}

    def zip_file(self, root: Any, *, protocol: int = 2, extra: Mapping[str, bytes] | None = None) -> bytes:
        members = {"data.pkl": dumps(root, protocol), "byteorder": b"little" if self.order == "<" else b"big"}
        members |= {f"data/{key}": data for key, data in self.data.items()} | dict(extra or {})
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in members.items():
                archive.writestr(name if name.startswith("/") or ".." in name else f"archive/{name}", data)
        return file.getvalue()

    def legacy_file(self, root: Any) -> bytes:
        file = io.BytesIO()
        little = self.order == "<"
        for value in (LEGACY_MAGIC, 1001, {"protocol_version": 1001, "little_endian": little}):
            file.write(pickle.dumps(value, 2))
        pids = _with_view(root)
        file.write(dumps(pids) + pickle.dumps(list(self.data), 2))
        for key, data in self.data.items():
            file.write(struct.pack(f"{self.order}q", self.numel[key]) + data)
        return file.getvalue()


def _with_view(value: Any) -> Any:
    """The tree with the sixth part that legacy persistent ids have."""
    if isinstance(value, StorageId):
        return StorageId((*value.pid, None))
    if isinstance(value, Call):
        return Call(value.callee, tuple(_with_view(arg) for arg in value.args))
    if isinstance(value, dict):
        return {key: _with_view(inner) for key, inner in value.items()}
    return value


def torch_was_not_needed() -> bool:
    """Whether no module of that name was ever loaded."""
    return not isinstance(sys.modules.get("torch"), types.ModuleType)
