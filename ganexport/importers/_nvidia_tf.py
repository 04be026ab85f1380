"""What NVIDIA's TensorFlow pickles record of a network, read so that nothing in a record is passed over unnoticed.

A recorded network has a build function (by name; its source is carried along and stays unread), settings, variables,
and since StyleGAN sub-networks with their own. Each setting and each variable is taken once; what is left is an error.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import CheckpointError, OptionError, WeightsError
from ganexport.importers._trees import float64
from ganexport.importers.inert.stubs import NumpyArray, Stub, shown
from ganexport.weights import Tensors

__all__ = [
    "NETWORKS",
    "Arrays",
    "Level",
    "Record",
    "Settings",
    "Variables",
    "float32",
    "grown_to_rgb",
    "he_gain",
    "scaled_kernel",
]

NETWORKS = frozenset({"dnnlib.tflib.network.Network", "tfutil.Network"})
VERSIONS = range(2, 6)
"""2: Progressive GAN, 3: StyleGAN, 4: StyleGAN2, 5: StyleGAN2-ADA. They differ in what is recorded, not in how."""
MAX_BLOCKS = 11
MAX_CLASSES = 65536

IDLE = frozenset(
    {
        # Widths, which the variables tell.
        *("fmap_base", "fmap_decay", "fmap_min", "fmap_max", "fmap_const"),
        # Only training is different.
        *("style_mixing_prob", "dlatent_avg_beta", "w_avg_beta", "truncation_psi_val", "truncation_cutoff_val"),
        # Other ways to compute or to present the same picture; noise is stored or drawn as the exporter is told.
        *("randomize_noise", "num_fp16_res", "fused_modconv", "is_template_graph", "force_clean_graph"),
        "return_dlatents",
    }
)
"""Settings that change nothing in the picture of a trained network."""

Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Record:
    """A network as recorded.

    Attributes:
        function: Name of the function that built it.
        settings: What that was called with.
        variables: Its own variables by name: arrays or numbers.
        components: Its sub-networks.
    """

    function: str
    settings: dict[str, Any]
    variables: dict[str, NumpyArray | float]
    components: dict[str, Any]

    @classmethod
    def of(cls, stub: Stub) -> Record:
        """Read a record.

        Raises:
            CheckpointError: It is none.
        """
        state = stub.attributes
        version, function = state.get("version"), state.get("build_func_name")
        settings, components = state.get("static_kwargs"), state.get("components", {})
        if type(version) is not int or version not in VERSIONS:
            raise CheckpointError(
                f"a TensorFlow network has version {_told(version)}; known are {VERSIONS[0]} to {VERSIONS[-1]}"
            )
        if not isinstance(function, str):
            raise CheckpointError("a TensorFlow network has no record of the function that built it")
        variables = _variables(state.get("variables"))
        return cls(function, _by_name("settings", settings), variables, _by_name("components", components))

    def parts(self, **functions: tuple[str, ...]) -> list[Record]:
        """Its components, which must be these, each built by one of the functions.

        Raises:
            CheckpointError: Others are there.
        """
        if self.components.keys() != functions.keys():
            found = ", ".join(map(shown, list(self.components)[:8])) or "none"
            raise CheckpointError(
                f"{self.function} has the components {found}; known: {', '.join(functions) or 'none'}"
            )
        records = []
        for name, known in functions.items():
            stub = self.components[name]
            if not isinstance(stub, Stub) or stub.global_name not in NETWORKS:
                raise CheckpointError(f"the component {name} of {self.function} is no network")
            record = Record.of(stub)
            if record.function not in known:
                raise CheckpointError(
                    f"the component {name} was built by {shown(record.function)}; known: {', '.join(known)}"
                )
            records.append(record)
        return records


class Settings:
    """The settings of a network and its components, each taken once."""

    def __init__(self, *records: Record) -> None:
        self._left: dict[str, Any] = {}
        for record in records:
            for name, value in record.settings.items():
                if name in self._left and not _same(self._left[name], value):
                    raise CheckpointError(
                        f"the network and its components do not agree on {shown(name)}: "
                        f"{_told(self._left[name])} and {_told(value)}"
                    )
                self._left[name] = value

    def one_of(self, name: str, default: Any, *others: Any) -> Any:
        """A setting that can be drawn in these forms only; the first is what it is where nothing is recorded."""
        value = self._left.pop(name, default)
        for choice in (default, *others):
            if _same(value, choice):
                return choice
        drawable = ", ".join(repr(choice) for choice in (default, *others))
        raise CheckpointError(f"the network has {name} = {_told(value)}; here, only {drawable} can be drawn")

    def number(self, name: str, default: float | None) -> float | None:
        """A setting that is any positive number, or None where that is the default."""
        value = self._left.pop(name, default)
        if value is None and default is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise CheckpointError(f"the network has {name} = {_told(value)}, which is no positive number")
        return float(value)

    def taps(self, name: str, default: list[float], none: list[float]) -> NDArray[np.float64]:
        """A setting that is a filter; `none` stands for None."""
        value = self._left.pop(name, default)
        value = none if value is None else value.array() if isinstance(value, NumpyArray) else value
        try:
            taps = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            taps = np.zeros(())
        if taps.ndim not in (1, 2):
            raise CheckpointError(f"the network has {name} = {_told(value)}, which is no list of filter taps")
        return taps

    def size(self, name: str, found: int | None) -> None:
        """A size that the variables tell: the record must say the same, or nothing. None: it has no meaning here."""
        value = self._left.pop(name, None)
        if value is None or found is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or value != found:
            raise CheckpointError(f"the network has {name} = {_told(value)}, but its variables are for {found}")

    def classes(self) -> int:
        """The number of classes, where no variable tells it."""
        value = self._left.pop("label_size", 0) or 0
        if type(value) is not int or not 0 <= value <= MAX_CLASSES:
            raise CheckpointError(f"the network has label_size = {_told(value)}, which is no number of classes")
        return value

    def truncation(self) -> list[str]:
        """A note on the truncation that the file would use where none is asked for."""
        said = [f"{n} {_told(self._left[n])}" for n in ("truncation_psi", "truncation_cutoff") if n in self._left]
        self.ignore("truncation_psi", "truncation_cutoff")
        return [f"the file's own default is {', '.join(said)}"] if said else []

    def ignore(self, *names: str) -> None:
        """Settings that change nothing in this network's picture."""
        for name in names:
            self._left.pop(name, None)

    def check_nothing_is_left(self) -> None:
        """Every setting must be known.

        Raises:
            CheckpointError: Names those that are not.
        """
        self.ignore(*IDLE)
        if self._left:
            left = ", ".join(f"{shown(name)} = {_told(value)}" for name, value in list(self._left.items())[:8])
            raise CheckpointError(f"the network has settings that are not known here and may change it: {left}")


