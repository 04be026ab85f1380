"""NVIDIA's PyTorch pickles: StyleGAN2-ADA, StyleGAN3, and StyleGAN2 as the StyleGAN3 repository writes it.

A pickle holds `G`, `D` and the averaged `G_ema`, as modules with everything that they recorded when they were built.
The settings are read from these records and never assumed: defaults differ between versions.
"""

from __future__ import annotations

import math
from typing import Any

from ganexport.architectures import stylegan2
from ganexport.errors import CheckpointError
from ganexport.importers._nvidia_torch_records import Arrays, Records, expect, float32, setting, the_one
from ganexport.importers._nvidia_torch_stylegan3 import is_stylegan3, read_stylegan3
from ganexport.importers._options import Imported, ImportOptions
from ganexport.importers._rules import filter_taps
from ganexport.importers._trees import children, choose, is_module, own_tensors
from ganexport.importers.inert.containers import Container
from ganexport.importers.inert.stubs import Stub, shown
from ganexport.weights import Tensors

__all__ = ["read", "recognises"]

PERSISTENT = "torch_utils.persistence."
LICENCE = (
    "Weights made with NVIDIA's StyleGAN code are mostly under NVIDIA's source code licence, which allows "
    "non-commercial use only; whoever trained them may have set other terms (a note, not legal advice)"
)


def recognises(container: Container) -> bool:
    """Whether the file holds modules written by NVIDIA's persistence."""
    return bool(_networks(container.root))


def read(container: Container, options: ImportOptions) -> Imported:
    """The averaged generator, or the one that `--network` names.

    Raises:
        CheckpointError: It is no StyleGAN2 or StyleGAN3, or its records are not those of one that can be drawn.
        OptionError: There is no network of that name.
    """
    networks = _networks(container.root)
    name = choose(networks, options.network, ("G_ema", "G"))
    module = networks[name]
    if module.class_name != "Generator":
        raise CheckpointError(
            f"{shown(name) or 'the file'} is a {shown(module.class_name)}; only generators can be imported"
        )
    records = Records(module)
    spec, weights = read_stylegan3(records, options) if is_stylegan3(records) else _read_stylegan2(records, options)
    records.check_nothing_is_left()
    return Imported(
        spec, weights, "NVIDIA PyTorch pickle", f"nvidia_torch ({shown(name) or 'the file itself'})", LICENCE
    )


def _networks(root: Any) -> dict[str, Stub]:
    found = {"": root} if isinstance(root, Stub) else root if isinstance(root, dict) else {}
    return {
        name: value
        for name, value in found.items()
        if isinstance(name, str) and is_module(value) and value.global_name.startswith(PERSISTENT)
    }


def _read_stylegan2(records: Records, options: ImportOptions) -> tuple[stylegan2.Spec, Tensors]:
    reader = _StyleGAN2(records)
    return reader.spec(options), reader.weights


class _StyleGAN2:
    """Canonical tensors and settings of a StyleGAN2 out of a generator's records."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.noise: list[bool] = []
        self.clamps: list[Any] = []
        self.filters: list[Any] = []
        self.outputs = [setting(block, "architecture") for block in records.synthesis.values()]
        self.weights: Tensors = float32("mapping", records.mapping_tensors())
        for name, block in records.synthesis.items():
            self.weights |= float32(f"synthesis.{name}", self._block(block))

    def spec(self, options: ImportOptions) -> stylegan2.Spec:
        """What the records say of the whole."""
        clamp = the_one("conv_clamp", self.clamps)
        weights, sizes = self.weights, [setting(block, "resolution") for block in self.records.synthesis.values()]
        return stylegan2.Spec(
            **self.records.dimensions(weights),
            image_range=options.image_range or (-1.0, 1.0),
            channels=tuple(len(weights[f"synthesis.b{size}.conv1.bias"]) for size in sizes),
            output=the_one("architecture", self.outputs),
            resample_filter=the_one("resample_filter", self.filters),
            noise=the_one("use_noise", self.noise),
            conv_clamp=None if clamp is None else float(clamp),
        )

    def _block(self, block: Stub) -> Arrays:
        self.filters.append(filter_taps(self.records.take(block, "resample_filter")))
        tensors = {"const": self.records.take(block, "const")} if "const" in own_tensors(block) else {}
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
        expect(layer, activation="linear", up=2, down=1, padding=0, conv_clamp=None, act_gain=1)
        self.filters.append(filter_taps(self.records.take(layer, "resample_filter")))
        return {"weight": self.records.take(layer, "weight") * setting(layer, "weight_gain")}  # [O, I, 1, 1]

    def _torgb(self, layer: Stub) -> Arrays:
        self.clamps.append(setting(layer, "conv_clamp"))
        affine = self.records.affine(layer, setting(layer, "weight_gain"))
        return {"weight": self.records.take(layer, "weight"), "bias": self.records.take(layer, "bias"), **affine}

    def _conv(self, layer: Stub, up: int) -> Arrays:
        expect(layer, activation="lrelu", up=up, padding=1)
        if not math.isclose(setting(layer, "act_gain"), math.sqrt(2), rel_tol=1e-6):
            raise CheckpointError(f"a SynthesisLayer has act_gain {setting(layer, 'act_gain')}, not √2")
        self.clamps.append(setting(layer, "conv_clamp"))
        self.noise.append(bool(setting(layer, "use_noise")))
        taps = filter_taps(self.records.take(layer, "resample_filter"))
        if up == 2:  # a layer that keeps its size has recorded a filter too, of which it makes no use
            self.filters.append(taps)
        noise = ("noise_const", "noise_strength") if self.noise[-1] else ()
        tensors = {name: self.records.take(layer, name) for name in ("weight", "bias", *noise)}
        return {**tensors, **self.records.affine(layer)}
