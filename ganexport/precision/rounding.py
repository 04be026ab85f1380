"""Rounding to few bits so that errors cancel: each weight is rounded in the light of the errors made before it.

A layer's inputs are correlated: neighbouring pixels are alike, and so are channels. So an error in one weight can be
made good by the next ones. How the inputs go together is measured on the network's own pictures of fixed seeds, in
float64; the same weights and the same plan give the same codes. Errors of pictures become about a third.

Source: Frantar et al. 2023 (GPTQ), section 3; Hassibi and Stork 1993 (Optimal Brain Surgeon), section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ganexport.architectures import carried, extra_inputs, mapping, noise_shapes, synthesis
from ganexport.generator import Generator
from ganexport.latents import one_hot, z_from_seeds
from ganexport.manifest import Storage
from ganexport.ops.graph import Stored
from ganexport.ops.numpy_ops import NumpyOps, float64_weights
from ganexport.ops.protocol import Fir
from ganexport.precision.storage import FINE, Plan, limit, scales, to_nearest, with_codes
from ganexport.spec import GeneratorSpec

__all__ = ["Rounding", "stored_weights"]

Array = NDArray[np.float64]

FIRST_SEED = 100_000
"""Of the pictures on which inputs are measured: none that anybody compares."""

PICTURES = 32
EARLY = 64
"""Size of the block up to which all these pictures are drawn; of large ones some are drawn whole."""

PATCHES = 1024
"""Places of a map, at most, at which the inputs are looked at in each picture."""

GROUP = 64
"""Input channels, at most, whose errors make each other good; more would cost much and gain little."""

DENSE_GROUP = 576
"""The same for a dense layer."""

DAMPING = 0.1
"""Added to the squares of the inputs, as a share of their mean: what was measured is a sample."""

BLOCK = 48
"""Weights that are rounded before their errors are carried on to the rest of the group."""


def stored_weights(generator: Generator, plan: Plan) -> dict[str, Stored]:
    """The codes of every weight that a plan names; the same on every call."""
    return Rounding(generator, [name for name, storage in plan.items() if storage not in FINE]).stored(plan)


class Rounding:
    """Rounds the weights of a generator for one plan after the other; what is measured is measured once."""

    def __init__(self, generator: Generator, names: Iterable[str]) -> None:
        self._generator, self._names = generator, tuple(names)
        self._moments: dict[str, list[Array]] | None = None
        self._carries: dict[str, list[Array]] = {}
        self._known: dict[tuple[str, Storage], Stored] = {}

    def stored(self, plan: Plan) -> dict[str, Stored]:
        """The codes of every weight that a plan names; what is rounded to few bits is among the names given."""
        return {name: self._one(name, storage) for name, storage in plan.items()}

    def measure(self) -> dict[str, list[Array]]:
        """How the inputs of each weight go together."""
        if self._moments is None:
            self._moments = measured_inputs(self._generator, self._names)
        return self._moments

    def _one(self, name: str, storage: Storage) -> Stored:
        if (name, storage) not in self._known:
            self._known[name, storage] = self._rounded(name, storage)
        return self._known[name, storage]

    def _rounded(self, name: str, storage: Storage) -> Stored:
        weight = self._generator.weights[name]
        if storage in FINE or name not in self.measure():
            return to_nearest(weight, storage)
        if name not in self._carries:
            self._carries[name] = [_carry(products) for products in self.measure()[name]]
        return _with_feedback(weight, storage, self._carries[name])


def measured_inputs(generator: Generator, names: Iterable[str]) -> dict[str, list[Array]]:
    """For each of these weights the mean products of its inputs: [n, n] for every group of input channels.

    A weight that no dense layer or convolution uses is left out.
    """
    spec, wanted = generator.spec, set(names)
    if not wanted:
        return {}
    weights = float64_weights(generator.weights)
    ops = _Watcher({id(tensor): name for name, tensor in weights.items() if name in wanted})
    whole = max(2, min(PICTURES, 1024 // spec.resolution))
    early = spec.resolution > EARLY and bool(carried(spec, EARLY))
    for i in range(PICTURES if early else whole):
        inputs = _inputs(spec, FIRST_SEED + i)
        if spec.has_w_space:
            psi = np.ones((1, spec.num_ws))
            inputs |= mapping(ops, weights, spec, inputs["z"], inputs.get("c"), psi)
        synthesis(ops, weights, spec, inputs, EARLY if early and i >= whole else None)
    return ops.moments


def _inputs(spec: GeneratorSpec, seed: int) -> dict[str, Array]:
    """Of one picture, noise as it is stored."""
    feeds = {"z": z_from_seeds([seed], spec.z_dim, spec.z_distribution)}
    if spec.c_dim:
        feeds["c"] = one_hot([seed % spec.c_dim], spec.c_dim)
    if noise_shapes(spec):
        feeds["noise_scale"] = np.ones(1, np.float32)
    feeds |= {name: value[None] for name, value in extra_inputs(spec).items()}
    return {name: value.astype(np.float64) for name, value in feeds.items()}


def _carry(products: Array) -> Array:
    """Mean products [n, n] of inputs -> share of each weight's error that those after it take over, row by row."""
    damped = products + np.eye(len(products)) * (DAMPING * np.mean(np.diag(products)) or 1.0)
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    return np.asarray(upper / np.diag(upper)[:, None])


