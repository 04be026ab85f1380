"""NVIDIA's PyTorch pickles: StyleGAN2-ADA, and StyleGAN2 as the StyleGAN3 repository writes it.

A pickle holds `G`, `D` and the averaged `G_ema`, as modules with everything that they recorded when they were built.
The settings are read from these records and never assumed: defaults differ between versions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import stylegan2
from ganexport.errors import CheckpointError, WeightsError
from ganexport.importers._containers import Container
from ganexport.importers._options import Imported, ImportOptions
from ganexport.importers._rules import filter_taps
from ganexport.importers._stubs import Stub, shown
from ganexport.importers._trees import Leaf, children, choose, float64, is_module, own_tensors
from ganexport.weights import Tensors

__all__ = ["read", "recognises"]

PERSISTENT = "torch_utils.persistence."
LICENCE = (
    "Weights made with NVIDIA's StyleGAN code are mostly under NVIDIA's source code licence, which allows "
    "non-commercial use only; whoever trained them may have set other terms (a note, not legal advice)"
)

Arrays = dict[str, NDArray[np.float64]]


def recognises(container: Container) -> bool:
    """Whether the file holds modules written by NVIDIA's persistence."""
    return bool(_networks(container.root))


def read(container: Container, options: ImportOptions) -> Imported:
    """The averaged generator, or the one that `--network` names.

    Raises:
        CheckpointError: It is no StyleGAN2, or its records are not those of one that can be drawn.
        OptionError: There is no network of that name.
    """
    networks = _networks(container.root)
    name = choose(networks, options.network, ("G_ema", "G"))
    module = networks[name]
    if module.class_name != "Generator":
        raise CheckpointError(f"{name} is a {module.class_name}; only generators can be imported")
    reader = _Reader(module)
    spec, weights = reader.spec(options), reader.weights
    reader.check_nothing_is_left()
    return Imported(spec, weights, "NVIDIA PyTorch pickle", f"nvidia_torch ({name or 'the file itself'})", LICENCE)


def _networks(root: Any) -> dict[str, Stub]:
    found = {"": root} if isinstance(root, Stub) else root if isinstance(root, dict) else {}
    return {
        name: value
        for name, value in found.items()
        if isinstance(name, str) and is_module(value) and value.global_name.startswith(PERSISTENT)
    }


