"""A StyleGAN2 synthesis in PyTorch as a reader of the papers would write it: the peer of the exports.

It shares no code with the package: from it come only the weights, by their canonical names.

Source: Karras et al. 2020 (StyleGAN2), figures 2 and 7 and equations 1–3; Karras et al. 2019 (StyleGAN) for noise.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody writes it
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["FORMS", "Synthesis"]

FORMS = tuple(itertools.product(("grouped", "scaled"), ("nchw", "channels_last")))
"""How a modulated convolution is done, and the layout in memory."""


class Synthesis(torch.nn.Module):
    """ws [N, num_ws, w_dim], noise_scale [N] -> picture [N, 3, H, W].

    Args:
        weights: Canonical tensors.
        resolution: Of the picture, a power of two.
        clamp: Activations are cut to ± this.
        form: `grouped` makes a kernel for each picture and convolves all pictures as groups of one; `scaled` brings
            the style to the input and the demodulation to the output of a convolution that all pictures share.
        layout: `nchw` or `channels_last`.
    """

    def __init__(
        self, weights: Mapping[str, NDArray[np.float32]], resolution: int, clamp: float, form: str, layout: str
    ) -> None:
        super().__init__()
        self.sizes = [4 << i for i in range(int(math.log2(resolution)) - 1)]
        self.clamp, self.grouped = clamp, form == "grouped"
        self.memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        for name, array in weights.items():
            if name.startswith("synthesis."):
                tensor = torch.from_numpy(array)
                if tensor.ndim == 4 and not self.grouped:
                    tensor = tensor.contiguous(memory_format=self.memory)
                self.register_buffer(_attribute(name), tensor)
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        taps = torch.outer(taps, taps)
        self.register_buffer("taps", (4.0 * taps / taps.sum())[None, None])  # [1, 1, 4, 4]

    def forward(self, ws: Tensor, noise_scale: Tensor) -> Tensor:
        """All blocks; each adds its colours to the picture so far, which grows with them."""
        const = self._weight("b4.const")
        x = const.expand(ws.shape[0], *const.shape).contiguous(memory_format=self.memory)  # [N, C, 4, 4]
        x = self._layer("b4.conv1", x, ws[:, 0], noise_scale)
        picture = self._colours("b4.torgb", x, ws[:, 1])
        for i, size in enumerate(self.sizes[1:], start=1):
            x = self._layer(f"b{size}.conv0", x, ws[:, 2 * i - 1], noise_scale, up=True)  # [N, C, size, size]
            x = self._layer(f"b{size}.conv1", x, ws[:, 2 * i], noise_scale)
            taps = self.taps.expand(picture.shape[1], 1, 4, 4)
            picture = F.conv_transpose2d(picture, taps, stride=2, padding=1, groups=picture.shape[1])
            picture = picture + self._colours(f"b{size}.torgb", x, ws[:, 2 * i + 1])
        return picture

    def _layer(self, name: str, x: Tensor, w: Tensor, noise_scale: Tensor, up: bool = False) -> Tensor:
        x = self._modulated(name, x, w, up=up, demodulate=True)
        noise = self._weight(f"{name}.noise_const") * self._weight(f"{name}.noise_strength")  # [H, W]
        x = x + noise * noise_scale[:, None, None, None] + self._weight(f"{name}.bias")[:, None, None]
        return (F.leaky_relu(x, 0.2) * math.sqrt(2.0)).clamp(-self.clamp, self.clamp)

    def _colours(self, name: str, x: Tensor, w: Tensor) -> Tensor:
        x = self._modulated(name, x, w, up=False, demodulate=False)
        return (x + self._weight(f"{name}.bias")[:, None, None]).clamp(-self.clamp, self.clamp)

    def _modulated(self, name: str, x: Tensor, w: Tensor, *, up: bool, demodulate: bool) -> Tensor:
        style = F.linear(w, self._weight(f"{name}.affine.weight"), self._weight(f"{name}.affine.bias"))  # [N, I]
        kernel = self._weight(f"{name}.weight")  # [O, I, k, k]
        if self.grouped:
            return self._per_picture(x, kernel, style, up, demodulate)
        x = x * style[:, :, None, None]
        x = F.conv_transpose2d(x, kernel.transpose(0, 1), stride=2) if up else F.conv2d(x, kernel, padding="same")
        x = self._filtered(x) if up else x
        if demodulate:
            energy = style.square() @ kernel.square().sum(dim=(2, 3)).T  # [N, O]
            x = x * (energy + 1e-8).rsqrt()[:, :, None, None]
        return x

    def _per_picture(self, x: Tensor, kernel: Tensor, style: Tensor, up: bool, demodulate: bool) -> Tensor:
        n, channels, h, w = x.shape
        out, _, k, _ = kernel.shape
        kernels = kernel * style[:, None, :, None, None]  # [N, O, I, k, k]
        if demodulate:
            kernels = kernels * (kernels.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        x = x.reshape(1, n * channels, h, w).contiguous(memory_format=self.memory)
        if up:
            kernels = kernels.transpose(1, 2).reshape(n * channels, out, k, k)
            y = F.conv_transpose2d(x, kernels.contiguous(memory_format=self.memory), stride=2, groups=n)
        else:
            kernels = kernels.reshape(n * out, channels, k, k)
            y = F.conv2d(x, kernels.contiguous(memory_format=self.memory), padding=k // 2, groups=n)
        y = y.reshape(n, out, *y.shape[2:]).contiguous(memory_format=self.memory)  # [N, O, H or 2H + 1, …]
        return self._filtered(y) if up else y

    def _filtered(self, x: Tensor) -> Tensor:
        """[N, C, 2H + 1, 2W + 1] -> [N, C, 2H, 2W]."""
        return F.conv2d(x, self.taps.expand(x.shape[1], 1, 4, 4), padding=1, groups=x.shape[1])

    def _weight(self, name: str) -> Tensor:
        return self.get_buffer(_attribute(f"synthesis.{name}"))


def _attribute(name: str) -> str:
    return name.replace(".", "_")
