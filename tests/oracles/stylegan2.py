"""The StyleGAN2 generator as published, written out in float64 NumPy and nothing else.

This is the independent witness: it shares no code with the package, takes no short cut (zeros are really
inserted, filter taps are really looped over) and reads top to bottom. It works on canonical tensors, with all
gains and learning-rate multipliers folded in:

    mapping.embed.weight [w_dim, c_dim], .bias [w_dim]     only with labels; no bias where the norm is a joint one
    mapping.fc{i}.weight [out, in], .bias [out]
    mapping.w_avg [w_dim]
    synthesis.b4.const [C, 4, 4]
    synthesis.b{res}.conv{0,1}.weight [O, I, 3, 3], .bias [O]
    synthesis.b{res}.conv{0,1}.affine.weight [I, w_dim], .affine.bias [I]     the bias includes the +1
    synthesis.b{res}.conv{0,1}.noise_const [H, W], .noise_strength []     only with noise
    synthesis.b{res}.torgb.weight [C_img, I, 1, 1], .bias [C_img]
    synthesis.b{res}.torgb.affine.weight [I, w_dim], .affine.bias [I]     1/sqrt(I) is folded in
    synthesis.b{res}.skip.weight [O, I, 1, 1]         resnet; sqrt(0.5) is not folded in

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), sections 2 to 4 and
appendix B; "Training Generative Adversarial Networks with Limited Data" (2020), for labels and clamping.
"""

import re

import numpy as np

EPS = 1e-8
LRELU_SLOPE = 0.2
LRELU_GAIN = np.sqrt(2.0)
RESNET_GAIN = np.sqrt(0.5)


def generate(
    weights,
    z,
    c=None,
    *,
    truncation_psi=1.0,
    truncation_cutoff=None,
    architecture="skip",
    resample_filter=(1, 3, 3, 1),
    conv_clamp=None,
    noise_mode="const",
):
    """The whole generator: z [N, z_dim] and c [N, c_dim] to pictures [N, C, H, W]."""
    ws = mapping(weights, z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
    return synthesis(
        weights,
        ws,
        architecture=architecture,
        resample_filter=resample_filter,
        conv_clamp=conv_clamp,
        noise_mode=noise_mode,
    )


# ---------------------------------------------------------------------------------------------------- mapping


def mapping(weights, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None):
    """Latents and labels to ws [N, num_ws, w_dim], truncated towards w_avg.

    Args:
        weights: canonical tensors.
        z: [N, z_dim].
        c: [N, c_dim] label vectors; needed exactly when the weights have an embedding.
        truncation_psi: 1 leaves w as it is, 0 gives w_avg.
        truncation_cutoff: truncate only the first so many ws; None truncates them all.
    """
    x = np.asarray(z, np.float64)  # [N, z_dim]
    assert ("mapping.embed.weight" in weights) == (c is not None), "labels go with an embedding"
    if c is None:
        x = second_moment_norm(x)
    elif "mapping.embed.bias" in weights:
        y = dense(np.asarray(c, np.float64), weights, "mapping.embed")  # [N, w_dim]
        x = np.concatenate([second_moment_norm(x), second_moment_norm(y)], axis=1)  # [N, z_dim + w_dim]
    else:  # the first StyleGAN2: a table of embeddings, and one norm over both
        y = np.asarray(c, np.float64) @ np.asarray(weights["mapping.embed.weight"], np.float64).T
        x = second_moment_norm(np.concatenate([x, y], axis=1))  # [N, z_dim + w_dim]
    for i in range(count(weights, r"mapping\.fc\d+\.weight")):
        x = leaky_relu(dense(x, weights, f"mapping.fc{i}"))  # [N, w_dim]

    ws = np.repeat(x[:, np.newaxis, :], num_ws(weights), axis=1)  # [N, num_ws, w_dim]
    w_avg = np.asarray(weights["mapping.w_avg"], np.float64)  # [w_dim]
    ws[:, :truncation_cutoff] = w_avg + truncation_psi * (ws[:, :truncation_cutoff] - w_avg)
    return ws


def num_ws(weights):
    """How many ws a picture takes: one a convolution, and one for the last to-RGB."""
    return count(weights, r"synthesis\.b\d+\.conv[01]\.weight") + 1


def second_moment_norm(x):
    """Each row scaled to a mean square of 1."""
    return x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + EPS)


def dense(x, weights, name):
    """x [N, in] to [N, out]."""
    weight = np.asarray(weights[f"{name}.weight"], np.float64)  # [out, in]
    return x @ weight.T + weights[f"{name}.bias"]


