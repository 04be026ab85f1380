"""The generator of lucidrains/stylegan2-pytorch as published, in float64 NumPy; it shares no code with the package.

Tensors as that program stores them, of one mapping network `S` and one generator `G` (averaged ones are stored as `SE`
and `GE`):

    S.net.{0, 2, 4, …}.weight [D, D], .bias [D]
    G.initial_block [1, C, 4, 4]     or, without a constant, G.to_initial_block.weight [D, C, 4, 4]
    G.initial_conv.weight [C, C, 3, 3], .bias [C]
    G.blocks.{i}.to_style1.weight [I, D], .bias [I]     of conv1 [O, I, 3, 3]; to_style2 of conv2 [O, O, 3, 3]
    G.blocks.{i}.to_noise1.weight [O, 1], .bias [O]     and to_noise2
    G.blocks.{i}.to_rgb.to_style.weight [O, D], .bias [O]
    G.blocks.{i}.to_rgb.conv.weight [C_img, O, 1, 1]
    G.blocks.{i}.to_rgb.upsample.1.f [3]     of every block but the last; none where the picture is not blurred
    G.attns.{i}.0.fn.norm.g [1, C, 1, 1], .b     of some blocks, before them; and .1.fn.norm
    G.attns.{i}.0.fn.fn.to_q.weight [512, C, 1, 1]; to_kv.net.0.weight [C, 1, 3, 3], to_kv.net.1.weight [1024, C, 1, 1]
    G.attns.{i}.0.fn.fn.to_out.weight [C, 512, 1, 1], .bias [C]
    G.attns.{i}.1.fn.fn.0.weight [2C, C, 1, 1], .bias [2C]; 2.weight [C, 2C, 1, 1], .bias [C]

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 2.2 and figure 7b, which
this program reads in its own way: no gain after the activations, styles are offsets from 1, up-sampling is bilinear.
"""

import math

import numpy as np

EPS = 1e-8
SLOPE = 0.2


def mapping(weights, z, lr_mlp=0.1):
    """Latents [N, D] to w [N, D], not truncated; rates are not multiplied into the stored weights."""
    x = np.asarray(z, np.float64)
    x = x / np.sqrt(np.sum(x**2, axis=1, keepdims=True))  # of length 1
    i = 0
    while f"S.net.{i}.weight" in weights:
        x = x @ (lr_mlp * get(weights, f"S.net.{i}.weight")).T + lr_mlp * get(weights, f"S.net.{i}.bias")
        x = leaky_relu(x)
        i += 2
    return x


def synthesis(weights, ws, noise):
    """The picture of every size, the last one the result: [N, C_img, 4, 4], [N, C_img, 8, 8], …

    Args:
        weights: published tensors by name.
        ws: [N, blocks, D].
        noise: [N, S, S, 1], of the size of the result.
    """
    ws, noise = np.asarray(ws, np.float64), np.asarray(noise, np.float64)
    if "G.initial_block" in weights:
        x = np.repeat(get(weights, "G.initial_block"), len(ws), axis=0)  # [N, C, 4, 4]
    else:
        x = np.einsum("nd,dcij->ncij", ws.mean(axis=1), get(weights, "G.to_initial_block.weight"))  # [N, C, 4, 4]
    x = convolve(x, get(weights, "G.initial_conv.weight"))
    x = x + channels(weights, "G.initial_conv.bias")

    pictures, before = [], None
    for i in range(ws.shape[1]):
        block = f"G.blocks.{i}"
        if f"G.attns.{i}.0.fn.norm.g" in weights:
            x = x + attention(weights, f"G.attns.{i}.0.fn", x)
            x = x + feedforward(weights, f"G.attns.{i}.1.fn", x)
        if i > 0:
            x = bilinear(x)  # [N, C, 2H, 2W]
        for layer in (1, 2):
            style = linear(weights, f"{block}.to_style{layer}", ws[:, i])
            x = modulated(x, get(weights, f"{block}.conv{layer}.weight"), style, demodulate=True)
            window = noise[:, : x.shape[2], : x.shape[3]]  # [N, H, W, 1]
            spread = linear(weights, f"{block}.to_noise{layer}", window)  # [N, H, W, C]
            x = leaky_relu(x + spread.transpose(0, 3, 2, 1))  # rows and columns change places
        style = linear(weights, f"{block}.to_rgb.to_style", ws[:, i])
        rgb = modulated(x, get(weights, f"{block}.to_rgb.conv.weight"), style, demodulate=False)
        rgb = rgb if before is None else rgb + before
        pictures.append(rgb)
        if i < ws.shape[1] - 1:
            before = bilinear(rgb)
            taps = f"{block}.to_rgb.upsample.1.f"
            before = blur(before, get(weights, taps)) if taps in weights else before
    return pictures


