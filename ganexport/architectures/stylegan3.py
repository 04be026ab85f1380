"""StyleGAN3, the alias-free generator, in its configurations T and R (Karras et al. 2021).

Fourier features, then layers that convolve, and apply their leaky ReLU at a higher sampling rate between two FIR
filters; the last layer gives RGB. Every layer is called as published, `L{index}_{size}_{channels}`.

Canonical kernels have a mean square of 1 for each output channel. The filters are tensors: [n] is used along both axes,
[n, n] (radially symmetric ones of configuration R) as it is. An input's gain is data of its layer, since demodulation
would take it out of a kernel again; to-RGB, which has none, holds it in its affine, with 1/√I and the output's scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ganexport.architectures._mapping import GAIN, SLOPE, MappedSpec, mapping, mapping_shapes
from ganexport.ops.protocol import Ops

__all__ = ["Layer", "Spec", "extra_inputs", "layer_names", "mapping", "synthesis", "weight_shapes"]

T = TypeVar("T")
W = TypeVar("W")

TINY = 1e-12
"""Guard of the lengths of two vectors; the published network has none."""

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Layer(BaseModel):
    """One layer before the last.

    Attributes:
        channels: Feature maps that it gives.
        size: Their height and width.
        kernel: Height and width of the kernel; the convolution pads by `kernel` − 1 on each side.
        up: How much higher the sampling rate of the leaky ReLU is than that of the layer's input.
        up_taps: Taps of the filter that brings it there.
        up_radial: Whether that filter is two-dimensional, and not the square of a one-dimensional one.
        down: How much lower the sampling rate of the output is than that of the leaky ReLU.
        down_taps: Taps of the filter that brings it there.
        down_radial: Whether that filter is two-dimensional.
        pad_before: Zeros before the first row and column at the higher rate; negative crops.
        pad_after: Zeros after the last.
        input_gain: 1 / √(mean square of the layer's input in training).
        clamp: Activations are cut to ± this; null for no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    channels: int = Field(ge=1, le=65536)
    size: int = Field(ge=1, le=8192)
    kernel: int = Field(ge=1, le=16)
    up: int = Field(ge=1, le=16)
    up_taps: int = Field(ge=1, le=256)
    up_radial: bool = False
    down: int = Field(ge=1, le=16)
    down_taps: int = Field(ge=1, le=256)
    down_radial: bool = False
    pad_before: int = Field(ge=-8192, le=8192)
    pad_after: int = Field(ge=-8192, le=8192)
    input_gain: float = Field(gt=0, allow_inf_nan=False)
    clamp: float | None = Field(default=None, gt=0)

    def size_after(self, size: int) -> int:
        """Rows of the output for `size` rows of input; below 1 where there are none."""
        convolved = size + self.kernel - 1
        finer = convolved * self.up + self.pad_before + self.pad_after - self.up_taps + 1
        return (finer - self.down_taps) // self.down + 1 if finer > 0 else 0


class Spec(MappedSpec):
    """A StyleGAN3 generator.

    Attributes:
        input_channels: Sines of the Fourier features.
        input_size: Their height and width, in samples.
        sampling_rate: Their samples in the picture's width.
        bandwidth: Frequencies up to this keep their amplitude; up to half the sampling rate it falls to 0. In cycles in
            the picture's width.
        layers: From the Fourier features on; to-RGB is not among them.
        rgb_clamp: The picture is cut to ± this; null for no limit.
        transform: Default of the input `transform`: the inverse of the transformation of the picture.
    """

    architecture: Literal["stylegan3"] = "stylegan3"
    input_channels: int = Field(ge=1, le=65536)
    input_size: int = Field(ge=1, le=8192)
    sampling_rate: float = Field(gt=0, allow_inf_nan=False)
    bandwidth: float = Field(ge=0, allow_inf_nan=False)
    layers: tuple[Layer, ...] = Field(min_length=1)
    rgb_clamp: float | None = Field(default=None, gt=0)
    transform: Matrix = IDENTITY

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("layers"), list | tuple):
            return {"num_ws": len(data["layers"]) + 2, **data}
        return data

    @model_validator(mode="after")
    def _check_layers(self) -> Spec:
        size = self.input_size
        for index, layer in enumerate(self.layers):
            if layer.size_after(size) != layer.size:
                raise ValueError(f"layer {index} makes {layer.size_after(size)} rows of {size}, not {layer.size}")
            size = layer.size
        if size != self.resolution:
            raise ValueError(f"the layers end at {size}², but the resolution is {self.resolution}²")
        if self.num_ws != len(self.layers) + 2:
            raise ValueError(f"num_ws must be {len(self.layers) + 2}, found {self.num_ws}")
        if self.bandwidth >= self.sampling_rate / 2:
            raise ValueError(f"bandwidth {self.bandwidth:g} must be below half of sampling_rate {self.sampling_rate:g}")
        if not np.isfinite(self.transform).all():
            raise ValueError(f"transform must be finite, found {self.transform}")
        return self


