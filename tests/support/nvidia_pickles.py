"""Reads NVIDIA's PyTorch pickles of StyleGAN2 in tests, without PyTorch and without running anything in them.

The pickles carry the Python source of the network (`module_src`); it is thrown away unread. Everything about
the network comes from what each module recorded when it was built, and a record that the oracle could not
draw is an error. Only what the goldens need; the package's reader must not share code with this one.
"""

import io
import pickle
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from support.torch_files import TENSOR_GLOBALS, InertUnpickler, StorageType

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001


@dataclass(frozen=True)
class Module:
    """A network module as recorded: its class by name, and its state. Nothing of it can be called."""

    class_name: str
    state: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """A recorded setting, for example `conv_clamp`."""
        return self.state[name]

    @property
    def modules(self) -> Mapping[str, "Module"]:
        """Its children by name."""
        modules: Mapping[str, Module] = self.state["_modules"]
        return modules

    def tensor(self, name: str) -> np.ndarray:
        """A parameter or a buffer, float64."""
        tensors = {**self.state["_parameters"], **self.state["_buffers"]}
        return np.asarray(tensors[name], np.float64)

    def has(self, name: str) -> bool:
        """Whether there is such a parameter or buffer."""
        return name in self.state["_parameters"] or name in self.state["_buffers"]


def read_g_ema(path: Path) -> Module:
    """The averaged generator of a pickle, as recorded."""
    with path.open("rb") as file:
        g_ema: Module = _NvidiaUnpickler(file).load()["G_ema"]
    return g_ema