def _with_feedback(weight: NDArray[np.float32], storage: Storage, carries: list[Array]) -> Stored:
    """Codes of a weight [O, I, …] that keep its products with such inputs."""
    scale, most = scales(weight, storage), limit(storage)
    rest = weight.reshape(len(weight), -1) / scale.reshape(-1, 1).astype(np.float64)  # [O, n], in steps
    codes = np.empty_like(rest)
    first = 0
    for carry in carries:
        group = slice(first, first + len(carry))
        codes[:, group] = _rounded_group(rest[:, group], carry, most)
        first += len(carry)
    return with_codes(codes.reshape(weight.shape), scale, storage)


def _rounded_group(rest: Array, carry: Array, most: int) -> Array:
    """Whole numbers for the columns of [O, n]; each column's error goes to those after it by its row of `carry`."""
    codes, errors = np.empty_like(rest), np.empty_like(rest)
    for start in range(0, rest.shape[1], BLOCK):
        end = min(start + BLOCK, rest.shape[1])
        for i in range(start, end):
            codes[:, i] = np.clip(np.rint(rest[:, i]), -most, most)
            errors[:, i] = rest[:, i] - codes[:, i]
            rest[:, i + 1 : end] -= np.outer(errors[:, i], carry[i, i + 1 : end])
        rest[:, end:] -= errors[:, start:end] @ carry[start:end, end:]
    return codes


class _Watcher(NumpyOps):
    """Sums up the products of the inputs that meet each weight of a name."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = dict(names)
        self.moments: dict[str, list[Array]] = {}

    def dense(self, x: Array, weight: Array, bias: Array | None = None) -> Array:
        self._look(weight, x[:, :, None, None, None, None])
        return super().dense(x, weight, bias)

    def conv2d(self, x: Array, kernel: Array, padding: int, stride: int = 1) -> Array:
        padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        windows = sliding_window_view(padded, kernel.shape[2:], axis=(2, 3))
        self._look(kernel, windows[:, :, ::stride, ::stride])
        return super().conv2d(x, kernel, padding, stride)

    def conv_transpose2d(self, x: Array, kernel: Array, stride: int, padding: int) -> Array:
        n, c, h, w = x.shape
        spread = np.zeros((n, c, (h - 1) * stride + 1, (w - 1) * stride + 1))
        spread[:, :, ::stride, ::stride] = x
        self._look_turned(kernel, spread, kernel.shape[2] - 1 - padding)
        return super().conv_transpose2d(x, kernel, stride, padding)

    def upsample_conv2d(self, x: Array, kernel: Array, fir: Fir, kernel_size: int) -> Array:
        # The filter comes after the kernel, and might as well come before it: this is what the kernel would meet.
        n, c, h, w = x.shape
        spread = np.zeros((n, c, 2 * h, 2 * w))
        spread[:, :, ::2, ::2] = x
        taps, half = len(fir), kernel_size // 2
        filtered = self.filter2d(spread, fir * 4.0, ((taps + 1) // 2 + half, (taps - 2) // 2 + half))
        self._look_turned(kernel, filtered, 0)
        name = self._names.pop(id(kernel), None)
        y = super().upsample_conv2d(x, kernel, fir, kernel_size)
        if name is not None:
            self._names[id(kernel)] = name
        return y

    def _look_turned(self, kernel: Array, x: Array, padding: int) -> None:
        """At windows as a transposed convolution lays its kernel over them, turned by 180 degrees."""
        if id(kernel) in self._names:
            padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
            windows = sliding_window_view(padded, kernel.shape[2:], axis=(2, 3))
            self._look(kernel, windows[..., ::-1, ::-1])

    def _look(self, kernel: Array, windows: Array) -> None:
        """Windows [N, I, rows, columns, kh, kw] that meet a kernel [O, I, kh, kw]."""
        name = self._names.get(id(kernel))
        if name is None:
            return
        n, channels, rows, columns, kh, kw = windows.shape
        places = np.random.RandomState(0).permutation(n * rows * columns)[:PATCHES]
        picture, row, column = np.unravel_index(places, (n, rows, columns))
        step = GROUP if kh * kw > 1 else DENSE_GROUP
        for index, first in enumerate(range(0, channels, step)):
            patches = windows[picture, first : first + step, row, column].reshape(len(places), -1)
            products = patches.T @ patches
            known = self.moments.setdefault(name, [])
            if index < len(known):
                known[index] += products
            else:
                known.append(products)