def layer_names(spec: Spec) -> list[str]:
    """Names of the layers, to-RGB the last."""
    sizes = [*((layer.size, layer.channels) for layer in spec.layers), (spec.resolution, spec.image_channels)]
    return [f"L{index}_{size}_{channels}" for index, (size, channels) in enumerate(sizes)]


def weight_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the canonical tensors, in the order in which they are used."""
    shapes = mapping_shapes(spec)
    into = spec.input_channels
    shapes["synthesis.input.affine.weight"] = (4, spec.w_dim)
    shapes["synthesis.input.affine.bias"] = (4,)
    shapes["synthesis.input.freqs"] = (into, 2)
    shapes["synthesis.input.phases"] = (into,)
    shapes["synthesis.input.weight"] = (into, into, 1, 1)
    *names, rgb = layer_names(spec)

    def styled(name: str, out: int, size: int) -> None:
        shapes[f"synthesis.{name}.affine.weight"] = (into, spec.w_dim)
        shapes[f"synthesis.{name}.affine.bias"] = (into,)
        shapes[f"synthesis.{name}.weight"] = (out, into, size, size)
        shapes[f"synthesis.{name}.bias"] = (out,)

    for name, layer in zip(names, spec.layers, strict=True):
        styled(name, layer.channels, layer.kernel)
        shapes[f"synthesis.{name}.up_filter"] = (layer.up_taps,) * (2 if layer.up_radial else 1)
        shapes[f"synthesis.{name}.down_filter"] = (layer.down_taps,) * (2 if layer.down_radial else 1)
        into = layer.channels
    styled(rgb, spec.image_channels, 1)
    return shapes


def extra_inputs(spec: Spec) -> dict[str, NDArray[np.float32]]:
    """`transform` [3, 3]: the inverse of the transformation of the picture, in its own width; as it was recorded."""
    return {"transform": np.asarray(spec.transform, np.float32)}


def synthesis(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, inputs: Mapping[str, T]) -> dict[str, T]:
    """`ws` [N, num_ws, w_dim] and `transform` [N, 3, 3] -> `image` [N, C, H, W].

    Source: Karras et al. 2021 (StyleGAN3), section 3, figure 4 and appendix F.
    """
    ws = inputs["ws"]
    *names, rgb = layer_names(spec)
    x = _fourier_features(ops, weights, spec, ops.select_w(ws, 0), inputs["transform"])  # [N, C, S, S]
    for index, (name, layer) in enumerate(zip(names, spec.layers, strict=True)):
        x = _layer(ops, weights, f"synthesis.{name}", layer, x, ops.select_w(ws, index + 1))
    style = _style(ops, weights, f"synthesis.{rgb}", ops.select_w(ws, spec.num_ws - 1))
    kernel, bias = weights[f"synthesis.{rgb}.weight"], weights[f"synthesis.{rgb}.bias"]
    x = ops.add_bias(ops.modulated_conv2d(x, kernel, style, kernel_size=1, demodulate=False), bias)
    return {"image": x if spec.rgb_clamp is None else ops.clip(x, spec.rgb_clamp)}


def _fourier_features(ops: Ops[T, W], weights: Mapping[str, W], spec: Spec, w: T, transform: T) -> T:
    """w [N, w_dim], transform [N, 3, 3] -> [N, C, S, S].

    Sines over a plane that the user's matrix transforms, then w moves and turns; those that come near half the sampling
    rate fade out.

    Source: Karras et al. 2021 (StyleGAN3), section 3.1 and appendix F.
    """
    right, down, offset = _transformed_waves(ops, weights, w, transform)  # [N, C] each
    square = ops.add(ops.multiply(right, right), ops.multiply(down, down))
    frequency = ops.multiply(square, ops.rsqrt(square, TINY))
    nyquist = spec.sampling_rate / 2
    fading = 1.0 / (nyquist - spec.bandwidth)
    amplitude = ops.clip(ops.relu(ops.shift(ops.scale(frequency, -fading), nyquist * fading)), 1.0)  # within 0 … 1

    indices = np.arange(spec.input_size, dtype=np.float64)
    centres = (indices + (1 - spec.input_size) / 2) / spec.sampling_rate
    waves = ops.sine(ops.ramps(right, down, offset, centres))
    return ops.conv2d(ops.scale_channels(waves, amplitude), weights["synthesis.input.weight"], 0)


def _transformed_waves(ops: Ops[T, W], weights: Mapping[str, W], w: T, transform: T) -> tuple[T, T, T]:
    """Cycles to the right, cycles down and phase [N, C] of every wave on the plane that is moved and turned."""
    name = "synthesis.input"
    t = ops.dense(w, weights[f"{name}.affine.weight"], weights[f"{name}.affine.bias"])  # [N, 4]
    cosine, sine = ops.feature(t, 0), ops.feature(t, 1)  # [N, 1], up to their common length
    length = ops.rsqrt(ops.add(ops.multiply(cosine, cosine), ops.multiply(sine, sine)), TINY)
    cosine, sine, x, y = (ops.multiply(part, length) for part in (cosine, sine, ops.feature(t, 2), ops.feature(t, 3)))

    def minus(a: T, b: T) -> T:
        return ops.add(a, ops.scale(b, -1.0))

    first, second, third = (ops.select_w(transform, row) for row in range(3))  # rows [N, 3]
    first, second = minus(first, ops.multiply(third, x)), minus(second, ops.multiply(third, y))
    turned = (
        minus(ops.multiply(first, cosine), ops.multiply(second, sine)),
        ops.add(ops.multiply(first, sine), ops.multiply(second, cosine)),
    )
    right, down, moved = (ops.concat([ops.feature(row, column) for row in turned]) for column in range(3))  # [N, 2]
    freqs = weights[f"{name}.freqs"]
    return ops.dense(right, freqs), ops.dense(down, freqs), ops.dense(moved, freqs, weights[f"{name}.phases"])


def _layer(ops: Ops[T, W], weights: Mapping[str, W], name: str, layer: Layer, x: T, w: T) -> T:
    """Modulated convolution, bias, then a leaky ReLU that does not alias: [N, I, H, W] -> [N, O, size, size]."""
    kernel = weights[f"{name}.weight"]
    # As published, the mean is that of the whole batch. Demodulation takes it out again: each picture has its own.
    style = ops.pixel_norm(_style(ops, weights, name, w))  # [N, I]
    x = ops.conv2d(ops.scale_channels(x, style), kernel, layer.kernel - 1)  # [N, O, H + k − 1, W + k − 1]
    x = ops.scale_channels(x, ops.scale(ops.demodulation(kernel, style), layer.input_gain))
    return ops.filtered_leaky_relu(
        ops.add_bias(x, weights[f"{name}.bias"]),
        weights[f"{name}.up_filter"],
        weights[f"{name}.down_filter"],
        up=layer.up,
        down=layer.down,
        padding=(layer.pad_before, layer.pad_after),
        slope=SLOPE,
        gain=GAIN,
        limit=layer.clamp,
    )


def _style(ops: Ops[T, W], weights: Mapping[str, W], name: str, w: T) -> T:
    return ops.dense(w, weights[f"{name}.affine.weight"], weights[f"{name}.affine.bias"])