def read_stylegan2(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Settings and canonical tensors of a StyleGAN2 generator.

    Returns:
        The keyword settings of `oracles.stylegan2.synthesis` (architecture, resample_filter, conv_clamp), and
        the tensors by canonical name, float32, all gains folded in.
    """
    generator = read_g_ema(path)
    synthesis = generator.modules["synthesis"].modules
    tensors = _mapping_tensors(generator.modules["mapping"])
    for name, block in synthesis.items():
        tensors |= {f"synthesis.{name}.{n}": a for n, a in _block_tensors(block).items()}

    layers = [layer for block in synthesis.values() for layer in block.modules.values()]
    styled = [layer for layer in layers if layer.class_name in ("SynthesisLayer", "ToRGBLayer")]
    # A layer that does not resample has recorded a filter too, of which it makes no use.
    resampling = [*synthesis.values(), *(layer for layer in layers if layer.state.get("up") == 2)]
    settings = {
        "architecture": _the_one("architecture", (block["architecture"] for block in synthesis.values())),
        "conv_clamp": _the_one("conv_clamp", (layer["conv_clamp"] for layer in styled)),
        "resample_filter": _the_one("resample_filter", (_taps(module) for module in resampling)),
    }
    return settings, {name: array.astype(np.float32) for name, array in tensors.items()}


# ------------------------------------------------------------------------------------ from records to tensors


def _mapping_tensors(mapping: Module) -> dict[str, np.ndarray]:
    tensors = {"mapping.w_avg": mapping.tensor("w_avg")}
    for name, layer in mapping.modules.items():
        _expect(layer, activation="linear" if name == "embed" else "lrelu")
        tensors |= {f"mapping.{name}.{n}": a for n, a in _dense_tensors(layer).items()}
    return tensors


def _dense_tensors(layer: Module, gain: float = 1.0) -> dict[str, np.ndarray]:
    return {
        "weight": layer.tensor("weight") * layer["weight_gain"] * gain,  # [out, in]
        "bias": layer.tensor("bias") * layer["bias_gain"] * gain,  # [out]
    }


def _block_tensors(block: Module) -> dict[str, np.ndarray]:
    tensors = {"const": block.tensor("const")} if block.has("const") else {}
    for name, layer in block.modules.items():
        if name == "skip":
            _expect(layer, activation="linear", up=2, down=1, padding=0, conv_clamp=None, bias=None, act_gain=1)
            part = {"weight": layer.tensor("weight") * layer["weight_gain"]}  # [O, I, 1, 1]
        else:
            part = _styled_tensors(name, layer)
        tensors |= {f"{name}.{n}": a for n, a in part.items()}
    return tensors


def _styled_tensors(name: str, layer: Module) -> dict[str, np.ndarray]:
    affine = layer.modules["affine"]
    _expect(affine, activation="linear")
    tensors = {"weight": layer.tensor("weight"), "bias": layer.tensor("bias")}
    style_gain = 1.0
    if name == "torgb":
        style_gain = layer["weight_gain"]
    else:
        _expect(layer, activation="lrelu", act_gain=np.sqrt(2), padding=1, up=2 if name == "conv0" else 1)
        if layer["use_noise"]:
            tensors |= {n: layer.tensor(n) for n in ("noise_const", "noise_strength")}
    return tensors | {f"affine.{n}": a for n, a in _dense_tensors(affine, style_gain).items()}


def _taps(module: Module) -> tuple[Any, ...]:
    # [H, W]; filters of 8 taps and more are kept as one axis.
    taps = module.tensor("resample_filter")
    return tuple(taps.tolist()) if taps.ndim == 1 else tuple(map(tuple, taps.tolist()))


def _expect(module: Module, **settings: Any) -> None:
    for name, expected in settings.items():
        if module[name] != expected:
            raise ValueError(f"{module.class_name} has {name} = {module[name]!r}; known here is {expected!r}")


def _the_one(what: str, values: Iterable[Any]) -> Any:
    found = set(values)
    if len(found) != 1:
        raise ValueError(f"the layers do not agree on {what}: {found}")
    return found.pop()


# ------------------------------------------------------------------------------------------------- unpickling


class _LegacyUnpickler(InertUnpickler):
    """For the small torch files inside; storages are filled in once the pickles are read."""

    def __init__(self, file: io.BytesIO, storages: dict[str, np.ndarray]) -> None:
        super().__init__(file)
        self._storages = storages

    def persistent_load(self, pid: tuple[Any, ...]) -> np.ndarray:
        kind, storage_type, key, _location, numel, view = pid
        if kind != "storage" or view is not None or not isinstance(storage_type, StorageType):
            raise ValueError(f"this is no plain storage: {pid!r}")
        return self._storages.setdefault(key, np.zeros(numel, storage_type.dtype))


def _load_storage(data: bytes) -> np.ndarray:
    """A storage from a legacy torch file: five pickles, then for each key a count and the raw numbers."""
    file = io.BytesIO(data)
    storages: dict[str, np.ndarray] = {}
    magic, protocol, _system, storage, keys = (_LegacyUnpickler(file, storages).load() for _ in range(5))
    if (magic, protocol) != (LEGACY_MAGIC, LEGACY_PROTOCOL):
        raise ValueError(f"this is no legacy torch file: magic {magic!r}, protocol {protocol!r}")
    for key in keys:
        (numel,) = struct.unpack("<q", file.read(8))
        target = storages[key]
        assert numel == target.size, (key, numel, target.size)
        target[:] = np.frombuffer(file.read(target.nbytes), target.dtype)
    assert not file.read(1), "bytes are left over"
    assert isinstance(storage, np.ndarray), storage
    return storage


class _NumpyDtype:
    """Stands for `numpy.dtype`: plain numbers only."""

    def __init__(self, code: str, *_: Any) -> None:
        if code not in ("f8", "f4", "i8", "i4", "b1"):
            raise ValueError(f"numpy dtype {code!r} is not known here")
        self.code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.code = str(state[1]) + self.code  # byte order


def _numpy_scalar(dtype: _NumpyDtype, data: bytes) -> Any:
    return np.frombuffer(data, dtype.code)[0].item()


class _NumpyArray(np.ndarray):
    """Stands for an array, whose own `__setstate__` fills it; only numbers, by `_NumpyDtype`."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        version, shape, dtype, fortran, data = state
        super().__setstate__((version, shape, np.dtype(dtype.code), fortran, data))


def _reconstruct(*_: Any) -> np.ndarray:
    return _NumpyArray(0)


def _encode(text: str, encoding: str) -> bytes:
    # How protocol 2 writes bytes.
    if encoding != "latin1":
        raise ValueError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")


class _EasyDict(dict[str, Any]):
    """Stands for `dnnlib.util.EasyDict`."""


class _NvidiaUnpickler(InertUnpickler):
    allowed = {  # noqa: RUF012
        **TENSOR_GLOBALS,
        "torch_utils.persistence._reconstruct_persistent_obj": lambda meta: Module(meta["class_name"], meta["state"]),
        "torch.storage._load_from_bytes": _load_storage,
        "dnnlib.util.EasyDict": _EasyDict,
        "numpy.dtype": _NumpyDtype,
        "numpy.ndarray": _NumpyArray,
        "numpy.core.multiarray._reconstruct": _reconstruct,
        "numpy._core.multiarray._reconstruct": _reconstruct,
        "numpy.core.multiarray.scalar": _numpy_scalar,
        "numpy._core.multiarray.scalar": _numpy_scalar,
        "builtins.set": set,
        "__builtin__.set": set,
        "_codecs.encode": _encode,
    }

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError(f"a persistent id is not expected here: {pid!r}")
