"""Writes StyleGAN3 generators as NVIDIA's PyTorch pickles lay them out, without PyTorch and without NVIDIA's code.

Gains and the kernels' scale are chosen unlike the published ones: a reader that assumed those would show.
"""

from typing import Any

import numpy as np
from support.nvidia_writer import Arrays, dense, module

from ganexport.architectures.stylegan3 import Layer, Spec, layer_names

OUTPUT_SCALE = 0.5
RGB_GAIN = 1.6


def stylegan3_generator(spec: Spec, weights: Arrays) -> Any:
    """A whole generator of a canonical spec and its tensors."""
    names = layer_names(spec)
    sizes = [spec.input_size, *(layer.size for layer in spec.layers)]
    layers = {
        name: _layer(weights, name, layer, before)
        for name, layer, before in zip(names, spec.layers, sizes, strict=False)
    }
    layers[names[-1]] = _to_rgb(weights, names[-1], spec)
    dims = {"z_dim": spec.z_dim, "c_dim": spec.c_dim, "w_dim": spec.w_dim, "num_ws": spec.num_ws}
    picture = {"img_resolution": spec.resolution, "img_channels": spec.image_channels}
    synthesis = module(
        "SynthesisNetwork",
        {},
        {"input": _input(spec, weights), **layers},
        layer_names=names,
        output_scale=OUTPUT_SCALE,
        num_layers=len(spec.layers),
        **dims,
        **picture,
    )
    return module(
        "Generator", {}, {"synthesis": synthesis, "mapping": _mapping(spec, weights, dims)}, **dims, **picture
    )


def _mapping(spec: Spec, weights: Arrays, dims: dict[str, int]) -> Any:
    layers = {
        f"fc{i}": dense(weights, f"mapping.fc{i}", gain=0.003, activation="lrelu") for i in range(spec.mapping_layers)
    }
    if spec.c_dim:
        layers["embed"] = dense(weights, "mapping.embed", gain=0.5, activation="linear")
    tensors = {"w_avg": weights["mapping.w_avg"]}
    return module("MappingNetwork", tensors, layers, num_layers=spec.mapping_layers, **dims)


def _input(spec: Spec, weights: Arrays) -> Any:
    tensors = {
        "weight": weights["synthesis.input.weight"][:, :, 0, 0] * np.sqrt(spec.input_channels),
        "transform": np.asarray(spec.transform),
        "freqs": weights["synthesis.input.freqs"],
        "phases": weights["synthesis.input.phases"],
    }
    affine = dense(weights, "synthesis.input.affine", gain=0.25, activation="linear")
    settings = {"sampling_rate": spec.sampling_rate, "bandwidth": np.float64(spec.bandwidth)}
    size = np.asarray([spec.input_size] * 2)
    return module("SynthesisInput", tensors, {"affine": affine}, channels=spec.input_channels, size=size, **settings)


def _layer(weights: Arrays, name: str, layer: Layer, before: int) -> Any:
    scales = np.arange(1.0, layer.channels + 1)[:, None, None, None]  # of each output channel
    tensors = {"weight": weights[f"synthesis.{name}.weight"] * scales, "bias": weights[f"synthesis.{name}.bias"]}
    tensors["magnitude_ema"] = np.asarray(layer.input_gain**-2.0)
    for way, taps in (("up_filter", layer.up_taps), ("down_filter", layer.down_taps)):
        if taps > 1:
            tensors[way] = weights[f"synthesis.{name}.{way}"]
    return module(
        "SynthesisLayer",
        tensors,
        {"affine": dense(weights, f"synthesis.{name}.affine", gain=0.25, activation="linear")},
        is_torgb=False,
        in_size=np.asarray([before] * 2),
        out_size=np.asarray([layer.size] * 2),
        conv_kernel=layer.kernel,
        conv_clamp=layer.clamp,
        up_factor=layer.up,
        up_taps=layer.up_taps,
        down_factor=layer.down,
        down_taps=layer.down_taps,
        down_radial=layer.down_radial,
        padding=[layer.pad_before, layer.pad_after] * 2,
    )


def _to_rgb(weights: Arrays, name: str, spec: Spec) -> Any:
    kernel = weights[f"synthesis.{name}.weight"]
    gain = RGB_GAIN * OUTPUT_SCALE / np.sqrt(kernel.shape[1])
    tensors = {"weight": kernel, "bias": weights[f"synthesis.{name}.bias"] / OUTPUT_SCALE}
    tensors["magnitude_ema"] = np.asarray(RGB_GAIN**-2.0)
    return module(
        "SynthesisLayer",
        tensors,
        {"affine": dense(weights, f"synthesis.{name}.affine", gain=0.25, activation="linear", style_gain=gain)},
        is_torgb=True,
        in_size=np.asarray([spec.resolution] * 2),
        out_size=np.asarray([spec.resolution] * 2),
        conv_kernel=1,
        conv_clamp=None if spec.rgb_clamp is None else spec.rgb_clamp / OUTPUT_SCALE,
        up_factor=1,
        up_taps=1,
        down_factor=1,
        down_taps=1,
        down_radial=False,
        padding=[0, 0, 0, 0],
    )
