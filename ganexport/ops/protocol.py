"""`Ops`: the small language in which every architecture is written once.

Shapes in this file are logical: vectors are [N, F], maps are [N, C, H, W]. An interpreter may keep maps in another
layout, so an architecture never broadcasts by hand: a channel scale is `scale_channels`.

`T` is an interpreter's tensor, `W` what it uses for a weight. Weights come in canonical layout (dense [O, I], kernels
[O, I, kh, kw], also for transposed convolutions) and are only ever passed to parameters typed `W`.

Composites have a default body made of the primitives. An interpreter replaces one where its runtime has a faster form:
that is the one seam for target-specific lowering.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["EPSILON", "Activation", "Fir", "GivenNoise", "Noise", "Ops", "Padding", "StoredNoise", "fir_taps"]

EPSILON = 1e-8
"""Guard of every division by a norm, as published for Progressive GAN, StyleGAN and StyleGAN2."""

T = TypeVar("T")
W = TypeVar("W")

Fir = NDArray[np.float64]
"""A 2-D filter [fh, fw], applied as a convolution (that is, flipped when it slides)."""

Padding = tuple[int, int]
"""Zeros before and after, the same in height and width; negative values crop."""


@dataclass(frozen=True)
class StoredNoise(Generic[T, W]):
    """Noise of a layer that comes with the weights: const [H, W] · strength [] or [C] · scale [N]."""

    const: W
    strength: W
    scale: T


@dataclass(frozen=True)
class GivenNoise(Generic[T, W]):
    """Noise of a layer that is an input: noise [N, 1, H, W] · strength [] or [C]."""

    noise: T
    strength: W


Noise = StoredNoise[T, W] | GivenNoise[T, W]


@dataclass(frozen=True)
class Activation:
    """What follows a layer: leaky ReLU, times `gain`, cut to ±limit.

    The gain is positive, so it may as well come before the leaky ReLU.
    """

    slope: float
    gain: float = 1.0
    limit: float | None = None


def fir_taps(taps: Sequence[float] | Sequence[Sequence[float]]) -> Fir:
    """Resample filter from its taps: the outer product of 1-D taps, scaled to sum 1.

    Source: `setup_filter` as described for StyleGAN2-ADA (Karras et al. 2020, appendix).
    """
    fir = np.asarray(taps, dtype=np.float64)
    if fir.ndim == 1:
        fir = np.outer(fir, fir)
    return np.asarray(fir / fir.sum())


class Ops(Protocol[T, W]):
    """What an interpreter must be able to do, and the composites that it may do better."""

    # -- vectors [N, F] ------------------------------------------------------------------------------------------

    @abstractmethod
    def dense(self, x: T, weight: W, bias: W | None = None) -> T:
        """x [N, I], weight [O, I], bias [O] -> [N, O]."""

    @abstractmethod
    def concat(self, xs: Sequence[T]) -> T:
        """Vectors or maps joined along features or channels."""

    @abstractmethod
    def mean_square(self, x: T) -> T:
        """x [N, F] -> [N, 1]: the mean of x² over the features."""

    @abstractmethod
    def as_map(self, x: T, size: int) -> T:
        """x [N, F] -> [N, F, size, size]: each feature in all the pixels of a map of its own."""

    @abstractmethod
    def as_picture(self, x: T, channels: int) -> T:
        """x [N, C·S·S] -> [N, C, S, S]: the features are pixels in the order channel, row, column."""

    @abstractmethod
    def as_vector(self, x: T) -> T:
        """x [N, F, 1, 1] -> [N, F]."""

    @abstractmethod
    def as_ws(self, x: T, num_ws: int) -> T:
        """x [N, num_ws · F] -> ws [N, num_ws, F]."""

    @abstractmethod
    def feature(self, x: T, index: int) -> T:
        """x [N, F] -> [N, 1]: its feature `index`."""

    @abstractmethod
    def truncate(self, w: T, w_avg: W, psi: T) -> T:
        """w [N, w_dim], w_avg [w_dim], psi [N, num_ws] -> ws [N, num_ws, w_dim] = w_avg + psi·(w − w_avg)."""

    @abstractmethod
    def select_w(self, ws: T, index: int) -> T:
        """ws [N, num_ws, w_dim] -> w [N, w_dim] of layer `index`."""

    # -- elementwise, any shape ----------------------------------------------------------------------------------

    @abstractmethod
    def add(self, a: T, b: T) -> T:
        """a + b, of one shape up to a batch of 1."""

    @abstractmethod
    def multiply(self, a: T, b: T) -> T:
        """a · b, of one shape, or b [N, 1] with a [N, F]."""

    @abstractmethod
    def scale(self, x: T, factor: float) -> T:
        """x · factor."""

    @abstractmethod
    def shift(self, x: T, amount: float) -> T:
        """x + amount."""

    @abstractmethod
    def rsqrt(self, x: T, floor: float) -> T:
        """1 / √max(x, floor)."""

    @abstractmethod
    def relu(self, x: T) -> T:
        """max(x, 0)."""

    @abstractmethod
    def leaky_relu(self, x: T, slope: float) -> T:
        """X where x > 0, else slope · x."""

    @abstractmethod
    def tanh(self, x: T) -> T:
        """Hyperbolic tangent."""

    @abstractmethod
    def sine(self, x: T) -> T:
        """sin(2π·x): x counts cycles."""

    @abstractmethod
    def erf(self, x: T) -> T:
        """The error function."""

    @abstractmethod
    def clip(self, x: T, limit: float) -> T:
        """X cut to ±limit."""

    # -- maps [N, C, H, W] ---------------------------------------------------------------------------------------

    @abstractmethod
    def constant_map(self, const: W) -> T:
        """const [C, H, W] -> [1, C, H, W]; the batch broadcasts."""

    @abstractmethod
    def ramps(self, right: T, down: T, offset: T, positions: NDArray[np.float64]) -> T:
        """right, down, offset [N, C] and positions [S] -> [N, C, S, S]: right·x + down·y + offset in every channel."""

    @abstractmethod
    def scale_channels(self, x: T, s: T) -> T:
        """x [N, C, H, W] · s [N, C]."""

    @abstractmethod
    def shift_channels(self, x: T, s: T) -> T:
        """x [N, C, H, W] + s [N, C]."""

    @abstractmethod
    def add_bias(self, x: T, bias: W) -> T:
        """x [N, C, H, W] + bias [C]."""

    @abstractmethod
    def add_noise(self, x: T, noise_const: W, noise_strength: W, noise_scale: T) -> T:
        """x + noise_const [H, W] · noise_strength · noise_scale [N].

        A strength [] is the same in every channel (StyleGAN2), a strength [C] differs (StyleGAN). Neither x nor the
        scale need a batch of more than 1.
        """

    @abstractmethod
    def add_given_noise(self, x: T, noise: T, noise_strength: W) -> T:
        """x + noise · noise_strength [] or [C]; the noise is [N, 1, H, W] in every interpreter's layout."""

    @abstractmethod
    def noise_window(self, noise: T, size: int) -> T:
        """noise [N, S, S, 1] -> [N, 1, size, size]: its first rows and columns, swapped; for `add_given_noise`."""

    @abstractmethod
    def const_window(self, noise_const: W, size: int) -> W:
        """noise_const [S, S] -> [size, size]: its first rows and columns, swapped; for `add_noise`."""

    @abstractmethod
    def conv2d(self, x: T, kernel: W, padding: int, stride: int = 1) -> T:
        """Correlation with kernel [O, I, kh, kw] at every `stride`-th place, `padding` zeros on each side."""

    @abstractmethod
    def depthwise_conv2d(self, x: T, kernel: W, padding: int) -> T:
        """Each channel correlated with its own of kernel [C, 1, kh, kw], stride 1, `padding` zeros on each side."""

    @abstractmethod
    def conv_transpose2d(self, x: T, kernel: W, stride: int, padding: int) -> T:
        """Transposed convolution: each input pixel adds kernel [O, I, k, k], unflipped, at `stride` · its place.

        The result has (H − 1)·stride + k − 2·padding rows.
        """

    @abstractmethod
    def reflect_pad2d(self, x: T, width: int) -> T:
        """The map mirrored in its edges, `width` pixels on each side; the edge pixels are not repeated."""

    @abstractmethod
    def filter2d(self, x: T, fir: Fir, padding: Padding) -> T:
        """Every channel convolved with `fir` after zero padding."""

    @abstractmethod
    def upsample2d(self, x: T, fir: Fir) -> T:
        """Twice the size: zeros between the pixels, then `fir` with gain 4.

        Source: `upfirdn2d` with up = 2 (Karras et al. 2020): zeros before and after are (n + 1) // 2 and
        (n − 2) // 2 for n taps.
        """

    @abstractmethod
    def fir_upsample2d(self, x: T, fir: W, factor: int, padding: Padding, gain: float) -> T:
        """`factor` times the size: zeros after each pixel, `padding`, then convolved with `fir` times `gain`.

        The filter is [n], for both axes, or [n, n]. The result has H·factor + before + after − n + 1 rows.

        Source: `upfirdn2d` (Karras et al. 2020); for the filters, Karras et al. 2021 (StyleGAN3), section 3.
        """

    @abstractmethod
    def fir_downsample2d(self, x: T, fir: W, factor: int) -> T:
        """Convolved with `fir` [n] or [n, n] without padding, then every `factor`-th pixel from the first on."""

    @abstractmethod
    def nearest_upsample2d(self, x: T) -> T:
        """Twice the size: each pixel becomes a square of four.

        Source: Karras et al. 2018 (Progressive GAN), section 2 and appendix A.
        """

    @abstractmethod
    def bilinear_upsample2d(self, x: T) -> T:
        """Twice the size: linear between the centres of the pixels; beyond the edge the edge goes on."""

    @abstractmethod
    def instance_norm(self, x: T) -> T:
        """Each channel of each picture brought to mean 0 and variance 1: (x − mean) / √(variance + ε).

        Source: Ulyanov et al. 2017 (Instance Normalization), equation 3; Karras et al. 2019 (StyleGAN), equation 1.
        """

    @abstractmethod
    def channel_pixel_norm(self, x: T) -> T:
        """Each pixel's channels brought to a mean square of 1: x / √(mean of x² over the channels + ε).

        Source: Karras et al. 2018 (Progressive GAN), section 4.2.
        """

    @abstractmethod
    def channel_norm(self, x: T, gain: W, bias: W, epsilon: float) -> T:
        """Each pixel's channels brought to mean 0 and variance 1, then · gain [C] + bias [C].

        Source: Ba et al. 2016 (Layer Normalization), section 3, over the channels of one pixel.
        """

    @abstractmethod
    def linear_attention(self, q: T, k: T, v: T, heads: int) -> T:
        """Maps [N, C, H, W], of which each head has a share of C / heads channels -> [N, C, H, W].

        In a head every pixel's q becomes a softmax over the channels, every channel's k one over the pixels; a pixel
        gets its q · (Σ over the pixels of k ⊗ v).

        Source: Shen et al. 2021 (Efficient Attention), section 3.2.
        """

    @abstractmethod
    def kernel_energy(self, kernel: W) -> W:
        """Kernel [O, I, kh, kw] -> [O, I]: the sum of its squares over the window."""

    # -- composites ----------------------------------------------------------------------------------------------

    def pixel_norm(self, x: T) -> T:
        """x [N, F] scaled to unit mean square.

        Source: Karras et al. 2018 (Progressive GAN), section 4.2.
        """
        return self.multiply(x, self.rsqrt(self.mean_square(x), EPSILON))

    def gelu(self, x: T) -> T:
        """x · Φ(x), Φ being the normal distribution function.

        Source: Hendrycks and Gimpel 2016 (Gaussian Error Linear Units), section 2.
        """
        return self.scale(self.multiply(x, self.shift(self.erf(self.scale(x, math.sqrt(0.5))), 1.0)), 0.5)

    def upsample_conv2d(self, x: T, kernel: W, fir: Fir, kernel_size: int) -> T:
        """Twice the size and convolved: transposed convolution with stride 2, then `fir` with gain 4.

        The order is the published one (StyleGAN2, `conv2d_resample`): padding k // 2 of the convolution and the
        filter's own are joined and spent on the filter.
        """
        taps, half = fir.shape[0], kernel_size // 2
        before = half + (taps + 1) // 2 - (kernel_size - 1)
        after = half + (taps - 2) // 2 - (kernel_size - 2)
        y = self.conv_transpose2d(x, kernel, stride=2, padding=0)  # [N, O, 2H + k − 2, …]
        return self.filter2d(y, fir * 4.0, (before, after))  # [N, O, 2H, 2W]

    def downsample_conv2d(self, x: T, kernel: W, fir: Fir, kernel_size: int) -> T:
        """Half the size: `fir`, then a correlation with stride 2.

        The order is the published one (StyleGAN2, `conv2d_resample`): padding k // 2 of the convolution and the
        filter's own, (n − 1) // 2 and (n − 2) // 2 for n taps, are joined and spent on the filter.
        """
        taps, half = fir.shape[0], kernel_size // 2
        y = self.filter2d(x, fir, (half + (taps - 1) // 2, half + (taps - 2) // 2))  # [N, I, H + k − 2, …]
        return self.conv2d(y, kernel, 0, stride=2)  # [N, O, H / 2, W / 2]

    def nearest_conv2d(self, x: T, kernel: W, kernel_size: int) -> T:
        """Twice the size by nearest neighbours, then a correlation that keeps the size.

        A transposed convolution with stride 2 does the same in fewer steps: its kernel is the turned one, summed over
        the pixels that share a source.

        Source: Karras et al. 2018 (Progressive GAN), appendix A; fused as in StyleGAN (Karras et al. 2019).
        """
        return self.conv2d(self.nearest_upsample2d(x), kernel, kernel_size // 2)  # [N, O, 2H, 2W]

    def modulated_conv2d(
        self, x: T, kernel: W, style: T, *, kernel_size: int, demodulate: bool, up_fir: Fir | None = None
    ) -> T:
        """Convolution whose kernel is scaled by `style` [N, I] and, with `demodulate`, normalised per output channel.

        The style scales the input and the normalisation scales the output, so that the kernel stays constant and
        the batch dynamic. With `up_fir` the result has twice the size.

        Source: Karras et al. 2020 (StyleGAN2), section 2.2, equations 1–3.
        """
        x = self.scale_channels(x, style)
        if up_fir is None:
            x = self.conv2d(x, kernel, kernel_size // 2)  # [N, O, H, W]
        else:
            x = self.upsample_conv2d(x, kernel, up_fir, kernel_size)  # [N, O, 2H, 2W]
        return self.scale_channels(x, self.demodulation(kernel, style)) if demodulate else x

    def with_noise(self, x: T, noise: Noise[T, W] | None) -> T:
        """x [N, C, H, W] with noise, if there is any."""
        if isinstance(noise, StoredNoise):
            return self.add_noise(x, noise.const, noise.strength, noise.scale)
        return x if noise is None else self.add_given_noise(x, noise.noise, noise.strength)

    def activate(self, x: T, activation: Activation) -> T:
        """x after an activation."""
        x = self.leaky_relu(x, activation.slope)
        x = x if activation.gain == 1.0 else self.scale(x, activation.gain)
        return x if activation.limit is None else self.clip(x, activation.limit)

    def styled_conv2d(
        self,
        x: T,
        kernel: W,
        style: T,
        noise: Noise[T, W] | None,
        bias: W,
        activation: Activation,
        *,
        kernel_size: int,
        up_fir: Fir | None = None,
    ) -> T:
        """A whole layer: demodulated convolution, noise, bias [O], activation.

        Source: Karras et al. 2020 (StyleGAN2), figure 2c.
        """
        x = self.modulated_conv2d(x, kernel, style, kernel_size=kernel_size, demodulate=True, up_fir=up_fir)
        return self.activate(self.add_bias(self.with_noise(x, noise), bias), activation)

    def demodulation(self, kernel: W, style: T) -> T:
        """Kernel [O, I, k, k] and style [N, I] -> [N, O]: what brings each scaled kernel to a sum of squares of 1."""
        energy = self.dense(self.multiply(style, style), self.kernel_energy(kernel))  # [N, O]
        return self.rsqrt(energy, EPSILON)

    def filtered_leaky_relu(
        self,
        x: T,
        up_fir: W,
        down_fir: W,
        *,
        up: int,
        down: int,
        padding: Padding,
        slope: float,
        gain: float,
        limit: float | None,
    ) -> T:
        """Leaky ReLU with `gain`, then cut to ±limit, at `up` times the sampling rate, so that it does not alias.

        Source: Karras et al. 2021 (StyleGAN3), section 3.2 and appendix B.
        """
        # A positive gain may come before the leaky ReLU: there it costs nothing.
        x = self.fir_upsample2d(x, up_fir, up, padding, gain * up * up)
        x = self.leaky_relu(x, slope)
        x = x if limit is None else self.clip(x, limit)
        return self.fir_downsample2d(x, down_fir, down)