class _Reader:
    """Canonical tensors and settings out of a generator's records."""

    def __init__(self, generator: Stub) -> None:
        self.generator = generator
        self.unused: dict[int, str] = {}
        self._list(generator, "G", 0)
        parts = children(generator)
        if sorted(parts) != ["mapping", "synthesis"]:
            raise CheckpointError(f"the generator has modules {sorted(map(shown, parts))}, not mapping and synthesis")
        self.mapping, self.synthesis = parts["mapping"], children(parts["synthesis"])
        if any(child.class_name == "SynthesisInput" for child in self.synthesis.values()):
            raise CheckpointError("the generator is a StyleGAN3 (alias-free), which cannot be imported yet")
        self.noise: list[bool] = []
        self.clamps: list[Any] = []
        self.filters: list[Any] = []
        self.outputs = [_setting(block, "architecture") for block in self.synthesis.values()]
        self.weights: Tensors = _float32("mapping", self._mapping())
        for name, block in self.synthesis.items():
            self.weights |= _float32(f"synthesis.{name}", self._block(block))

    def spec(self, options: ImportOptions) -> stylegan2.Spec:
        """What the records say of the whole."""
        recorded = {key: _setting(self.generator, key) for key in ("z_dim", "c_dim", "w_dim", "num_ws")}
        clamp = _the_one("conv_clamp", self.clamps)
        weights, sizes = self.weights, [_setting(block, "resolution") for block in self.synthesis.values()]
        embed = weights.get("mapping.embed.bias", ())
        return stylegan2.Spec(
            **recorded,
            resolution=_setting(self.generator, "img_resolution"),
            image_channels=_setting(self.generator, "img_channels"),
            image_range=options.image_range or (-1.0, 1.0),
            channels=tuple(len(weights[f"synthesis.b{size}.conv1.bias"]) for size in sizes),
            output=_the_one("architecture", self.outputs),
            mapping_layers=_setting(self.mapping, "num_layers"),
            mapping_width=len(weights["mapping.fc0.bias"]),
            embed_dim=len(embed),
            resample_filter=_the_one("resample_filter", self.filters),
            noise=_the_one("use_noise", self.noise),
            conv_clamp=None if clamp is None else float(clamp),
        )

    def check_nothing_is_left(self) -> None:
        """Every tensor of the generator must have been used.

        Raises:
            WeightsError: Names those that were not.
        """
        if self.unused:
            raise WeightsError("the generator has tensors that are not known: " + ", ".join(self.unused.values()))

    def _list(self, module: Stub, path: str, depth: int) -> None:
        if depth > 8:
            raise CheckpointError("the generator's modules are nested too deeply")
        self.unused |= {id(leaf): f"{path}.{shown(name)}" for name, leaf in own_tensors(module).items()}
        for name, child in children(module).items():
            self._list(child, f"{path}.{shown(name)}", depth + 1)

    def _take(self, module: Stub, name: str) -> NDArray[np.float64]:
        leaf: Leaf | None = own_tensors(module).get(name)
        if leaf is None:
            raise WeightsError(f"{module.class_name} has no tensor {name}")
        self.unused.pop(id(leaf), None)
        return float64(leaf)

    def _mapping(self) -> Arrays:
        tensors = {"w_avg": self._take(self.mapping, "w_avg")}
        for name, layer in children(self.mapping).items():
            _expect(layer, activation="linear" if name == "embed" else "lrelu")
            tensors |= {f"{name}.{key}": array for key, array in self._dense(layer).items()}
        return tensors

    def _dense(self, layer: Stub, gain: float = 1.0) -> Arrays:
        return {
            "weight": self._take(layer, "weight") * (_setting(layer, "weight_gain") * gain),  # [out, in]
            "bias": self._take(layer, "bias") * (_setting(layer, "bias_gain") * gain),  # [out]
        }

    def _block(self, block: Stub) -> Arrays:
        self.filters.append(filter_taps(self._take(block, "resample_filter")))
        tensors = {"const": self._take(block, "const")} if "const" in own_tensors(block) else {}
        for name, layer in children(block).items():
            if name == "skip":
                part = self._skip(layer)
            elif name == "torgb":
                part = self._torgb(layer)
            elif name in ("conv0", "conv1"):
                part = self._conv(layer, up=2 if name == "conv0" else 1)
            else:
                raise CheckpointError(f"a block has a layer {shown(name)}, which StyleGAN2 does not have")
            tensors |= {f"{name}.{key}": array for key, array in part.items()}
        return tensors

    def _skip(self, layer: Stub) -> Arrays:
        _expect(layer, activation="linear", up=2, down=1, padding=0, conv_clamp=None, act_gain=1)
        self.filters.append(filter_taps(self._take(layer, "resample_filter")))
        return {"weight": self._take(layer, "weight") * _setting(layer, "weight_gain")}  # [O, I, 1, 1]

    def _torgb(self, layer: Stub) -> Arrays:
        self.clamps.append(_setting(layer, "conv_clamp"))
        affine = self._affine(layer, _setting(layer, "weight_gain"))
        return {"weight": self._take(layer, "weight"), "bias": self._take(layer, "bias"), **affine}

    def _conv(self, layer: Stub, up: int) -> Arrays:
        _expect(layer, activation="lrelu", up=up, padding=1)
        if not math.isclose(_setting(layer, "act_gain"), math.sqrt(2), rel_tol=1e-6):
            raise CheckpointError(f"a SynthesisLayer has act_gain {_setting(layer, 'act_gain')}, not √2")
        self.clamps.append(_setting(layer, "conv_clamp"))
        self.noise.append(bool(_setting(layer, "use_noise")))
        taps = filter_taps(self._take(layer, "resample_filter"))
        if up == 2:  # a layer that keeps its size has recorded a filter too, of which it makes no use
            self.filters.append(taps)
        tensors = {"weight": self._take(layer, "weight"), "bias": self._take(layer, "bias"), **self._affine(layer)}
        if self.noise[-1]:
            tensors |= {name: self._take(layer, name) for name in ("noise_const", "noise_strength")}
        return tensors

    def _affine(self, layer: Stub, gain: float = 1.0) -> Arrays:
        affine = children(layer).get("affine")
        if affine is None:
            raise CheckpointError(f"{layer.class_name} has no affine layer")
        _expect(affine, activation="linear")
        return {f"affine.{key}": array for key, array in self._dense(affine, gain).items()}


def _float32(prefix: str, arrays: Arrays) -> Tensors:
    return {f"{prefix}.{name}": np.asarray(array, np.float32) for name, array in arrays.items()}


def _setting(module: Stub, name: str) -> Any:
    """A recorded setting; numbers and text only."""
    value = module.attributes.get(name, _setting)
    if value is not None and not isinstance(value, bool | int | float | str):
        raise CheckpointError(f"{module.class_name} has no record of {name}")
    return value


def _expect(module: Stub, **settings: Any) -> None:
    for name, expected in settings.items():
        found = _setting(module, name)
        if found != expected:
            raise CheckpointError(f"{module.class_name} has {name} {found!r}, only {expected!r} can be drawn")


def _the_one(what: str, values: Iterable[Any]) -> Any:
    found = list(dict.fromkeys(values))
    if len(found) != 1:
        raise CheckpointError(f"the layers do not agree on {what}: {found[:4]}")
    return found[0]