class Variables:
    """Variables of a network and, under `name/`, of its components, each taken once."""

    def __init__(self, network: Record, **components: Record) -> None:
        self._left = dict(network.variables)
        for prefix, component in components.items():
            own = {f"{prefix}/{name}": value for name, value in component.variables.items()}
            if self._left.keys() & own.keys():
                raise CheckpointError(f"the network has variables of its {prefix} twice")
            self._left |= own

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, axes: int) -> NDArray[np.float64]:
        """A variable with so many axes, none of them empty.

        Raises:
            WeightsError: It is not there or has others.
        """
        if name not in self._left:
            raise WeightsError(f"the network has no variable {name}")
        value = self._left.pop(name)
        array = float64(value) if isinstance(value, NumpyArray) else np.asarray(value, np.float64)
        if array.ndim != axes or 0 in array.shape:
            raise WeightsError(f"the variable {name} is {list(array.shape)}, expected {axes} axes")
        return array

    def lod(self, *names: str) -> float:
        """The level of detail: the first of these variables that is there, 0 without any; the others repeat it."""
        found = [float(self.take(name, 0)) for name in names if name in self]
        return found[0] if found else 0.0

    def blocks(self, prefix: str = "") -> list[int]:
        """Sizes of the blocks that the network has: 4, 8, …"""
        sizes = [4 << i for i in range(MAX_BLOCKS)]
        there = {name.removeprefix(prefix).partition("/")[0] for name in self._left if name.startswith(prefix)}
        count = next((i for i, size in enumerate(sizes) if f"{size}x{size}" not in there), MAX_BLOCKS)
        if not count:
            raise WeightsError("the network has no variables of a block 4x4")
        return sizes[:count]

    def check_nothing_is_left(self) -> None:
        """Every variable must have been used.

        Raises:
            WeightsError: Names those that were not.
        """
        if self._left:
            left = ", ".join(shown(name) for name in list(self._left)[:8])
            raise WeightsError(f"the network has {len(self._left)} variables that are not known: {left}")


