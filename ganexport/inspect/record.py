"""Runs a generator and keeps, for every layer with a kernel, what it gets and what it gives.

No architecture knows of it. A layer begins where a canonical kernel meets a map, and ends with what follows on that map
alone: noise, bias, activation, normalisation. A channel scale before the kernel is its style, one after it that comes
from the kernel's energy is its demodulation: both belong to the kernel that this picture has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import mapping, synthesis
from ganexport.generator import Generator
from ganexport.ops.numpy_ops import NumpyOps, float64_weights
from ganexport.ops.protocol import Fir, Padding
from ganexport.progress import SILENT, Progress

__all__ = ["Layer", "Recording", "layer_names", "record"]

Array = NDArray[np.float64]
Step = Callable[[Array], Array]

PREFIX, SUFFIX = "synthesis.", ".weight"
NO_LAYERS = ("affine", "shift", "depthwise")
"""The first two make a style of a w and belong to the layer that takes it; the third mixes no channels."""

V = TypeVar("V")


@dataclass
class Layer:
    """One layer of one picture.

    Attributes:
        name: As its canonical tensors have it, such as `b16.conv1`.
        kind: `convolution`, `transposed convolution` or `dense layer`; `modulated …` where a style scales its kernel.
        kernel: [O, I, kh, kw] as this picture uses it: scaled by the style and demodulated. A dense layer that gives a
            picture has one [C, I, H, W]: what each of its inputs draws.
        inputs: [1, I, H, W], before the style.
        output: [1, O, H, W] after noise, bias, activation and normalisation.
    """

    name: str
    kind: str
    kernel: Array
    inputs: Array
    output: Array
    _apply: Callable[[Array, Array], Array] = field(repr=False)
    _affine: list[Step] = field(default_factory=list, repr=False)
    _rest: list[Step] = field(default_factory=list, repr=False)
    _is_raw: bool = True
    _is_normed: bool = False

    @property
    def offset(self) -> Array:
        """[1, O, H, W]: what the layer gives before its activation when it gets nothing: noise and bias."""
        return self._linear(slice(0, 1), 0.0)

    def contribution(self, channel: int) -> Array:
        """[1, O, H, W]: what one input adds before the activation; all of them and `offset` sum to the whole."""
        chosen = slice(channel, channel + 1)
        return self._linear(chosen, 1.0) - self._linear(chosen, 0.0)

    def finish(self, total: Array) -> Array:
        """[1, O, H, W]: the activation, and what comes after it, of a sum of contributions and the offset."""
        for step in self._rest:
            total = step(total)
        return total

    def _linear(self, channels: slice, factor: float) -> Array:
        y = self._apply(factor * self.inputs[:, channels], self.kernel[:, channels])
        for step in self._affine:
            y = step(y)
        return y


@dataclass(frozen=True)
class Recording:
    """What was seen while one picture was drawn.

    Attributes:
        layers: By name, in the order in which they were used.
        image: [1, C, H, W].
        parts: What each layer that gives a picture adds to the image, at its full size; they sum to it.
    """

    layers: dict[str, Layer]
    image: Array
    parts: dict[str, Array]


def layer_names(tensors: Iterable[str]) -> list[str]:
    """Names of the layers that can be looked into, from the canonical tensors' names."""
    return [_layer_of(name) for name in tensors if _has_kernel(name)]


def _layer_of(name: str) -> str:
    return name.removeprefix(PREFIX).removesuffix(SUFFIX)


def _has_kernel(name: str) -> bool:
    return name.startswith(PREFIX) and name.endswith(SUFFIX) and name.split(".")[-2] not in NO_LAYERS


def record(generator: Generator, feeds: Mapping[str, NDArray[np.float32]], progress: Progress = SILENT) -> Recording:
    """Draw one picture in float64 and keep what every layer gets and gives.

    Args:
        generator: With its weights.
        feeds: `z` [1, z_dim], and what else the graphs of its bundle take, a batch of 1 each.
        progress: Told of each layer.
    """
    spec = generator.spec
    progress.stage("drawing the picture, layer by layer", len(layer_names(generator.weights)))
    weights = float64_weights(generator.weights)
    ops = _Recorder(weights, spec.image_channels, progress)
    values = {name: value.astype(np.float64) for name, value in feeds.items()}
    if spec.has_w_space:
        values |= mapping(NumpyOps(), weights, spec, values["z"], values.get("c"), values["truncation_psi"])
    image = synthesis(ops, weights, spec, values)["image"]
    for layer in ops.layers.values():
        layer.output = np.reshape(layer.output, (*layer.output.shape, 1, 1)[:4])  # vectors as maps of one pixel
    parts = ops.parts_of(image)
    return Recording(ops.layers, image, {name: parts[name] for name in ops.layers if name in parts})


