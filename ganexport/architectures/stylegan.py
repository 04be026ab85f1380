"""StyleGAN, the first: mapping, then synthesis by adaptive instance normalisation (Karras et al. 2019).

Canonical kernels are those of a correlation after nearest up-sampling; a checkpoint whose up-sampling is fused into a
transposed convolution has them turned by 180 degrees. A style is two dense layers: `affine`, the scale with its + 1
in the bias, and `shift`. The 4×4 block has its constant in place of `conv0`'s kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import Field, model_validator

from ganexport.architectures._growing import GrownSpec, add_to_rgb_shapes, resolutions, to_rgb
from ganexport.architectures._noise import layer_noise, noise_input
from ganexport.ops.protocol import Ops, fir_taps

__all__ = ["Spec", "mapping", "noise_shapes", "resolutions", "synthesis", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")

SLOPE = 0.2
BLUR = (1.0, 2.0, 1.0)


class Spec(GrownSpec):
    """A StyleGAN generator.

    Attributes:
        mapping_layers: Dense layers of the mapping network.
        mapping_width: Features of its hidden layers.
        noise: Whether layers add stored noise.
    """

    architecture: Literal["stylegan"] = "stylegan"
    w_dim: int = Field(default=512, ge=1, le=65536)
    mapping_layers: int = Field(default=8, ge=1, le=64)
    mapping_width: int = Field(default=512, ge=1, le=65536)
    noise: bool = True

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("channels"), list | tuple):
            return {"num_ws": 2 * len(data["channels"]), **data}
        return data

    @model_validator(mode="after")
    def _check_ws(self) -> Spec:
        if self.num_ws != 2 * len(self.channels):
            raise ValueError(f"num_ws must be {2 * len(self.channels)}, found {self.num_ws}")
        return self


def weight_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors, in the order in which they are used."""
    shapes: dict[str, tuple[int, ...]] = {}
    if spec.c_dim:
        shapes["mapping.embed.weight"] = (spec.z_dim, spec.c_dim)
    into = 2 * spec.z_dim if spec.c_dim else spec.z_dim
    widths = [into, *[spec.mapping_width] * (spec.mapping_layers - 1), spec.w_dim]
    for i in range(spec.mapping_layers):
        shapes[f"mapping.fc{i}.weight"] = (widths[i + 1], widths[i])
        shapes[f"mapping.fc{i}.bias"] = (widths[i + 1],)
    shapes["mapping.w_avg"] = (spec.w_dim,)
    for i, (resolution, channels) in enumerate(zip(resolutions(spec), spec.channels, strict=True)):
        block = f"synthesis.b{resolution}"
        for layer in ("conv0", "conv1"):
            if resolution == 4 and layer == "conv0":
                shapes[f"{block}.const"] = (channels, 4, 4)
            else:
                before = spec.channels[i - 1] if layer == "conv0" else channels
                shapes[f"{block}.{layer}.weight"] = (channels, before, 3, 3)
            _add_finish_shapes(shapes, spec, f"{block}.{layer}", resolution, channels)
        add_to_rgb_shapes(shapes, spec, resolution, channels)
    return shapes


def _add_finish_shapes(
    shapes: dict[str, tuple[int, ...]], spec: Spec, layer: str, resolution: int, channels: int
) -> None:
    """Tensors of what follows a convolution, or the constant."""
    if spec.noise:
        shapes[f"{layer}.noise_const"] = (resolution, resolution)
        shapes[f"{layer}.noise_strength"] = (channels,)
    shapes[f"{layer}.bias"] = (channels,)
    for part in ("affine", "shift"):
        shapes[f"{layer}.{part}.weight"] = (channels, spec.w_dim)
        shapes[f"{layer}.{part}.bias"] = (channels,)


def noise_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes [1, H, W] of the noise of each layer, for graphs that take it as inputs."""
    layers = [(size, layer) for size in resolutions(spec) for layer in ("conv0", "conv1")]
    return {noise_input(f"synthesis.b{size}.{layer}"): (1, size, size) for size, layer in layers}


def mapping(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, z: T, c: T | None, truncation_psi: T) -> dict[str, T]:
    """z [N, z_dim], c [N, c_dim], truncation_psi [N, num_ws] -> `ws` [N, num_ws, w_dim].

    z and the label's embedding are normalised together.

    Source: Karras et al. 2019 (StyleGAN), section 2 and appendix B.
    """
    x = z if c is None else ops.concat([z, ops.dense(c, weights["mapping.embed.weight"])])  # [N, z_dim or 2·z_dim]
    x = ops.pixel_norm(x)
    for i in range(spec.mapping_layers):
        x = ops.dense(x, weights[f"mapping.fc{i}.weight"], weights[f"mapping.fc{i}.bias"])
        x = ops.leaky_relu(x, SLOPE)
    return {"ws": ops.truncate(x, weights["mapping.w_avg"], truncation_psi)}


def synthesis(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, inputs: Mapping[str, T]) -> dict[str, T]:
    """`ws` [N, num_ws, w_dim] and noise -> `image` [N, C, H, W].

    Source: Karras et al. 2019 (StyleGAN), figure 1b and appendix C.
    """

    def finish(x: T, layer: str, index: int) -> T:
        """Noise, bias, leaky ReLU, then the style in place of the features' own mean and variance (equation 1)."""
        if spec.noise:
            x = ops.with_noise(x, layer_noise(weights, inputs, layer))
        x = ops.leaky_relu(ops.add_bias(x, weights[f"{layer}.bias"]), SLOPE)
        w = ops.select_w(inputs["ws"], index)  # [N, w_dim]
        scale, shift = (
            ops.dense(w, weights[f"{layer}.{part}.weight"], weights[f"{layer}.{part}.bias"])
            for part in ("affine", "shift")
        )
        return ops.shift_channels(ops.scale_channels(ops.instance_norm(x), scale), shift)

    fir = fir_taps(BLUR)
    x = ops.constant_map(weights["synthesis.b4.const"])  # [1, C, 4, 4]
    features: dict[int, T] = {}
    for i, resolution in enumerate(resolutions(spec)):
        first, second = (f"synthesis.b{resolution}.{name}" for name in ("conv0", "conv1"))
        if i > 0:
            x = ops.nearest_conv2d(x, weights[f"{first}.weight"], kernel_size=3)  # [N, C, 2H, 2W]
            x = ops.filter2d(x, fir, (1, 1))
        x = finish(x, first, 2 * i)
        x = finish(ops.conv2d(x, weights[f"{second}.weight"], 1), second, 2 * i + 1)
        features[resolution] = x
    return {"image": to_rgb(ops, weights, spec, features)}
