"""The Progressive GAN generator as published, written out in float64 NumPy; it shares no code with the package.

Tensors as the published program stores them, with the gains multiplied in:

    4x4/Dense/weight [z_dim + c_dim, C·16], /bias [C]
    4x4/Conv/weight [3, 3, I, O], /bias [O]
    {r}x{r}/Conv0_up/weight [3, 3, O, I], /bias [O]     where up-sampling is fused
    {r}x{r}/Conv0/weight [3, 3, I, O], /bias [O]     where it is not
    {r}x{r}/Conv1/weight [3, 3, I, O], /bias [O]
    ToRGB_lod{n}/weight [1, 1, I, C_img], /bias [C_img]

Source: Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation" (2018), sections
2 and 4, table 2 and appendix A.
"""

import numpy as np

EPS = 1e-8
LRELU_SLOPE = 0.2


def generate(weights, z, c=None, *, lod=0.0):
    """Pictures [N, C_img, H, W] at the full resolution, drawn at a level of detail.

    Args:
        weights: published tensors by name.
        z: [N, z_dim].
        c: [N, c_dim] one-hot labels, put after z; None where the net has none.
        lod: 0 is full detail; each whole step halves it, and a fraction lies between two steps.
    """
    x = np.asarray(z, np.float64)
    if c is not None:
        x = np.concatenate([x, np.asarray(c, np.float64)], axis=1)  # [N, z_dim + c_dim]
    x = pixel_norm(x)
    x = x @ np.asarray(weights["4x4/Dense/weight"], np.float64)  # [N, C·16]
    x = x.reshape(len(x), -1, 4, 4)  # [N, C, 4, 4]
    x = finish(x, weights["4x4/Dense/bias"])
    x = finish(convolve(x, weights["4x4/Conv/weight"]), weights["4x4/Conv/bias"])

    top = max(int(name.split("lod")[1].split("/")[0]) for name in weights if name.startswith("ToRGB_lod"))
    image = rgb(x, weights, top)
    for level in range(top - 1, -1, -1):
        block = f"{4 << (top - level)}x{4 << (top - level)}"
        if f"{block}/Conv0_up/weight" in weights:
            x = upsample_fused(x, np.asarray(weights[f"{block}/Conv0_up/weight"], np.float64))
            x = finish(x, weights[f"{block}/Conv0_up/bias"])
        else:
            x = finish(convolve(nearest(x), weights[f"{block}/Conv0/weight"]), weights[f"{block}/Conv0/bias"])
        x = finish(convolve(x, weights[f"{block}/Conv1/weight"]), weights[f"{block}/Conv1/bias"])
        image = grow(nearest(image), rgb(x, weights, level), lod - level)
    return image


def grow(coarse, fine, towards_coarse):
    """The coarser picture, the finer one, or between 0 and 1 a mixture of both."""
    t = min(max(towards_coarse, 0.0), 1.0)
    return fine + t * (coarse - fine)


def rgb(x, weights, level):
    """Features to a picture [N, C_img, H, W], linear."""
    y = convolve(x, weights[f"ToRGB_lod{level}/weight"])
    return y + np.asarray(weights[f"ToRGB_lod{level}/bias"], np.float64)[:, np.newaxis, np.newaxis]


def finish(x, bias):
    """Bias, leaky ReLU, and each pixel's features to a mean square of 1."""
    x = x + np.asarray(bias, np.float64)[:, np.newaxis, np.newaxis]
    return pixel_norm(np.where(x >= 0, x, LRELU_SLOPE * x))


def pixel_norm(x):
    """Mean square 1 along axis 1."""
    return x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + EPS)


def nearest(x):
    """[N, C, H, W] to [N, C, 2H, 2W]: each pixel four times."""
    return np.repeat(np.repeat(x, 2, axis=2), 2, axis=3)


def upsample_fused(x, kernel):
    """Twice the size: a transposed convolution with stride 2, its kernel [3, 3, O, I] widened to 4×4.

    Each sample lays down a copy of the kernel; one row and column is cut on every side.
    """
    wide = np.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))  # [5, 5, O, I]
    wide = wide[1:, 1:] + wide[1:, :-1] + wide[:-1, 1:] + wide[:-1, :-1]  # [4, 4, O, I]
    N, _, H, W = x.shape
    out = np.zeros((N, wide.shape[2], 2 * H + 2, 2 * W + 2))
    for row in range(H):
        for column in range(W):
            copies = np.einsum("ni,hwoi->nohw", x[:, :, row, column], wide)  # [N, O, 4, 4]
            out[:, :, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += copies
    return out[:, :, 1:-1, 1:-1]


def convolve(x, kernel):
    """Correlation with kernel [k, k, I, O] that keeps the size."""
    kernel = np.asarray(kernel, np.float64)
    kh, kw, _, O = kernel.shape  # noqa: E741
    N, _, H, W = x.shape
    x = np.pad(x, ((0, 0), (0, 0), (kh // 2, kh // 2), (kw // 2, kw // 2)))
    out = np.zeros((N, H, W, O))
    for ky in range(kh):
        for kx in range(kw):
            out += np.tensordot(x[:, :, ky : ky + H, kx : kx + W], kernel[ky, kx], axes=([1], [0]))
    return out.transpose(0, 3, 1, 2)  # [N, O, H, W]
