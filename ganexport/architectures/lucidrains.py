"""StyleGAN2 as lucidrains/stylegan2-pytorch reads it: styles are offsets from 1, up-sampling is bilinear, no gains.

One w serves a whole block, and one noise map serves all layers: each takes the leading window of its own size, rows and
columns swapped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import Field, model_validator

from ganexport.architectures._attention import attended, attention_shapes
from ganexport.architectures._stages import carried_shapes, features_of, picture_of, start_of
from ganexport.ops.protocol import Activation, GivenNoise, Noise, Ops, StoredNoise, fir_taps
from ganexport.spec import GeneratorSpec

__all__ = ["Spec", "carried", "mapping", "noise_shapes", "resolutions", "synthesis", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")

SLOPE = 0.2
BLUR = fir_taps((1.0, 2.0, 1.0))
NOISE = "noise"
NOISE_CONST = "synthesis.noise_const"


class Spec(GeneratorSpec):
    """A generator of this family.

    Attributes:
        channels: Feature maps of each block, from 4×4 up to the full resolution.
        mapping_layers: Dense layers of the mapping network, each as wide as w.
        const: Whether the first features are constant; else they are made of the mean of all w.
        blur: Whether the picture is blurred wherever it is up-sampled.
        attention: Sizes of the blocks before which features pass a layer of attention.
        noise: Whether layers add noise, which always they do.
    """

    architecture: Literal["lucidrains"] = "lucidrains"
    w_dim: int = Field(default=512, ge=1, le=65536)
    channels: tuple[int, ...] = Field(min_length=1)
    mapping_layers: int = Field(default=8, ge=1, le=64)
    const: bool = True
    blur: bool = True
    attention: tuple[int, ...] = ()
    noise: Literal[True] = True
    noise_distribution: Literal["normal", "uniform"] = "uniform"
    image_range: tuple[float, float] = (0.0, 1.0)

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("channels"), list | tuple):
            return {"num_ws": len(data["channels"]), **data}
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
        if self.num_ws != len(self.channels):
            raise ValueError(f"num_ws must be {len(self.channels)}, one a block, found {self.num_ws}")
        if list(self.attention) != [size for size in resolutions(self) if size in self.attention]:
            raise ValueError(f"attention must be rising sizes of blocks, found {self.attention}")
        if self.c_dim:
            raise ValueError(f"this family has no classes, found c_dim {self.c_dim}")
        return self


def resolutions(spec: Spec) -> list[int]:
    """Sizes of the blocks: 4, 8, … up to the full resolution."""
    return [4 << i for i in range(len(spec.channels))]


def weight_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors, in the order in which they are used."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(spec.mapping_layers):
        shapes[f"mapping.fc{i}.weight"] = (spec.w_dim, spec.w_dim if i else spec.z_dim)
        shapes[f"mapping.fc{i}.bias"] = (spec.w_dim,)
    shapes["mapping.w_avg"] = (spec.w_dim,)
    shapes[NOISE_CONST] = (spec.resolution, spec.resolution)
    if spec.const:
        shapes["synthesis.b4.const"] = (spec.channels[0], 4, 4)
    else:
        shapes["synthesis.b4.initial.weight"] = (spec.channels[0], spec.w_dim, 4, 4)
        shapes["synthesis.b4.initial.bias"] = (spec.channels[0],)

    def styled(name: str, out: int, into: int, size: int) -> None:
        shapes[f"{name}.affine.weight"] = (into, spec.w_dim)
        shapes[f"{name}.affine.bias"] = (into,)
        shapes[f"{name}.weight"] = (out, into, size, size)

    for i, resolution in enumerate(resolutions(spec)):
        block, out, before = f"synthesis.b{resolution}", spec.channels[i], spec.channels[max(i - 1, 0)]
        if resolution in spec.attention:
            shapes |= attention_shapes(block, before)
        for layer, into in (("conv0", before), ("conv1", out)):
            styled(f"{block}.{layer}", out, into, 3)
            shapes[f"{block}.{layer}.noise_strength"] = (out,)
            shapes[f"{block}.{layer}.bias"] = (out,)
        styled(f"{block}.torgb", spec.image_channels, out, 1)
    return shapes


def noise_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Name and shape [H, W, 1] of the noise, for graphs that take it as an input."""
    return {NOISE: (spec.resolution, spec.resolution, 1)}