def leaky_relu(x):
    """Leaky ReLU with the gain that keeps the second moment."""
    return np.where(x >= 0, x, LRELU_SLOPE * x) * LRELU_GAIN


def count(weights, pattern):
    """How many tensor names match the whole pattern."""
    return sum(re.fullmatch(pattern, name) is not None for name in weights)


# -------------------------------------------------------------------------------------------------- synthesis


def synthesis(weights, ws, *, architecture="skip", resample_filter=(1, 3, 3, 1), conv_clamp=None, noise_mode="const"):
    """Pictures [N, C, H, W] from ws [N, num_ws, w_dim]; see `synthesis_blocks`."""
    blocks = synthesis_blocks(
        weights,
        ws,
        architecture=architecture,
        resample_filter=resample_filter,
        conv_clamp=conv_clamp,
        noise_mode=noise_mode,
    )
    return blocks[max(blocks)]["rgb"]


def synthesis_blocks(
    weights, ws, *, architecture="skip", resample_filter=(1, 3, 3, 1), conv_clamp=None, noise_mode="const"
):
    """What each block hands on, by resolution: {res: {"x": features, "rgb": picture so far or None}}.

    Args:
        weights: canonical tensors.
        ws: [N, num_ws, w_dim].
        architecture: "skip" (a to-RGB in each block, summed), "resnet" or "orig" (one to-RGB at the end).
        resample_filter: FIR taps, 1-D or 2-D [H, W], in any scale.
        conv_clamp: limit on what a convolution gives, before the residual gain; None is no limit.
        noise_mode: "const" adds the stored noise, "none" adds none.
    """
    assert architecture in ("skip", "resnet", "orig"), architecture
    assert noise_mode in ("const", "none"), noise_mode
    ws = np.asarray(ws, np.float64)
    assert ws.shape[1] == num_ws(weights), (ws.shape, num_ws(weights))
    taps = fir(resample_filter)
    layer_settings = {"conv_clamp": conv_clamp, "noise_mode": noise_mode}
    resolutions = sorted({int(n.split(".")[1][1:]) for n in weights if n.startswith("synthesis.b")})

    const = np.asarray(weights["synthesis.b4.const"], np.float64)  # [C, 4, 4]
    x = np.repeat(const[np.newaxis], len(ws), axis=0)  # [N, C, 4, 4]
    rgb = None
    layer = 0  # how many convolutions came before: the index of the next w
    blocks = {}
    for res in resolutions:
        block = f"synthesis.b{res}"
        before = x
        if res > 4:
            x = styled_conv(x, ws[:, layer], weights, f"{block}.conv0", taps, **layer_settings)
            layer += 1
        x = styled_conv(x, ws[:, layer], weights, f"{block}.conv1", None, **layer_settings)
        layer += 1
        if res > 4 and architecture == "resnet":
            kernel = np.asarray(weights[f"{block}.skip.weight"], np.float64)
            shortcut = convolve(upsample(before, taps), kernel)  # [N, O, 2H, 2W]
            x = RESNET_GAIN * x + RESNET_GAIN * shortcut

        if architecture == "skip" and rgb is not None:
            rgb = upsample(rgb, taps)  # [N, C_img, 2H, 2W]
        if architecture == "skip" or res == resolutions[-1]:
            # The w after this block's last one; the next block's first convolution takes it again.
            y = to_rgb(x, ws[:, layer], weights, f"{block}.torgb", conv_clamp)  # [N, C_img, H, W]
            rgb = y if rgb is None else rgb + y
        blocks[res] = {"x": x, "rgb": rgb}
    return blocks


def styled_conv(x, w, weights, name, up_taps, *, conv_clamp=None, noise_mode="const"):
    """One layer: modulate, (up-sample,) convolve, demodulate, noise, bias, leaky ReLU, clamp.

    `up_taps` is the filter of a layer that doubles the size, or None for one that keeps it.
    """
    style = dense(w, weights, f"{name}.affine")  # [N, I]
    kernel = np.asarray(weights[f"{name}.weight"], np.float64)  # [O, I, 3, 3]

    y = x * style[:, :, np.newaxis, np.newaxis]  # [N, I, H, W]
    if up_taps is None:
        y = convolve(pad(y, (1, 1), (1, 1)), kernel)  # [N, O, H, W]
    else:
        # An up-sampling layer applies its kernel turned by 180 degrees: it is a transposed convolution.
        y = upsample(y, up_taps, margin=1)  # [N, I, 2H + 2, 2W + 2]
        y = convolve(y, kernel[:, :, ::-1, ::-1])  # [N, O, 2H, 2W]

    scaled = kernel[np.newaxis] * style[:, np.newaxis, :, np.newaxis, np.newaxis]  # [N, O, I, 3, 3]
    y = y / np.sqrt(np.sum(scaled**2, axis=(2, 3, 4)) + EPS)[:, :, np.newaxis, np.newaxis]

    if noise_mode == "const" and f"{name}.noise_const" in weights:
        noise = np.asarray(weights[f"{name}.noise_const"], np.float64)  # [H, W]
        y = y + noise * np.float64(weights[f"{name}.noise_strength"])
    y = leaky_relu(y + channels(weights[f"{name}.bias"]))
    return clamp(y, conv_clamp)


