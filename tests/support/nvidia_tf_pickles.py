"""Reads NVIDIA's TensorFlow pickles of StyleGAN and Progressive GAN in tests, without running anything in them.

Only what the goldens need; the package's reader must not share code with this one.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]

# What the goldens record; another setting may mean another arithmetic.
KNOWN_SETTINGS = {
    "num_channels", "resolution", "label_size", "fmap_base", "fmap_max", "latent_size", "dlatent_size", "fused_scale",
    "mapping_layers", "mapping_fmaps", "truncation_psi", "dlatent_broadcast",
}  # fmt: skip


class Network:
    """Stands for a network: what it recorded, nothing that could be called."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        unknown = state["static_kwargs"].keys() - KNOWN_SETTINGS
        if unknown:
            raise ValueError(f"{state['name']} has settings that are not known here: {unknown}")
        self.settings = dict(state["static_kwargs"])
        self.components: dict[str, Network] = dict(state.get("components", {}))
        self.variables: Arrays = {name: _array(value) for name, value in state["variables"]}


def read_stylegan(path: Path) -> Arrays:
    """Tensors as `oracles.stylegan` takes them: the published names, all gains multiplied in."""
    gs = _read_gs(path)
    tensors = {"dlatent_avg": gs.variables["dlatent_avg"]}
    for name, array in gs.components["mapping"].variables.items():
        tensors[f"mapping/{name}"] = array * _mapping_gain(name, array)
    for name, array in gs.components["synthesis"].variables.items():
        tensors[name] = array * _gain(name, int(np.prod(array.shape[:-1])))
    assert tensors.pop("lod") == 0
    return tensors


def read_progressive(path: Path) -> Arrays:
    """Tensors as `oracles.progressive` takes them: the published names, all gains multiplied in."""
    tensors = {}
    for name, array in _read_gs(path).variables.items():
        outputs_axis = 2 if name.endswith("Conv0_up/weight") else -1  # these are [k, k, O, I]
        tensors[name] = array * _gain(name, array.size // (array.shape[outputs_axis] if array.ndim else 1))
    assert tensors.pop("lod") == 0
    return tensors


def _gain(name: str, inputs: int) -> float:
    if not name.endswith("/weight") or "/Noise/" in name:
        return 1.0
    if name == "4x4/Dense/weight":
        return float(np.sqrt(2) / 4 / np.sqrt(inputs))
    gain = 1.0 if "/StyleMod/" in name or name.startswith("ToRGB") else np.sqrt(2)
    return float(gain / np.sqrt(inputs))


def _mapping_gain(name: str, array: np.ndarray) -> float:
    if name.startswith("LabelConcat"):
        return 1.0
    return float(0.01 * (np.sqrt(2) / np.sqrt(len(array)) if name.endswith("/weight") else 1.0))


# ------------------------------------------------------------------------------------------------- unpickling


def _read_gs(path: Path) -> Network:
    """The averaged generator of a (G, D, Gs) file."""
    with path.open("rb") as file:
        _, _, gs = _Unpickler(file, encoding="latin1").load()
    assert isinstance(gs, Network)
    return gs


class _Dtype:
    """Stands for `numpy.dtype`: float32 and int32 only."""

    def __init__(self, code: str, *_: Any) -> None:
        if code not in ("f4", "i4"):
            raise ValueError(f"numpy dtype {code!r} is not known here")
        self.code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.code = str(state[1]) + self.code  # byte order


class _Array:
    """Stands for an array that is being read."""

    value: np.ndarray

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        raw = data.encode("latin1") if isinstance(data, str) else data
        self.value = np.frombuffer(raw, dtype.code).reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: _Dtype, data: str | bytes) -> np.ndarray:
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, dtype.code)[0]


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.value if isinstance(value, _Array) else value, np.float64)


class _Unpickler(pickle.Unpickler):
    allowed = {  # noqa: RUF012
        "dnnlib.tflib.network.Network": Network,
        "tfutil.Network": Network,
        "numpy.dtype": _Dtype,
        "numpy.ndarray": _Array,
        "numpy.core.multiarray._reconstruct": lambda *_: _Array(),
        "numpy.core.multiarray.scalar": _scalar,
    }

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self.allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not on the list of known globals")
        return self.allowed[f"{module}.{name}"]