class _Known(Generic[V]):
    """What is known of an array, found by the array itself."""

    def __init__(self) -> None:
        self._items: dict[int, tuple[Array, V]] = {}

    def __setitem__(self, array: Array, value: V) -> None:
        self._items[id(array)] = array, value  # the array is kept, so that no other gets its id

    def get(self, array: Array) -> V | None:
        found = self._items.get(id(array))
        return None if found is None else found[1]

    def pop(self, array: Array) -> V | None:
        found = self._items.pop(id(array), None)
        return None if found is None else found[1]


class _Recorder(NumpyOps):
    """The oracle, with a note of every layer."""

    def __init__(self, weights: Mapping[str, Array], image_channels: int, progress: Progress) -> None:
        self._progress = progress
        self.layers: dict[str, Layer] = {}
        self._image_channels = image_channels
        self._names: _Known[str] = _Known()
        for name in filter(_has_kernel, weights):
            self._names[weights[name]] = _layer_of(name)
        self._ends: _Known[Layer] = _Known()
        self._styled: _Known[tuple[Array, Array]] = _Known()
        self._demodulations: _Known[bool] = _Known()
        self._parts: _Known[dict[str, Array]] = _Known()

    def parts_of(self, picture: Array) -> dict[str, Array]:
        """What each layer adds to a picture; nothing where it is no sum of layers' pictures."""
        if (parts := self._parts.get(picture)) is not None:
            return parts
        end = self._ends.get(picture)
        return {end.name: picture} if end is not None and picture.shape[1] == self._image_channels else {}

    # -- where a layer begins ------------------------------------------------------------------------------------

    def conv2d(self, x: Array, kernel: Array, padding: int, stride: int = 1) -> Array:
        base = super().conv2d
        return self._begin("convolution", x, kernel, lambda x, kernel: base(x, kernel, padding, stride))

    def conv_transpose2d(self, x: Array, kernel: Array, stride: int, padding: int) -> Array:
        base = super().conv_transpose2d
        return self._begin("transposed convolution", x, kernel, lambda x, kernel: base(x, kernel, stride, padding))

    def dense(self, x: Array, weight: Array, bias: Array | None = None) -> Array:
        y = super().dense(x, weight, bias)
        if (name := self._names.get(weight)) is not None:
            base = super().conv_transpose2d
            layer = Layer(
                name,
                "dense layer",
                weight[:, :, None, None],
                x[:, :, None, None],
                y,
                lambda x, kernel: base(x, kernel, 1, 0),  # of one pixel: each input adds its kernel, times its value
            )
            if bias is not None:
                layer._affine.append(lambda y: y + bias.reshape(y.shape[1:]))
            self._keep(layer, y)
        return y

    def _begin(self, kind: str, x: Array, kernel: Array, apply: Callable[[Array, Array], Array]) -> Array:
        y = apply(x, kernel)
        if (name := self._names.get(kernel)) is not None:
            styled = self._styled.pop(x)
            if styled is not None:
                x, style = styled
                kind, kernel = f"modulated {kind}", kernel * style.reshape(1, -1, 1, 1)
            self._keep(Layer(name, kind, kernel, x, y, apply), y)
        return y

    def _keep(self, layer: Layer, y: Array) -> None:
        self.layers[layer.name] = layer
        self._ends[y] = layer
        self._progress.step()

    # -- what belongs to the kernel ------------------------------------------------------------------------------

    def demodulation(self, kernel: Array, style: Array) -> Array:
        d = super().demodulation(kernel, style)
        self._demodulations[d] = True
        return d

    def scale_channels(self, x: Array, s: Array) -> Array:
        base = super().scale_channels
        y = base(x, s)
        layer = self._ends.get(x)
        if layer is not None and self._demodulations.get(s):
            layer.kernel = layer.kernel * s.reshape(-1, 1, 1, 1)
            self._move(layer, x, y)
        elif layer is not None and layer._is_normed:
            return self._after(x, lambda x: base(x, s), affine=False)
        else:
            self._styled[y] = x, s
        return y

    # -- what follows on the map alone ---------------------------------------------------------------------------

    def add_bias(self, x: Array, bias: Array) -> Array:
        base = super().add_bias
        return self._after(x, lambda x: base(x, bias))

    def add_noise(self, x: Array, noise_const: Array, noise_strength: Array, noise_scale: Array) -> Array:
        base = super().add_noise
        return self._after(x, lambda x: base(x, noise_const, noise_strength, noise_scale))

    def add_given_noise(self, x: Array, noise: Array, noise_strength: Array) -> Array:
        base = super().add_given_noise
        return self._after(x, lambda x: base(x, noise, noise_strength))

    def as_picture(self, x: Array, channels: int) -> Array:
        y = super().as_picture(x, channels)
        if (layer := self._ends.get(x)) is not None:
            pixels = layer.kernel[:, :, 0, 0].reshape(*y.shape[1:], -1)  # [C, H, W, I]
            layer.kernel = np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
            self._move(layer, x, y)
        return y

    def scale(self, x: Array, factor: float) -> Array:
        base = super().scale
        if self._ends.get(x) is None:
            y = self._sum_of(x, lambda x: base(x, factor))
            if self._demodulations.get(x):
                self._demodulations[y] = True
            return y
        return self._after(x, lambda x: base(x, factor))

    def relu(self, x: Array) -> Array:
        return self._after(x, super().relu, affine=False)

    def leaky_relu(self, x: Array, slope: float) -> Array:
        base = super().leaky_relu
        return self._after(x, lambda x: base(x, slope), affine=False)

    def tanh(self, x: Array) -> Array:
        return self._after(x, super().tanh, affine=False)

    def clip(self, x: Array, limit: float) -> Array:
        base = super().clip
        return self._after(x, lambda x: base(x, limit), affine=False)

    def channel_pixel_norm(self, x: Array) -> Array:
        return self._after(x, super().channel_pixel_norm, affine=False)

    def instance_norm(self, x: Array) -> Array:
        y = self._after(x, super().instance_norm, affine=False)
        if (layer := self._ends.get(y)) is not None:
            layer._is_normed = True
        return y

    def shift_channels(self, x: Array, s: Array) -> Array:
        base = super().shift_channels
        return self._after(x, lambda x: base(x, s), affine=False)

    def filtered_leaky_relu(self, x: Array, *filters: Array, **settings: Any) -> Array:
        base = super().filtered_leaky_relu
        return self._after(x, lambda x: base(x, *filters, **settings), affine=False)

    # -- what changes the size: of a map right after its kernel, or of a picture and its parts -------------------

    def filter2d(self, x: Array, fir: Fir, padding: Padding) -> Array:
        base = super().filter2d
        return self._resampled(x, lambda x: base(x, fir, padding))

    def upsample2d(self, x: Array, fir: Fir) -> Array:
        base = super().upsample2d
        return self._resampled(x, lambda x: base(x, fir))

    def nearest_upsample2d(self, x: Array) -> Array:
        return self._sum_of(x, super().nearest_upsample2d)

    def bilinear_upsample2d(self, x: Array) -> Array:
        return self._sum_of(x, super().bilinear_upsample2d)

    def reflect_pad2d(self, x: Array, width: int) -> Array:
        base = super().reflect_pad2d
        return self._sum_of(x, lambda x: base(x, width))

    def add(self, a: Array, b: Array) -> Array:
        y = super().add(a, b)
        parts = self.parts_of(a), self.parts_of(b)
        if all(parts):
            self._parts[y] = {**parts[0], **parts[1]}
        return y

    def _after(self, x: Array, step: Step, *, affine: bool = True) -> Array:
        """A step on the map of a layer alone, or on anything else."""
        y = step(x)
        if (layer := self._ends.get(x)) is not None:
            layer._is_raw = False
            (layer._affine if affine and not layer._rest else layer._rest).append(step)
            self._move(layer, x, y)
        return y

    def _resampled(self, x: Array, step: Step) -> Array:
        layer = self._ends.get(x)
        if layer is None or not layer._is_raw:
            return self._sum_of(x, step)
        y = self._after(x, step)
        layer._is_raw = True
        return y

    def _sum_of(self, x: Array, step: Step) -> Array:
        """A linear step on a picture: what it makes of the parts are the parts of what it makes."""
        y = step(x)
        if parts := self.parts_of(x):
            self._parts[y] = {name: step(part) for name, part in parts.items()}
        return y

    def _move(self, layer: Layer, x: Array, y: Array) -> None:
        """The layer ends with y, no more with x."""
        self._ends.pop(x)
        self._ends[y] = layer
        layer.output = y
