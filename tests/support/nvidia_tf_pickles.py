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


def canonical_stylegan(published: Arrays, fused_from: int) -> Arrays:
    """The published tensors under the package's names, to-RGB of every block, float32."""
    tensors = {}
    for name, array in published.items():
        parts = name.split("/")
        if parts[0] == "mapping":
            layer = parts[1].replace("Dense", "fc").replace("LabelConcat", "embed")
            tensors[f"mapping.{layer}.{parts[2]}"] = array.T
        elif name == "dlatent_avg":
            tensors["mapping.w_avg"] = array
        elif name.startswith("noise"):
            index = int(name.removeprefix("noise"))
            tensors[f"synthesis.b{4 << index // 2}.conv{index % 2}.noise_const"] = array[0, 0]
        elif name.startswith("ToRGB"):
            tensors[_to_rgb_name(name, published)] = _outputs_first(array)
        elif name == "4x4/Const/const":
            tensors["synthesis.b4.const"] = array[0]
        else:
            tensors |= _canonical_layer(parts, array, fused_from)
    return {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}


def canonical_progressive(published: Arrays) -> Arrays:
    """The published tensors under the package's names, to-RGB of every block, float32."""
    tensors = {}
    for name, array in published.items():
        if name.startswith("ToRGB"):
            tensors[_to_rgb_name(name, published)] = _outputs_first(array)
            continue
        size, layer, kind = name.split("/")
        to = f"synthesis.b{size.split('x')[0]}.conv{1 if layer in ('Conv', 'Conv1') else 0}.{kind}"
        if name == "4x4/Dense/weight":
            tensors[to] = array.T.reshape(-1, 4, 4, len(array)).transpose(0, 3, 1, 2)  # [C, z_dim, 4, 4]
        elif layer == "Conv0_up" and kind == "weight":
            tensors[to] = array.transpose(2, 3, 0, 1)[:, :, ::-1, ::-1]
        else:
            tensors[to] = _outputs_first(array)
    return {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}


def _canonical_layer(parts: list[str], array: np.ndarray, fused_from: int) -> Arrays:
    size, layer = int(parts[0].split("x")[0]), parts[1]
    to = f"synthesis.b{size}.conv{0 if layer in ('Const', 'Conv0_up') else 1}"
    if parts[2] == "Noise":
        return {f"{to}.noise_strength": array}
    if parts[2] == "StyleMod":
        scale, shift = np.split(array, 2, axis=-1)
        return {
            f"{to}.affine.{parts[3]}": scale.T + (parts[3] == "bias"),
            f"{to}.shift.{parts[3]}": shift.T,
        }
    turned = layer == "Conv0_up" and size >= fused_from and parts[2] == "weight"
    array = _outputs_first(array)
    return {f"{to}.{parts[2]}": array[:, :, ::-1, ::-1] if turned else array}


def _to_rgb_name(name: str, published: Arrays) -> str:
    levels = sum(n.startswith("ToRGB") and n.endswith("/weight") for n in published)
    level, kind = name.removeprefix("ToRGB_lod").split("/")
    return f"synthesis.b{4 << (levels - 1 - int(level))}.torgb.{kind}"


def _outputs_first(array: np.ndarray) -> np.ndarray:
    """A kernel [k, k, I, O] as [O, I, k, k]; a bias as it is."""
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


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
