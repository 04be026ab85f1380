"""StyleGAN3 out of NVIDIA's PyTorch pickles.

Filters, paddings and sampling factors are those that the layers recorded, whatever design they came from. The recorded
`transform` becomes the default of the graph's input of that name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import stylegan3
from ganexport.errors import CheckpointError
from ganexport.importers._nvidia_torch_records import Arrays, Records, expect, float32, setting, square
from ganexport.importers._options import ImportOptions
from ganexport.importers._trees import own_tensors
from ganexport.importers.inert.stubs import Stub, shown
from ganexport.weights import Tensors

__all__ = ["is_stylegan3", "read_stylegan3"]


def is_stylegan3(records: Records) -> bool:
    """Whether the synthesis begins with Fourier features."""
    return any(child.class_name == "SynthesisInput" for child in records.synthesis.values())


def read_stylegan3(records: Records, options: ImportOptions) -> tuple[stylegan3.Spec, Tensors]:
    """Spec and canonical tensors of the generator.

    Raises:
        CheckpointError: Its records are not those of one that can be drawn.
        WeightsError: A tensor is missing.
    """
    *names, rgb_name = _layer_names(records)
    weights = float32("mapping", records.mapping_tensors())
    first = records.synthesis["input"]
    weights |= float32("synthesis.input", _input(records, first))
    transform = records.take(first, "transform")
    layers: list[dict[str, Any]] = []
    for name in names:
        layer, tensors = _layer(records, records.synthesis[name])
        weights |= float32(f"synthesis.L{len(layers)}_{layer['size']}_{layer['channels']}", tensors)
        layers.append(layer)
    rgb = records.synthesis[rgb_name]
    scale = _positive(setting(records.synthesis_network, "output_scale"), "output_scale")
    settings = {
        "image_range": options.image_range or (-1.0, 1.0),
        "input_channels": setting(first, "channels"),
        "input_size": square(first, "size")[0],
        "sampling_rate": float(setting(first, "sampling_rate")),
        "bandwidth": float(setting(first, "bandwidth")),
        "layers": layers,
        "rgb_clamp": _clamp(rgb, scale),
        "transform": transform.tolist(),
    }
    spec = stylegan3.Spec(**records.dimensions(weights), **settings)
    weights |= float32(f"synthesis.{stylegan3.layer_names(spec)[-1]}", _to_rgb(records, rgb, scale))
    return spec, weights


def _layer_names(records: Records) -> list[str]:
    """The layers in their order; beside the input, there must be no other module."""
    names = records.synthesis_network.attributes.get("layer_names")
    if not isinstance(names, list) or len(names) < 2 or not all(isinstance(name, str) for name in names):
        raise CheckpointError("the synthesis has no record of its layer_names")
    if sorted(records.synthesis) != sorted(["input", *names]):
        found = ", ".join(map(shown, records.synthesis))
        raise CheckpointError(f"the synthesis has modules {found}, not those of its layer_names and an input")
    return names


def _input(records: Records, first: Stub) -> Arrays:
    mix = records.take(first, "weight") / math.sqrt(setting(first, "channels"))  # [C, C]
    tensors = {"freqs": records.take(first, "freqs"), "phases": records.take(first, "phases")}
    return {**tensors, "weight": mix[:, :, None, None], **records.affine(first)}


def _layer(records: Records, layer: Stub) -> tuple[dict[str, Any], Arrays]:
    """Settings and tensors of a layer before the last; each output's kernel is brought to a mean square of 1."""
    expect(layer, is_torgb=False)
    kernel = records.take(layer, "weight")  # [O, I, k, k]
    if kernel.ndim != 4:
        raise CheckpointError(f"{layer.class_name} has a kernel of shape {list(kernel.shape)}, not of four axes")
    norms = np.sqrt(np.mean(kernel**2, axis=(1, 2, 3), keepdims=True))
    tensors = {
        "weight": kernel / np.maximum(norms, np.finfo(np.float64).tiny),
        "bias": records.take(layer, "bias"),
        **records.affine(layer),
        **{f"{way}_filter": _filter(records, layer, way) for way in ("up", "down")},
    }
    before, after = square(layer, "padding", 4)
    settings = {
        "channels": len(kernel),
        "size": square(layer, "out_size")[0],
        "kernel": setting(layer, "conv_kernel"),
        "pad_before": before,
        "pad_after": after,
        "input_gain": _input_gain(records, layer),
        "clamp": _clamp(layer),
    }
    for way in ("up", "down"):
        taps = tensors[f"{way}_filter"]
        settings |= {way: setting(layer, f"{way}_factor"), f"{way}_taps": len(taps), f"{way}_radial": taps.ndim == 2}
    return settings, tensors


def _to_rgb(records: Records, layer: Stub, scale: float) -> Arrays:
    expect(layer, is_torgb=True, up_factor=1, down_factor=1, up_taps=1, down_taps=1, conv_kernel=1)
    if square(layer, "padding", 4) != (0, 0):
        raise CheckpointError(f"{layer.class_name} for RGB has padding {layer.attributes['padding']}, not none")
    kernel = records.take(layer, "weight")  # [C_img, I, 1, 1]
    gain = _input_gain(records, layer) * scale / math.sqrt(kernel.shape[1])
    return {"weight": kernel, "bias": records.take(layer, "bias") * scale, **records.affine(layer, gain)}


def _filter(records: Records, layer: Stub, way: str) -> NDArray[np.float64]:
    """The recorded filter [n] or [n, n]; a layer that needs none has recorded one tap and no tensor."""
    name = f"{way}_filter"
    if name not in own_tensors(layer):
        expect(layer, **{f"{way}_taps": 1})
        return np.ones(1)
    taps = records.take(layer, name)
    if taps.ndim not in (1, 2) or taps.shape[0] != taps.shape[-1] or not 1 <= len(taps) <= 256:
        raise CheckpointError(f"{layer.class_name} has an {name} of shape {list(taps.shape)}, which cannot be used")
    return taps


def _input_gain(records: Records, layer: Stub) -> float:
    magnitude = records.take(layer, "magnitude_ema").reshape(-1)
    if len(magnitude) != 1:
        raise CheckpointError(f"{layer.class_name} has {len(magnitude)} numbers in magnitude_ema, not one")
    return 1.0 / math.sqrt(_positive(float(magnitude[0]), "magnitude_ema"))


def _clamp(layer: Stub, scale: float = 1.0) -> float | None:
    clamp = setting(layer, "conv_clamp")
    return None if clamp is None else float(clamp) * scale


def _positive(value: float, name: str) -> float:
    if not 0 < value < math.inf:
        raise CheckpointError(f"{name} must be a positive number, found {value}")
    return float(value)
