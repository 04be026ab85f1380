"""Reads PyTorch's own files in tests, without PyTorch and without running anything that they name.

Only what the goldens need; the package's readers are elsewhere, and this one must not share code with them.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

# BFloat16 has no NumPy type and no golden here needs it.
STORAGE_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


def rebuild_tensor(
    storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> np.ndarray:
    """A tensor out of its flat storage; offset and strides count elements, and a view may use any of them."""
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 not in size and not 0 <= last < storage.size:
        raise ValueError(f"a tensor of size {size}, stride {stride} reaches past its {storage.size} elements")
    view = np.lib.stride_tricks.as_strided(storage[offset:], size, [s * storage.itemsize for s in stride])
    return view.copy()


class StorageType:
    """Stands for a class such as `torch.FloatStorage`: a name with a dtype."""

    def __init__(self, name: str) -> None:
        self.dtype = np.dtype(STORAGE_DTYPES[name])


class InertUnpickler(pickle.Unpickler):
    """An unpickler that knows the globals in `allowed` and the storage types, and refuses every other."""

    allowed: Mapping[str, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGE_DTYPES:
            return StorageType(name)
        if f"{module}.{name}" not in self.allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not on the list of known globals")
        return self.allowed[f"{module}.{name}"]


TENSOR_GLOBALS = {
    "collections.OrderedDict": OrderedDict,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
}


def read_torch_zip(path: Path) -> Any:
    """What `torch.save` was given, tensors as arrays. Storages lie in `NAME/data/KEY`."""
    with zipfile.ZipFile(path) as archive:
        (table,) = (n for n in archive.namelist() if n.endswith("/data.pkl"))
        folder = table.removesuffix("/data.pkl")
        if archive.read(f"{folder}/byteorder") != b"little":
            raise ValueError(f"{path} is not little-endian")

        def load_storage(pid: tuple[Any, ...]) -> np.ndarray:
            kind, storage_type, key, _location, numel = pid
            assert kind == "storage", pid
            storage = np.frombuffer(archive.read(f"{folder}/data/{key}"), storage_type.dtype)
            assert storage.size == numel, (key, storage.size, numel)
            return storage

        with archive.open(table) as file:
            return _ZipUnpickler(file, load_storage).load()


class _ZipUnpickler(InertUnpickler):
    allowed = TENSOR_GLOBALS

    def __init__(self, file: Any, load_storage: Callable[[tuple[Any, ...]], np.ndarray]) -> None:
        super().__init__(file)
        self._load_storage = load_storage

    def persistent_load(self, pid: tuple[Any, ...]) -> np.ndarray:
        return self._load_storage(pid)


def fold_dcgan(state: Mapping[str, np.ndarray], eps: float = 1e-5) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Settings and canonical tensors of a DCGAN from PyTorch's tutorial, from its state dict.

    Keys are `PREFIX{number}.{part}`; in the order of the numbers, a module with running statistics is the
    BatchNorm of the convolution before it. The first convolution has stride 1 and no padding, the others
    double the size.
    """
    modules: dict[int, dict[str, np.ndarray]] = {}
    for name, array in state.items():
        number, part_name = name.split(".")[-2:]
        modules.setdefault(int(number), {})[part_name] = array

    tensors: dict[str, np.ndarray] = {}
    layers = -1
    for _, part in sorted(modules.items()):
        if "running_mean" in part:
            gain = part["weight"] / np.sqrt(part["running_var"].astype(np.float64) + eps)  # [O]
            kernel, bias = tensors[f"layers.{layers}.weight"], tensors[f"layers.{layers}.bias"]
            tensors[f"layers.{layers}.weight"] = kernel * gain[:, np.newaxis, np.newaxis]  # [I, O, k, k]
            tensors[f"layers.{layers}.bias"] = (bias - part["running_mean"]) * gain + part["bias"]
        else:
            layers += 1
            tensors[f"layers.{layers}.weight"] = part["weight"].astype(np.float64)  # [I, O, k, k]
            tensors[f"layers.{layers}.bias"] = part.get("bias", np.zeros(part["weight"].shape[1]))
    steps = [(1, 0, "relu")] + [(2, 1, "relu")] * (layers - 1) + [(2, 1, "tanh")]
    return {"layers": tuple(steps)}, {n: a.astype(np.float32) for n, a in tensors.items()}