@dataclass(frozen=True)
class Level:
    """How far a progressively grown network is drawn.

    Attributes:
        resolution: Of the picture.
        blocks: How many take part.
        lod: As in `GrownSpec`.
    """

    resolution: int
    blocks: int
    lod: float

    @classmethod
    def of(cls, blocks: list[int], lod: float, wanted: int | None, *, grown: bool = True) -> Level:
        """The level of a network with these blocks that stands at `lod`, drawn at the wanted resolution.

        Raises:
            CheckpointError: There is no such level of detail.
            OptionError: No block that gives RGB has the wanted resolution.
        """
        lod = lod if grown else 0.0
        if not 0.0 <= lod <= len(blocks) - 1:
            raise CheckpointError(
                f"the network stands at lod {lod:g}; {len(blocks)} blocks have 0 to {len(blocks) - 1}"
            )
        resolution = blocks[-1] if wanted is None else wanted
        sizes = blocks if grown else blocks[-1:]
        if resolution not in sizes:
            raise OptionError(f"the network cannot be drawn at {wanted}²; choose from: {', '.join(map(str, sizes))}")
        kept = blocks.index(resolution) + 1
        lod = max(0.0, lod - (len(blocks) - kept))
        return cls(resolution, kept - int(lod), lod)

    @staticmethod
    def keep(weights: Tensors, shapes: Collection[str]) -> Tensors:
        """Those tensors that are drawn. The others are to-RGB and blocks that this level does not see."""
        return {name: weights[name] for name in shapes if name in weights}


def scaled_kernel(variables: Variables, name: str, *, gain: float = math.sqrt(2), wscale: bool) -> NDArray[np.float64]:
    """The kernel `name/weight` [k, k, I, O] -> [O, I, k, k] with its gain."""
    kernel = variables.take(f"{name}/weight", 4).transpose(3, 2, 0, 1)
    return kernel * he_gain(gain, kernel[0].size, wscale=wscale)


def grown_to_rgb(variables: Variables, blocks: list[int], prefix: str = "", *, wscale: bool, grown: bool) -> Arrays:
    """To-RGB of every block, or of the last one where nothing was grown; level 0 is the last."""
    tensors = {}
    for level, size in enumerate(reversed(blocks if grown else blocks[-1:])):
        source, to = f"{prefix}ToRGB_lod{level}", f"synthesis.b{size}.torgb"
        tensors[f"{to}.weight"] = scaled_kernel(variables, source, gain=1.0, wscale=wscale)
        tensors[f"{to}.bias"] = variables.take(f"{source}/bias", 1)
    return tensors


def he_gain(gain: float, inputs: int, *, wscale: bool = True) -> float:
    """What a stored weight is multiplied by where the learning rate is equalized."""
    return gain / math.sqrt(inputs) if wscale else 1.0


def float32(arrays: Mapping[str, NDArray[np.float64]]) -> Tensors:
    """As canonical tensors are kept; what float32 cannot hold becomes infinite, and is refused as such."""
    with np.errstate(over="ignore"):
        return {name: np.require(array, np.float32, "C") for name, array in arrays.items()}


def _by_name(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise CheckpointError(f"a TensorFlow network has no record of its {what}")
    return value


def _variables(pairs: Any) -> dict[str, NumpyArray | float]:
    found: dict[str, NumpyArray | float] = {}
    for pair in pairs if isinstance(pairs, list | tuple) else (None,):
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise CheckpointError("a TensorFlow network has no list of variables with their names")
        name, value = pair
        if name in found or isinstance(value, bool) or not isinstance(value, NumpyArray | int | float):
            raise CheckpointError(f"the variable {shown(name)} is there twice, or is no array of numbers")
        found[name] = value
    return found


def _same(a: Any, b: Any) -> bool:
    """Equality of plain values and arrays; a list equals a tuple."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, NumpyArray) and isinstance(b, NumpyArray):
        return np.array_equal(a.array(), b.array())
    return a is b or (isinstance(a, bool | int | float | str) and isinstance(b, bool | int | float | str) and a == b)


def _told(value: Any) -> str:
    """A value out of a file as it may be printed."""
    if isinstance(value, list | tuple) and len(value) <= 8:
        return f"[{', '.join(map(_told, value))}]"
    return shown(repr(value)) if value is None or isinstance(value, bool | int | float | str) else type(value).__name__