def mapping(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, z: T, c: T | None, truncation_psi: T) -> dict[str, T]:
    """z [N, z_dim], truncation_psi [N, num_ws] -> `ws` [N, num_ws, w_dim]; there are no classes.

    Source: Karras et al. 2019 (StyleGAN), section 2 and appendix B (truncation); 1/√z_dim, which makes z's length 1,
    is in the first weights.
    """
    x = ops.pixel_norm(z)
    for i in range(spec.mapping_layers):
        x = ops.leaky_relu(ops.dense(x, weights[f"mapping.fc{i}.weight"], weights[f"mapping.fc{i}.bias"]), SLOPE)
    return {"ws": ops.truncate(x, weights["mapping.w_avg"], truncation_psi)}


def carried(spec: Spec, resolution: int) -> dict[str, tuple[int, int, int]]:
    """Names and shapes [C, H, W] of what the block of this size hands on."""
    channels = spec.channels[resolutions(spec).index(resolution)]
    return carried_shapes(resolution, channels, spec.image_channels)


def synthesis(
    ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, inputs: Mapping[str, T], until: int | None = None
) -> dict[str, T]:
    """`ws` [N, num_ws, w_dim] and noise -> `image` [N, C, H, W], and each `rgb_b{res}` before it is up-sampled.

    Those of `carried` among the inputs take the place of the blocks that gave them; `until` ends with a block that
    gives them, in place of the image.

    Source: Karras et al. 2020 (StyleGAN2), section 2.2 and figure 7b.
    """

    def style_of(layer: str, w: T) -> T:
        return ops.dense(w, weights[f"{layer}.affine.weight"], weights[f"{layer}.affine.bias"])

    probes: dict[str, T] = {}
    sizes = resolutions(spec)
    start = start_of(inputs, sizes)
    x = _first_features(ops, weights, spec, inputs["ws"]) if start.features is None else start.features  # [N, C, H, W]
    rgb = start.picture
    for i, resolution in list(enumerate(sizes))[start.block :]:
        w, block = ops.select_w(inputs["ws"], i), f"synthesis.b{resolution}"
        if resolution in spec.attention:
            x = attended(ops, weights, block, x)
        if i > 0:
            x = ops.bilinear_upsample2d(x)  # [N, C, 2H, 2W]
        for layer in (f"{block}.conv0", f"{block}.conv1"):
            kernel, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
            noise = _noise(ops, weights, inputs, layer, resolution)
            x = ops.styled_conv2d(x, kernel, style_of(layer, w), noise, bias, Activation(SLOPE), kernel_size=3)
        torgb, style = weights[f"{block}.torgb.weight"], style_of(f"{block}.torgb", w)
        y = ops.modulated_conv2d(x, torgb, style, kernel_size=1, demodulate=False)
        rgb = y if rgb is None else ops.add(y, _doubled(ops, spec, rgb))
        if resolution != spec.resolution:
            probes[picture_of(resolution)] = rgb
        if resolution == until:
            return {**probes, features_of(resolution): x}
    assert rgb is not None
    return {**probes, "image": rgb}


def _first_features(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, ws: T) -> T:
    """Features [1 or N, C, 4, 4] that the first block takes."""
    if spec.const:
        return ops.constant_map(weights["synthesis.b4.const"])
    total = ops.select_w(ws, 0)
    for i in range(1, spec.num_ws):
        total = ops.add(total, ops.select_w(ws, i))
    mean = ops.as_map(ops.scale(total, 1.0 / spec.num_ws), 1)  # [N, w_dim, 1, 1]
    x = ops.conv_transpose2d(mean, weights["synthesis.b4.initial.weight"], stride=1, padding=0)  # [N, C, 4, 4]
    return ops.add_bias(x, weights["synthesis.b4.initial.bias"])


def _noise(
    ops: Ops[T, W], weights: Mapping[str, W], inputs: Mapping[str, T], layer: str, resolution: int
) -> Noise[T, W] | None:
    """The window of the noise that is this layer's."""
    strength = weights[f"{layer}.noise_strength"]
    if (given := inputs.get(NOISE)) is not None:
        return GivenNoise(ops.noise_window(given, resolution), strength)
    if (scale := inputs.get("noise_scale")) is not None:
        return StoredNoise(ops.const_window(weights[NOISE_CONST], resolution), strength, scale)
    return None


def _doubled(ops: Ops[T, W], spec: Spec, rgb: T) -> T:
    """rgb [N, C, H, W] -> [N, C, 2H, 2W]."""
    rgb = ops.bilinear_upsample2d(rgb)
    return ops.filter2d(ops.reflect_pad2d(rgb, 1), BLUR, (0, 0)) if spec.blur else rgb
