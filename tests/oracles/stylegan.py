"""The first StyleGAN's generator as published, written out in float64 NumPy; it shares no code with the package.

Tensors as the published program stores them, with gains and learning-rate multipliers multiplied in; the mapping's
under its component's name:

    mapping/LabelConcat/weight [c_dim, z_dim]     only with labels
    mapping/Dense{i}/weight [in, out], /bias [out]
    dlatent_avg [w_dim]
    noise{i} [1, 1, r, r]
    4x4/Const/const [1, C, 4, 4]
    LAYER/weight [3, 3, I, O]     of 4x4/Conv, {r}x{r}/Conv0_up and {r}x{r}/Conv1
    LAYER/Noise/weight [C], LAYER/bias [C]     of those and 4x4/Const
    LAYER/StyleMod/weight [w_dim, 2·C], LAYER/StyleMod/bias [2·C]
    ToRGB_lod{n}/weight [1, 1, I, C_img], /bias [C_img]

Source: Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks" (2019), section 2 and
appendices B and C.
"""

import numpy as np

EPS = 1e-8
LRELU_SLOPE = 0.2


def mapping(weights, z, c=None):
    """Latents [N, z_dim] and labels [N, c_dim] to w [N, w_dim], not truncated."""
    x = np.asarray(z, np.float64)
    if c is not None:
        label = np.asarray(c, np.float64) @ np.asarray(weights["mapping/LabelConcat/weight"], np.float64)
        x = np.concatenate([x, label], axis=1)  # [N, 2·z_dim]
    x = x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + EPS)
    i = 0
    while f"mapping/Dense{i}/weight" in weights:
        x = x @ np.asarray(weights[f"mapping/Dense{i}/weight"], np.float64) + weights[f"mapping/Dense{i}/bias"]
        x = leaky_relu(x)
        i += 1
    return x


def truncate(weights, w, num_ws, psi=1.0, cutoff=None):
    """w [N, w_dim] to ws [N, num_ws, w_dim], of which the first `cutoff` are drawn towards the average."""
    average = np.asarray(weights["dlatent_avg"], np.float64)  # [w_dim]
    ws = np.repeat(w[:, np.newaxis], num_ws, axis=1)  # [N, num_ws, w_dim]
    ws[:, :cutoff] = average + psi * (ws[:, :cutoff] - average)
    return ws


def synthesis(weights, ws, *, noise=1.0, lod=0.0, fused_from=128):
    """Pictures [N, C_img, H, W] at the full resolution, drawn at a level of detail.

    Args:
        weights: published tensors by name.
        ws: [N, num_ws, w_dim].
        noise: factor of the stored noise, one number or [N].
        lod: 0 is full detail; each whole step halves it, and a fraction lies between two steps.
        fused_from: the size from which on up-sampling is part of a transposed convolution.
    """
    ws = np.asarray(ws, np.float64)
    noise = np.broadcast_to(np.asarray(noise, np.float64), len(ws))

    x = np.repeat(np.asarray(weights["4x4/Const/const"], np.float64), len(ws), axis=0)  # [N, C, 4, 4]
    x = epilogue(x, weights, "4x4/Const", 0, ws, noise)
    x = epilogue(convolve(x, weights["4x4/Conv/weight"]), weights, "4x4/Conv", 1, ws, noise)

    top = max(int(name.split("lod")[1].split("/")[0]) for name in weights if name.startswith("ToRGB_lod"))
    image = rgb(x, weights, top)
    layer = 2
    for level in range(top - 1, -1, -1):
        size = 4 << (top - level)
        up, same = f"{size}x{size}/Conv0_up", f"{size}x{size}/Conv1"
        if size >= fused_from:
            x = upsample_fused(x, np.asarray(weights[f"{up}/weight"], np.float64))
        else:
            x = convolve(nearest(x), weights[f"{up}/weight"])
        x = epilogue(blur(x), weights, up, layer, ws, noise)
        x = epilogue(convolve(x, weights[f"{same}/weight"]), weights, same, layer + 1, ws, noise)
        layer += 2
        image = grow(nearest(image), rgb(x, weights, level), lod - level)
    return image


def epilogue(x, weights, name, layer, ws, noise):
    """Noise, bias, leaky ReLU, instance norm, style."""
    if f"{name}/Noise/weight" in weights:
        stored = np.asarray(weights[f"noise{layer}"], np.float64)  # [1, 1, H, W]
        x = x + stored * noise[:, np.newaxis, np.newaxis, np.newaxis] * channels(weights[f"{name}/Noise/weight"])
    x = leaky_relu(x + channels(weights[f"{name}/bias"]))

    x = x - np.mean(x, axis=(2, 3), keepdims=True)
    x = x / np.sqrt(np.mean(x**2, axis=(2, 3), keepdims=True) + EPS)

    style = ws[:, layer] @ np.asarray(weights[f"{name}/StyleMod/weight"], np.float64)
    style = style + weights[f"{name}/StyleMod/bias"]  # [N, 2·C]
    style = style.reshape(len(ws), 2, -1, 1, 1)
    return x * (style[:, 0] + 1.0) + style[:, 1]


def grow(coarse, fine, towards_coarse):
    """The coarser picture, the finer one, or between 0 and 1 a mixture of both."""
    t = min(max(towards_coarse, 0.0), 1.0)
    return fine + t * (coarse - fine)


def rgb(x, weights, level):
    """Features to a picture [N, C_img, H, W], linear."""
    return convolve(x, weights[f"ToRGB_lod{level}/weight"]) + channels(weights[f"ToRGB_lod{level}/bias"])


def leaky_relu(x):
    """Leaky ReLU without a gain."""
    return np.where(x >= 0, x, LRELU_SLOPE * x)


def channels(values):
    """[C] as [1, C, 1, 1]."""
    return np.asarray(values, np.float64)[np.newaxis, :, np.newaxis, np.newaxis]


def nearest(x):
    """[N, C, H, W] to [N, C, 2H, 2W]: each pixel four times."""
    return np.repeat(np.repeat(x, 2, axis=2), 2, axis=3)


def blur(x):
    """Each channel with [1, 2, 1] / 4 along both axes, zeros outside."""
    H, W = x.shape[2:]
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = 0.0
    for ky, a in enumerate((1, 2, 1)):
        for kx, b in enumerate((1, 2, 1)):
            out = out + a * b / 16 * x[:, :, ky : ky + H, kx : kx + W]
    return out


def upsample_fused(x, kernel):
    """Twice the size: a transposed convolution with stride 2, its kernel [3, 3, I, O] widened to 4×4.

    Each sample lays down a copy of the kernel; one row and column is cut on every side.
    """
    wide = np.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))  # [5, 5, I, O]
    wide = wide[1:, 1:] + wide[1:, :-1] + wide[:-1, 1:] + wide[:-1, :-1]  # [4, 4, I, O]
    N, _, H, W = x.shape
    out = np.zeros((N, wide.shape[3], 2 * H + 2, 2 * W + 2))
    for row in range(H):
        for column in range(W):
            copies = np.einsum("ni,hwio->nohw", x[:, :, row, column], wide)  # [N, O, 4, 4]
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