def get(weights, name):
    """A tensor in float64."""
    return np.asarray(weights[name], np.float64)


def linear(weights, name, x):
    """x [..., I] to [..., O]."""
    return x @ get(weights, f"{name}.weight").T + get(weights, f"{name}.bias")


def leaky_relu(x):
    return np.where(x > 0, x, SLOPE * x)


def modulated(x, kernel, style, *, demodulate):
    """x [N, I, H, W] through a kernel [O, I, k, k] of its own for every picture."""
    pictures = []
    for picture, factors in zip(x, style + 1.0, strict=True):
        own = kernel * factors[np.newaxis, :, np.newaxis, np.newaxis]
        if demodulate:
            own = own / np.sqrt(np.sum(own**2, axis=(1, 2, 3), keepdims=True) + EPS)
        pictures.append(convolve(picture[np.newaxis], own)[0])
    return np.stack(pictures)


def convolve(x, kernel):
    """Correlation with zeros around; the size stays. [N, I, H, W] with [O, I, k, k] to [N, O, H, W]."""
    size, (h, w) = kernel.shape[2], x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (size // 2, size // 2), (size // 2, size // 2)))
    y = np.zeros((len(x), len(kernel), h, w))
    for i in range(size):
        for j in range(size):
            y += np.einsum("nihw,oi->nohw", padded[:, :, i : i + h, j : j + w], kernel[:, :, i, j])
    return y


def attention(weights, name, x):
    """Linear attention of 8 heads with 64 channels each, written out for one pixel's query after the other's."""
    x = channel_norm(weights, f"{name}.norm", x)
    q = convolve(x, get(weights, f"{name}.fn.to_q.weight"))
    own = get(weights, f"{name}.fn.to_kv.net.0.weight")  # [C, 1, 3, 3]
    around = np.concatenate([convolve(x[:, [c]], own[[c]]) for c in range(len(own))], axis=1)
    both = convolve(around, get(weights, f"{name}.fn.to_kv.net.1.weight"))
    n, inner, h, w = q.shape
    result = np.zeros((n, inner, h, w))
    for picture in range(n):
        for head in range(8):
            part = slice(64 * head, 64 * (head + 1))
            queries = q[picture, part].reshape(64, h * w).T  # [pixels, 64]
            keys, values = (both[picture, s : s + inner][part].reshape(64, h * w).T for s in (0, inner))
            queries = np.exp(queries) / np.exp(queries).sum(axis=1, keepdims=True) / 8  # 8 = √64
            keys = np.exp(keys) / np.exp(keys).sum(axis=0, keepdims=True)
            result[picture, part] = (queries @ keys.T @ values).T.reshape(64, h, w)
    result = result * 0.5 * (1 + np.vectorize(math.erf)(result / math.sqrt(2)))
    return convolve(result, get(weights, f"{name}.fn.to_out.weight")) + channels(weights, f"{name}.fn.to_out.bias")


def feedforward(weights, name, x):
    x = channel_norm(weights, f"{name}.norm", x)
    x = leaky_relu(convolve(x, get(weights, f"{name}.fn.0.weight")) + channels(weights, f"{name}.fn.0.bias"))
    return convolve(x, get(weights, f"{name}.fn.2.weight")) + channels(weights, f"{name}.fn.2.bias")


def channel_norm(weights, name, x):
    """The channels of each pixel brought to mean 0 and variance 1."""
    x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    return x * get(weights, f"{name}.g") + get(weights, f"{name}.b")


def channels(weights, name):
    """A tensor [C] as [C, 1, 1]."""
    return get(weights, name)[:, np.newaxis, np.newaxis]


def bilinear(x):
    """Twice the size, pixels seen as squares (corners not aligned); beyond the edge the edge goes on."""
    for axis in (2, 3):
        size = x.shape[axis]
        place = np.clip((np.arange(2 * size) + 0.5) / 2 - 0.5, 0, size - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, size - 1)
        share = np.reshape(place - low, (-1, 1) if axis == 2 else (1, -1))
        x = (1 - share) * x.take(low, axis) + share * x.take(high, axis)
    return x


def blur(x, taps):
    """Every channel with the square of `taps`, of sum 1; beyond the edge the picture is mirrored, edge not repeated."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    h, w = x.shape[2:]
    kernel = np.outer(taps, taps) / np.sum(np.outer(taps, taps))
    return sum(kernel[i, j] * padded[:, :, i : i + h, j : j + w] for i in range(3) for j in range(3))
