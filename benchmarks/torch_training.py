"""One training step of a small StyleGAN2 in PyTorch, equal to ours: same networks, loss, lazy R1, batch and optimiser.

Source: Karras et al. 2020 (StyleGAN2), figures 2 and 7, section 3.1; Karras et al. 2018 for equalised learning rates
and the minibatch standard deviation; Mescheder et al. 2018, equation 9, for R1.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody writes it
from torch import Tensor, nn

__all__ = ["run"]

GROUP, STATISTICS = 4, 8
EMA = 0.99


def run(job: dict[str, Any]) -> Callable[[], int]:
    """`steps` steps a run, the first with R1; the result is the number of parameters, to compare."""
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    channels, batch, size = job["channels"], job["batch"], 4 << (len(job["channels"]) - 1)
    g, d = Generator(channels, job["w_dim"], job["mapping_layers"]), Discriminator(channels)
    if job["layout"] == "channels_last":  # convolutions go on in the layout of their kernels
        g.to(memory_format=torch.channels_last)
        d.to(memory_format=torch.channels_last)
    average = copy.deepcopy(g).requires_grad_(False)
    adam = {"lr": job["lr"], "betas": (0.0, 0.99), "eps": 1e-8}
    g_adam, d_adam = torch.optim.Adam(g.parameters(), **adam), torch.optim.Adam(d.parameters(), **adam)
    real = torch.rand(batch, 1, size, size) * 2 - 1

    def step(index: int) -> None:
        with_r1 = index == 0
        with torch.no_grad():
            fake = g(batch)
        seen = real.detach().requires_grad_(with_r1)
        logits = d(seen)
        loss = F.softplus(-logits).mean() + F.softplus(d(fake)).mean()
        if with_r1:
            (slope,) = torch.autograd.grad(logits.sum(), seen, create_graph=True)
            loss = loss + job["steps"] * job["r1_gamma"] * 0.5 * slope.square().sum(dim=(1, 2, 3)).mean()
        d_adam.zero_grad()
        loss.backward()
        d_adam.step()
        d.requires_grad_(False)
        loss = F.softplus(-d(g(batch))).mean()
        g_adam.zero_grad()
        loss.backward()
        g_adam.step()
        d.requires_grad_(True)
        with torch.no_grad():
            for running, new in zip(average.parameters(), g.parameters(), strict=True):
                running.lerp_(new, 1 - EMA)

    def steps() -> int:
        for index in range(job["steps"]):
            step(index)
        return sum(parameter.numel() for net in (g, d) for parameter in net.parameters())

    return steps


class Dense(nn.Module):
    """Equalised: unit weights, scaled when used, with a learning-rate multiplier."""

    def __init__(self, into: int, out: int, *, bias: float = 0.0, multiplier: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into) / multiplier)
        self.bias = nn.Parameter(torch.full((out,), bias))
        self.gain, self.multiplier = multiplier / math.sqrt(into), multiplier

    def forward(self, x: Tensor) -> Tensor:
        """[N, I] -> [N, O]."""
        return F.linear(x, self.weight * self.gain, self.bias * self.multiplier)


class Conv(nn.Module):
    """Equalised."""

    def __init__(self, into: int, out: int, size: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into, size, size))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        self.gain = 1.0 / math.sqrt(into * size * size)

    def forward(self, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        """[N, I, H, W] -> [N, O, …]."""
        return F.conv2d(x, self.weight * self.gain, self.bias, stride, padding)


class Modulated(nn.Module):
    """x · s, convolution, · d, noise, bias: the form that shares a kernel among the pictures."""

    def __init__(self, into: int, out: int, size: int, w_dim: int, *, up: bool = False) -> None:
        super().__init__()
        self.affine = Dense(w_dim, into, bias=1.0)
        self.weight, self.bias = nn.Parameter(torch.randn(out, into, size, size)), nn.Parameter(torch.zeros(out))
        self.into, self.up, self.colours = into, up, size == 1
        self.noise = None if self.colours else nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, w: Tensor, taps: Tensor) -> Tensor:
        """[N, I, H, W] -> [N, O, H or 2H, …]."""
        style, kernel, bias = self.affine(w), self.weight, self.bias[None, :, None, None]
        if self.colours:
            return F.conv2d(x * (style / math.sqrt(self.into))[:, :, None, None], kernel) + bias
        x = x * style[:, :, None, None]
        if self.up:
            x = F.conv_transpose2d(x, kernel.transpose(0, 1), stride=2)
            x = filtered(x, 4.0 * taps, 1)
        else:
            x = F.conv2d(x, kernel, padding=1)
        energy = style.square() @ kernel.square().sum(dim=(2, 3)).T  # [N, O]
        x = x * (energy + 1e-8).rsqrt()[:, :, None, None]
        x = x + torch.randn(x.shape[0], 1, *x.shape[2:]) * self.noise + bias
        return F.leaky_relu(x, 0.2) * math.sqrt(2.0)


class Generator(nn.Module):
    """Mapping with style mixing, and a synthesis with skip connections."""

    def __init__(self, channels: Sequence[int], w_dim: int, mapping_layers: int) -> None:
        super().__init__()
        self.w_dim, self.taps = w_dim, fir()
        self.mapping = nn.ModuleList(Dense(w_dim, w_dim, multiplier=0.1) for _ in range(mapping_layers))
        self.const = nn.Parameter(torch.randn(channels[0], 4, 4))
        pairs = [(channels[max(i - 1, 0)], out) for i, out in enumerate(channels)]
        self.conv0 = nn.ModuleList(Modulated(into, out, 3, w_dim, up=True) for into, out in pairs[1:])
        self.conv1 = nn.ModuleList(Modulated(out, out, 3, w_dim) for _, out in pairs)
        self.colours = nn.ModuleList(Modulated(out, 1, 1, w_dim) for _, out in pairs)

    def forward(self, count: int) -> Tensor:
        """So many fresh pictures [N, 1, H, W]."""
        layers = 2 * len(self.conv1)
        one, other = (self.map(torch.randn(count, self.w_dim)) for _ in range(2))
        cut = torch.randint(1, layers, (count, 1)).where(torch.rand(count, 1) < 0.5, layers)
        second = torch.arange(layers)[None] >= cut  # [N, layers]
        ws = torch.where(second[:, :, None], other[:, None], one[:, None])
        x = self.conv1[0](self.const.expand(count, -1, -1, -1), ws[:, 0], self.taps)
        picture = self.colours[0](x, ws[:, 1], self.taps)
        for i in range(1, len(self.conv1)):
            x = self.conv0[i - 1](x, ws[:, 2 * i - 1], self.taps)
            x = self.conv1[i](x, ws[:, 2 * i], self.taps)
            picture = F.conv_transpose2d(picture, 4.0 * self.taps[None, None], stride=2, padding=1)
            picture = picture + self.colours[i](x, ws[:, 2 * i + 1], self.taps)
        return picture

    def map(self, z: Tensor) -> Tensor:
        """z [N, z_dim] -> w [N, w_dim]."""
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping:
            x = F.leaky_relu(layer(x), 0.2) * math.sqrt(2.0)
        return x


class Discriminator(nn.Module):
    """Residual, with the minibatch standard deviation."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.taps, last = fir(), channels[0]
        self.first = Conv(1, channels[-1], 1)
        falling = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.conv0 = nn.ModuleList(Conv(into, into, 3) for into, _ in falling)
        self.conv1 = nn.ModuleList(Conv(into, out, 3) for into, out in falling)
        self.skip = nn.ModuleList(Conv(into, out, 1, bias=False) for into, out in falling)
        self.conv, self.dense, self.out = Conv(last + STATISTICS, last, 3), Dense(16 * last, last), Dense(last, 1)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] -> logits [N]."""
        x = active(self.first(images))
        for conv0, conv1, skip in zip(self.conv0, self.conv1, self.skip, strict=True):
            shortcut = skip(filtered(x, self.taps, 1, stride=2))
            x = active(conv0(x, padding=1))
            x = active(conv1(filtered(x, self.taps, 2), stride=2))
            x = (x + shortcut) * math.sqrt(0.5)
        x = torch.cat([x, spread(x)], dim=1)
        x = active(self.conv(x, padding=1))
        return self.out(active(self.dense(x.flatten(1))))[:, 0]


def active(x: Tensor) -> Tensor:
    """Leaky ReLU with gain √2."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2.0)


def spread(x: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, S, H, W]: how much the pictures of a group differ."""
    n, c, h, w = x.shape
    grouped = x.reshape(n // GROUP, GROUP, STATISTICS, c // STATISTICS, h, w)
    deviation = (grouped.var(dim=1, unbiased=False) + 1e-8).sqrt().mean(dim=(2, 3, 4))  # [N / G, S]
    return deviation.repeat_interleave(GROUP, dim=0)[:, :, None, None].expand(n, STATISTICS, h, w)


def fir() -> Tensor:
    """[4, 4] of sum 1."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64.0


def filtered(x: Tensor, taps: Tensor, padding: int, stride: int = 1) -> Tensor:
    """Every channel with `taps`."""
    return F.conv2d(x, taps.expand(x.shape[1], 1, 4, 4), stride=stride, padding=padding, groups=x.shape[1])
