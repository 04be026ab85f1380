"""What the readers of NVIDIA's PyTorch pickles share: recorded modules, their settings, and every tensor used once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import CheckpointError, WeightsError
from ganexport.importers._trees import Leaf, children, float64, own_tensors
from ganexport.importers.inert.stubs import NumpyArray, Stub, shown
from ganexport.weights import Tensors

__all__ = ["Arrays", "Records", "expect", "float32", "setting", "square", "the_one"]

Arrays = dict[str, NDArray[np.float64]]


class Records:
    """A generator as recorded; knows which of its tensors have been used.

    Attributes:
        generator: The module itself.
        mapping: Its mapping network.
        synthesis: The modules of its synthesis network, by name.
        synthesis_network: The synthesis network itself.
    """

    def __init__(self, generator: Stub) -> None:
        self.generator = generator
        self._unused: dict[int, str] = {}
        self._list(generator, "G", 0)
        parts = children(generator)
        if sorted(parts) != ["mapping", "synthesis"]:
            raise CheckpointError(f"the generator has modules {sorted(map(shown, parts))}, not mapping and synthesis")
        self.mapping, self.synthesis_network = parts["mapping"], parts["synthesis"]
        self.synthesis = children(self.synthesis_network)

    def take(self, module: Stub, name: str) -> NDArray[np.float64]:
        """A tensor of a module."""
        leaf: Leaf | None = own_tensors(module).get(name)
        if leaf is None:
            raise WeightsError(f"{module.class_name} has no tensor {name}")
        self._unused.pop(id(leaf), None)
        return float64(leaf)

    def dense(self, layer: Stub, gain: float = 1.0) -> Arrays:
        """`weight` [out, in] and `bias` [out] of a dense layer, with its gains."""
        return {
            "weight": self.take(layer, "weight") * (setting(layer, "weight_gain") * gain),
            "bias": self.take(layer, "bias") * (setting(layer, "bias_gain") * gain),
        }

    def affine(self, layer: Stub, gain: float = 1.0) -> Arrays:
        """`affine.weight` [I, w_dim] and `affine.bias` [I] of a styled layer."""
        affine = children(layer).get("affine")
        if affine is None:
            raise CheckpointError(f"{layer.class_name} has no affine layer")
        expect(affine, activation="linear")
        return {f"affine.{key}": array for key, array in self.dense(affine, gain).items()}

    def mapping_tensors(self) -> Arrays:
        """The mapping network."""
        tensors = {"w_avg": self.take(self.mapping, "w_avg")}
        for name, layer in children(self.mapping).items():
            expect(layer, activation="linear" if name == "embed" else "lrelu")
            tensors |= {f"{name}.{key}": array for key, array in self.dense(layer).items()}
        return tensors

    def dimensions(self, weights: Tensors) -> dict[str, Any]:
        """What the spec of every family has, out of the records and the mapping's canonical tensors."""
        return {
            **{key: setting(self.generator, key) for key in ("z_dim", "c_dim", "w_dim", "num_ws")},
            "resolution": setting(self.generator, "img_resolution"),
            "image_channels": setting(self.generator, "img_channels"),
            "mapping_layers": setting(self.mapping, "num_layers"),
            "mapping_width": len(weights["mapping.fc0.bias"]),
            "embed_dim": len(weights.get("mapping.embed.bias", ())),
        }

    def check_nothing_is_left(self) -> None:
        """Every tensor of the generator must have been used.

        Raises:
            WeightsError: Names those that were not.
        """
        if self._unused:
            raise WeightsError("the generator has tensors that are not known: " + ", ".join(self._unused.values()))

    def _list(self, module: Stub, path: str, depth: int) -> None:
        if depth > 8:
            raise CheckpointError("the generator's modules are nested too deeply")
        self._unused |= {id(leaf): f"{path}.{shown(name)}" for name, leaf in own_tensors(module).items()}
        for name, child in children(module).items():
            self._list(child, f"{path}.{shown(name)}", depth + 1)


def float32(prefix: str, arrays: Arrays) -> Tensors:
    """Canonical tensors out of those of a part."""
    return {f"{prefix}.{name}": np.asarray(array, np.float32) for name, array in arrays.items()}


def setting(module: Stub, name: str) -> Any:
    """A recorded setting; numbers and text only."""
    value = module.attributes.get(name, setting)
    if value is not None and not isinstance(value, bool | int | float | str):
        raise CheckpointError(f"{module.class_name} has no record of {name}")
    return value


def square(module: Stub, name: str, length: int = 2) -> tuple[int, ...]:
    """A recorded list of whole numbers, the first half for the width and the second for the height: that half."""
    value = module.attributes.get(name)
    numbers = value.array().tolist() if isinstance(value, NumpyArray) else value
    if not isinstance(numbers, list | tuple) or len(numbers) != length or any(type(n) is not int for n in numbers):
        raise CheckpointError(f"{module.class_name} has no record of {name} as {length} whole numbers")
    half = length // 2
    if numbers[:half] != numbers[half:]:
        raise CheckpointError(f"{module.class_name} has {name} {numbers}; only what is square can be drawn")
    return tuple(numbers[:half])


def expect(module: Stub, **settings: Any) -> None:
    """Refuse a module that has recorded something else."""
    for name, expected in settings.items():
        found = setting(module, name)
        if found != expected:
            raise CheckpointError(f"{module.class_name} has {name} {found!r}, only {expected!r} can be drawn")


def the_one(what: str, values: Iterable[Any]) -> Any:
    """The value on which all agree."""
    found = list(dict.fromkeys(values))
    if len(found) != 1:
        raise CheckpointError(f"the layers do not agree on {what}: {found[:4]}")
    return found[0]
