"""StyleGAN2: mapping, then synthesis by modulated convolutions (Karras et al. 2020, and its ADA successor)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from pydantic import Field, model_validator

from ganexport.architectures._mapping import GAIN, SLOPE, MappedSpec, dense_layers, mapping_shapes
from ganexport.architectures._mapping import mapping as separate_mapping
from ganexport.architectures._noise import layer_noise, noise_input
from ganexport.architectures._stages import carried_shapes, features_of, picture_of, start_of
from ganexport.ops.protocol import Activation, Fir, Ops, fir_taps

__all__ = ["Spec", "carried", "mapping", "noise_shapes", "resolutions", "synthesis", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")


class Spec(MappedSpec):
    """A StyleGAN2 generator.

    Attributes:
        channels: Feature maps of each block, from 4×4 up to the full resolution.
        output: How RGB comes about: `skip` sums a to-RGB of every block, `resnet` and `orig` have one at the end.
        joint_norm: Whether z and the label's embedding, then one without bias, are normalised together and not each.
        resample_filter: Taps of the up-sampling filter, 1-D or 2-D; scaled to sum 1 when used.
        noise: Whether layers add stored noise.
        conv_clamp: Activations are cut to ± this (times the layer's gain); null for no limit.
    """

    architecture: Literal["stylegan2"] = "stylegan2"
    channels: tuple[int, ...] = Field(min_length=1)
    output: Literal["skip", "resnet", "orig"] = "skip"
    joint_norm: bool = False
    resample_filter: tuple[float, ...] | tuple[tuple[float, ...], ...] = (1.0, 3.0, 3.0, 1.0)
    noise: bool = True
    conv_clamp: float | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("channels"), list | tuple):
            return {"num_ws": 2 * len(data["channels"]), **data}
        return data

    @model_validator(mode="after")
    def _check_blocks(self) -> Spec:
        if self.resolution != 4 << (len(self.channels) - 1):
            raise ValueError(
                f"{len(self.channels)} blocks end at {4 << (len(self.channels) - 1)}², "
                f"but the resolution is {self.resolution}²"
            )
        if min(self.channels) < 1:
            raise ValueError(f"channels must be positive, found {self.channels}")
        if self.num_ws != 2 * len(self.channels):
            raise ValueError(f"num_ws must be {2 * len(self.channels)}, found {self.num_ws}")
        if self.joint_norm and not self.c_dim:
            raise ValueError("joint_norm has no meaning without labels")
        taps = np.asarray(self.resample_filter, dtype=np.float64)
        if not np.isfinite(taps).all() or taps.sum() == 0:
            raise ValueError(f"resample_filter must be finite and not sum to 0, found {self.resample_filter}")
        shape = fir_taps(self.resample_filter).shape
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 2:
            raise ValueError(f"resample_filter must be square with at least two taps, found {shape}")
        return self


def resolutions(spec: Spec) -> list[int]:
    """Sizes of the blocks: 4, 8, … up to the full resolution."""
    return [4 << i for i in range(len(spec.channels))]


def weight_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors, in the order in which they are used."""
    shapes = mapping_shapes(spec)
    if spec.joint_norm:
        del shapes["mapping.embed.bias"]

    def styled(name: str, out: int, into: int, size: int) -> None:
        shapes[f"{name}.affine.weight"] = (into, spec.w_dim)
        shapes[f"{name}.affine.bias"] = (into,)
        shapes[f"{name}.weight"] = (out, into, size, size)
        shapes[f"{name}.bias"] = (out,)

    for i, resolution in enumerate(resolutions(spec)):
        block, out = f"synthesis.b{resolution}", spec.channels[i]
        if i == 0:
            shapes[f"{block}.const"] = (out, 4, 4)
        for layer in ("conv1",) if i == 0 else ("conv0", "conv1"):
            styled(f"{block}.{layer}", out, spec.channels[i - 1] if layer == "conv0" else out, 3)
            if spec.noise:
                shapes[f"{block}.{layer}.noise_const"] = (resolution, resolution)
                shapes[f"{block}.{layer}.noise_strength"] = ()
        if spec.output == "resnet" and i > 0:
            shapes[f"{block}.skip.weight"] = (out, spec.channels[i - 1], 1, 1)
        if spec.output == "skip" or resolution == spec.resolution:
            styled(f"{block}.torgb", spec.image_channels, out, 1)
    return shapes


def noise_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes [1, H, W] of the noise of each layer, for graphs that take it as inputs."""
    layers = [(size, layer) for size in resolutions(spec) for layer in ("conv0", "conv1")][1:]
    return {noise_input(f"synthesis.b{size}.{layer}"): (1, size, size) for size, layer in layers}


def mapping(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, z: T, c: T | None, truncation_psi: T) -> dict[str, T]:
    """z [N, z_dim], c [N, c_dim], truncation_psi [N, num_ws] -> `ws` [N, num_ws, w_dim].

    Source: Karras et al. 2019 (StyleGAN), section 2 and appendix B (truncation); labels as in StyleGAN2-ADA, or with
    `joint_norm` as in the first StyleGAN.
    """
    if c is None or not spec.joint_norm:
        return separate_mapping(ops, weights, spec, z, c, truncation_psi)
    x = ops.pixel_norm(ops.concat([z, ops.dense(c, weights["mapping.embed.weight"])]))  # [N, z_dim + embed_dim]
    return dense_layers(ops, weights, spec, x, truncation_psi)


def carried(spec: Spec, resolution: int) -> dict[str, tuple[int, int, int]]:
    """Names and shapes [C, H, W] of what the block of this size hands on; none where there is no picture yet."""
    if spec.output != "skip":
        return {}
    channels = spec.channels[resolutions(spec).index(resolution)]
    return carried_shapes(resolution, channels, spec.image_channels)


def synthesis(
    ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, inputs: Mapping[str, T], until: int | None = None
) -> dict[str, T]:
    """`ws` [N, num_ws, w_dim] and noise -> `image` [N, C, H, W]; `skip` nets also each `rgb_b{res}`.

    Those of `carried` among the inputs take the place of the blocks that gave them; `until` ends with a block that
    gives them, in place of the image.

    Source: Karras et al. 2020 (StyleGAN2), figures 2 and 7; each to-RGB shares the next block's first w.
    """
    fir = fir_taps(spec.resample_filter)
    probes: dict[str, T] = {}
    sizes = resolutions(spec)
    start = start_of(inputs, sizes)
    x = ops.constant_map(weights["synthesis.b4.const"]) if start.features is None else start.features  # [N, C, H, W]
    rgb = start.picture
    for i, resolution in list(enumerate(sizes))[start.block :]:
        layers = _Layers(ops, weights, spec, f"synthesis.b{resolution}", inputs)
        first = max(2 * i - 1, 0)
        if i == 0:
            x = layers.conv("conv1", x, 0)
        elif spec.output == "resnet":
            shortcut = ops.upsample2d(ops.conv2d(x, weights[f"{layers.block}.skip.weight"], 0), fir)
            x = layers.conv("conv1", layers.conv("conv0", x, first, up=fir), first + 1, gain=math.sqrt(0.5))
            x = ops.add(ops.scale(shortcut, math.sqrt(0.5)), x)
        else:
            x = layers.conv("conv1", layers.conv("conv0", x, first, up=fir), first + 1)
        if spec.output == "skip" or resolution == spec.resolution:
            y = layers.torgb(x, 2 * i + 1)
            rgb = y if rgb is None else ops.add(y, ops.upsample2d(rgb, fir))
            if spec.output == "skip" and resolution != spec.resolution:
                probes[picture_of(resolution)] = rgb
        if resolution == until:
            return {**probes, features_of(resolution): x}
    assert rgb is not None
    return {**probes, "image": rgb}


class _Layers(Generic[T, W]):
    """The styled layers of one block."""

    def __init__(
        self, ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, block: str, inputs: Mapping[str, T]
    ) -> None:
        self.ops, self.weights, self.spec, self.block, self.inputs = ops, weights, spec, block, inputs

    def conv(self, name: str, x: T, index: int, *, up: Fir | None = None, gain: float = 1.0) -> T:
        """Modulated 3×3 convolution, noise, bias, leaky ReLU with gain √2, clamp."""
        weights, layer, clamp = self.weights, f"{self.block}.{name}", self.spec.conv_clamp
        return self.ops.styled_conv2d(
            x,
            weights[f"{layer}.weight"],
            self._style(layer, index),
            layer_noise(weights, self.inputs, layer) if self.spec.noise else None,
            weights[f"{layer}.bias"],
            Activation(SLOPE, GAIN * gain, None if clamp is None else clamp * gain),
            kernel_size=3,
            up_fir=up,
        )

    def torgb(self, x: T, index: int) -> T:
        """Modulated 1×1 convolution without demodulation, bias, clamp."""
        ops, layer = self.ops, f"{self.block}.torgb"
        style = self._style(layer, index)
        x = ops.modulated_conv2d(x, self.weights[f"{layer}.weight"], style, kernel_size=1, demodulate=False)
        x = ops.add_bias(x, self.weights[f"{layer}.bias"])
        return x if self.spec.conv_clamp is None else ops.clip(x, self.spec.conv_clamp)

    def _style(self, layer: str, index: int) -> T:
        w = self.ops.select_w(self.inputs["ws"], index)  # [N, w_dim]
        return self.ops.dense(w, self.weights[f"{layer}.affine.weight"], self.weights[f"{layer}.affine.bias"])