def to_rgb(x, w, weights, name, conv_clamp):
    """Features [N, I, H, W] to a picture [N, C_img, H, W]: modulated, not demodulated, linear."""
    style = dense(w, weights, f"{name}.affine")  # [N, I]
    kernel = np.asarray(weights[f"{name}.weight"], np.float64)  # [C_img, I, 1, 1]
    y = convolve(x * style[:, :, np.newaxis, np.newaxis], kernel)  # [N, C_img, H, W]
    return clamp(y + channels(weights[f"{name}.bias"]), conv_clamp)


def channels(bias):
    """A bias [C] as [1, C, 1, 1]."""
    return np.asarray(bias, np.float64)[np.newaxis, :, np.newaxis, np.newaxis]


def clamp(x, limit):
    """x held within ±limit, where there is a limit."""
    return x if limit is None else np.clip(x, -limit, limit)


# -------------------------------------------------------------------------------------- filters and sampling


def fir(resample_filter):
    """The taps as a 2-D filter [H, W] of sum 1; 1-D taps are used along both axes."""
    taps = np.asarray(resample_filter, np.float64)
    if taps.ndim == 1:
        taps = np.outer(taps, taps)
    assert taps.ndim == 2, taps.shape
    return taps / taps.sum()


def upsample(x, taps, margin=0):
    """Twice the size: a zero after every sample, then the FIR, with gain 4 for the three zeros in four.

    [N, C, H, W] to [N, C, 2H + 2·margin, 2W + 2·margin]; a convolution that follows eats up the margin.
    """
    N, C, H, W = x.shape
    zeros = np.zeros((N, C, 2 * H, 2 * W))
    zeros[:, :, ::2, ::2] = x  # [N, C, 2H, 2W]
    fh, fw = taps.shape
    zeros = pad(
        zeros,
        (margin + (fh + 1) // 2, margin + (fh - 2) // 2),
        (margin + (fw + 1) // 2, margin + (fw - 2) // 2),
    )
    out_h, out_w = 2 * H + 2 * margin, 2 * W + 2 * margin
    turned = taps[::-1, ::-1]  # a convolution, not a correlation
    out = np.zeros((N, C, out_h, out_w))
    for ky in range(fh):
        for kx in range(fw):
            out += turned[ky, kx] * zeros[:, :, ky : ky + out_h, kx : kx + out_w]
    return 4.0 * out


def convolve(x, kernel):
    """What deep learning calls a convolution (a correlation), without padding.

    x [N, I, H, W], kernel [O, I, kh, kw] to [N, O, H - kh + 1, W - kw + 1].
    """
    N, I, H, W = x.shape  # noqa: E741
    O, I_kernel, kh, kw = kernel.shape  # noqa: E741
    assert I_kernel == I, (x.shape, kernel.shape)
    out_h, out_w = H - kh + 1, W - kw + 1
    out = np.zeros((N, out_h, out_w, O))
    for ky in range(kh):
        for kx in range(kw):
            window = x[:, :, ky : ky + out_h, kx : kx + out_w]  # [N, I, out_h, out_w]
            out += np.tensordot(window, kernel[:, :, ky, kx], axes=([1], [1]))  # [N, out_h, out_w, O]
    return out.transpose(0, 3, 1, 2)  # [N, O, out_h, out_w]


def pad(x, rows, cols):
    """Zeros before and after; a negative count cuts samples off instead (a filter of one tap asks for it)."""
    x = np.pad(x, ((0, 0), (0, 0), [max(p, 0) for p in rows], [max(p, 0) for p in cols]))
    H, W = x.shape[2:]
    return x[:, :, max(-rows[0], 0) : H - max(-rows[1], 0), max(-cols[0], 0) : W - max(-cols[1], 0)]
