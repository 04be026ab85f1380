"""The StyleGAN3 generator (configurations T and R) as published, written out in float64 NumPy and nothing else.

This is the independent witness: it shares no code with the package, takes no short cut (zeros are really inserted,
every filter tap is really looped over, kernels are really modulated) and reads top to bottom. It works on canonical
tensors, with all gains and learning-rate multipliers folded in:

    mapping.embed.weight [w_dim, c_dim], .bias [w_dim]     only with labels
    mapping.fc{i}.weight [out, in], .bias [out]
    mapping.w_avg [w_dim]
    synthesis.input.freqs [C, 2], .phases [C]     in cycles
    synthesis.input.affine.weight [4, w_dim], .affine.bias [4]
    synthesis.input.weight [C, C, 1, 1]     1/sqrt(C) is folded in
    synthesis.L{i}_{size}_{channels}.weight [O, I, k, k], .bias [O]
    synthesis.L{i}_{size}_{channels}.affine.weight [I, w_dim], .affine.bias [I]
    synthesis.L{i}_{size}_{channels}.up_filter, .down_filter [taps] or [taps, taps]     none in the last layer

In the last layer, which gives RGB, the affine also holds 1/sqrt(I), the input's gain and the output's scale.

Source: Karras et al., "Alias-Free Generative Adversarial Networks" (2021), sections 3 and 4, appendices C and F.
"""

import re

import numpy as np

EPS = 1e-8
LRELU_SLOPE = 0.2
LRELU_GAIN = np.sqrt(2.0)


def generate(weights, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None, **settings):
    """The whole generator: z [N, z_dim] and c [N, c_dim] to pictures [N, C, H, W]; settings as in `synthesis`."""
    ws = mapping(weights, z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
    return synthesis(weights, ws, **settings)


# ---------------------------------------------------------------------------------------------------- mapping


def mapping(weights, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None):
    """Latents and labels to ws [N, num_ws, w_dim], truncated towards w_avg (only the first `truncation_cutoff`)."""
    x = unit_mean_square(np.asarray(z, np.float64))  # [N, z_dim]
    assert ("mapping.embed.weight" in weights) == (c is not None), "labels go with an embedding"
    if c is not None:
        y = dense(np.asarray(c, np.float64), weights, "mapping.embed")  # [N, w_dim]
        x = np.concatenate([x, unit_mean_square(y)], axis=1)  # [N, z_dim + w_dim]
    for i in range(count(weights, r"mapping\.fc\d+\.weight")):
        x = LRELU_GAIN * leaky_relu(dense(x, weights, f"mapping.fc{i}"))  # [N, w_dim]

    num_ws = count(weights, r"synthesis\.(input|L\d+_\d+_\d+)\.weight")
    ws = np.repeat(x[:, np.newaxis, :], num_ws, axis=1)  # [N, num_ws, w_dim]
    w_avg = np.asarray(weights["mapping.w_avg"], np.float64)  # [w_dim]
    ws[:, :truncation_cutoff] = w_avg + truncation_psi * (ws[:, :truncation_cutoff] - w_avg)
    return ws


def unit_mean_square(x):
    """Each row scaled to a mean square of 1."""
    return x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + EPS)


def dense(x, weights, name):
    """x [N, in] to [N, out]."""
    weight = np.asarray(weights[f"{name}.weight"], np.float64)  # [out, in]
    return x @ weight.T + weights[f"{name}.bias"]


def leaky_relu(x):
    """Leaky ReLU, without a gain."""
    return np.where(x >= 0, x, LRELU_SLOPE * x)


def count(weights, pattern):
    """How many tensor names match the whole pattern."""
    return sum(re.fullmatch(pattern, name) is not None for name in weights)


# -------------------------------------------------------------------------------------------------- synthesis


def synthesis(weights, ws, *, input_size, sampling_rate, bandwidth, layers, rgb_clamp=None, transform=None):
    """Pictures [N, C, H, W] from ws [N, num_ws, w_dim].

    Args:
        weights: canonical tensors.
        ws: one for the input, then one for each layer.
        input_size: height and width of the Fourier features, in samples.
        sampling_rate: of the Fourier features: samples a unit of length; the picture is one unit wide.
        bandwidth: frequencies up to this one, in cycles a unit, keep their whole amplitude.
        layers: for each but the last {"up", "down", "padding": (before, after), "input_gain", "clamp" or None}.
        rgb_clamp: limit on what the last layer gives.
        transform: [N, 3, 3] or [3, 3], the inverse of what is done to the picture; None leaves it as it is.
    """
    ws = np.asarray(ws, np.float64)
    names = sorted(
        {n.split(".")[1] for n in weights if n.startswith("synthesis.L")}, key=lambda name: int(name.split("_")[0][1:])
    )
    assert ws.shape[1] == len(names) + 1 == len(layers) + 2, (ws.shape, names, len(layers))
    transform = np.broadcast_to(np.eye(3) if transform is None else transform, (len(ws), 3, 3))

    x = fourier_features(weights, ws[:, 0], transform, input_size, sampling_rate, bandwidth)  # [N, C, size, size]
    for i, (name, layer) in enumerate(zip(names, layers, strict=False)):
        x = filtered_layer(x, ws[:, i + 1], weights, f"synthesis.{name}", layer)
    return to_rgb(x, ws[:, -1], weights, f"synthesis.{names[-1]}", rgb_clamp)


def fourier_features(weights, w, transform, size, sampling_rate, bandwidth):
    """Sines of fixed frequencies on a plane that w and the user turn and move, mixed by a matrix."""
    freqs = np.asarray(weights["synthesis.input.freqs"], np.float64)  # [C, 2]
    phases = np.asarray(weights["synthesis.input.phases"], np.float64)  # [C]
    mix = np.asarray(weights["synthesis.input.weight"], np.float64)[:, :, 0, 0]  # [C, C]

    # Centres of the samples, x to the right and y down, the picture's own centre at 0.
    centres = (np.arange(size) + 0.5 - size / 2) / sampling_rate  # [size]

    pictures = []
    for sample in range(len(w)):
        t = dense(w[sample : sample + 1], weights, "synthesis.input.affine")[0]  # [4]
        t = t / np.sqrt(t[0] ** 2 + t[1] ** 2)
        rotation = np.array([[t[0], -t[1], 0], [t[1], t[0], 0], [0, 0, 1]])
        translation = np.array([[1, 0, -t[2]], [0, 1, -t[3]], [0, 0, 1]])
        whole = rotation @ translation @ transform[sample]  # [3, 3]

        features = np.zeros((len(freqs), size, size))
        for channel in range(len(freqs)):
            phase = phases[channel] + freqs[channel] @ whole[:2, 2]
            fx, fy = freqs[channel] @ whole[:2, :2]
            length = np.sqrt(fx**2 + fy**2)
            amplitude = np.clip(1 - (length - bandwidth) / (sampling_rate / 2 - bandwidth), 0, 1)
            angle = fx * centres[np.newaxis, :] + fy * centres[:, np.newaxis] + phase  # [size, size]
            features[channel] = amplitude * np.sin(2 * np.pi * angle)
        pictures.append(np.tensordot(mix, features, axes=([1], [0])))  # [C, size, size]
    return np.stack(pictures)  # [N, C, size, size]


def filtered_layer(x, w, weights, name, layer):
    """Modulated convolution, bias, up-sampling, leaky ReLU, clamp, down-sampling."""
    style = dense(w, weights, f"{name}.affine")  # [N, I]
    style = style / np.sqrt(np.mean(style**2, axis=1, keepdims=True))
    kernel = np.asarray(weights[f"{name}.weight"], np.float64)  # [O, I, k, k]
    kernel = kernel / np.sqrt(np.mean(kernel**2, axis=(1, 2, 3), keepdims=True))

    margin = kernel.shape[2] - 1
    padded = pad(x, (margin, margin))
    outputs = []
    for sample in range(len(x)):
        scaled = kernel * style[sample][np.newaxis, :, np.newaxis, np.newaxis]  # [O, I, k, k]
        scaled = scaled / np.sqrt(np.sum(scaled**2, axis=(1, 2, 3), keepdims=True) + EPS)
        outputs.append(correlate(padded[sample], scaled * layer["input_gain"]))  # [O, H + k − 1, W + k − 1]
    y = np.stack(outputs) + np.asarray(weights[f"{name}.bias"], np.float64)[np.newaxis, :, np.newaxis, np.newaxis]

    up, down = layer["up"], layer["down"]
    zeros = np.zeros((*y.shape[:2], y.shape[2] * up, y.shape[3] * up))
    zeros[:, :, ::up, ::up] = y
    y = convolve(pad(zeros, layer["padding"]), weights[f"{name}.up_filter"]) * up**2
    y = clamp(LRELU_GAIN * leaky_relu(y), layer["clamp"])
    return convolve(y, weights[f"{name}.down_filter"])[:, :, ::down, ::down]


def to_rgb(x, w, weights, name, limit):
    """Features [N, I, H, W] to a picture [N, C_img, H, W]: modulated, not demodulated, linear."""
    style = dense(w, weights, f"{name}.affine")  # [N, I]
    kernel = np.asarray(weights[f"{name}.weight"], np.float64)  # [C_img, I, 1, 1]
    y = np.stack([correlate(x[n] * style[n][:, np.newaxis, np.newaxis], kernel) for n in range(len(x))])
    return clamp(y + np.asarray(weights[f"{name}.bias"], np.float64)[np.newaxis, :, np.newaxis, np.newaxis], limit)


def clamp(x, limit):
    """x held within ±limit, where there is a limit."""
    return x if limit is None else np.clip(x, -limit, limit)


# -------------------------------------------------------------------------------------- filters and sampling


def pad(x, margins):
    """Zeros before and after in both axes; a negative count cuts samples off instead."""
    before, after = margins
    both = (max(before, 0), max(after, 0))
    x = np.pad(x, ((0, 0), (0, 0), both, both))
    H, W = x.shape[2:]
    first, last = max(-before, 0), max(-after, 0)
    return x[:, :, first : H - last, first : W - last]


def convolve(x, taps):
    """Every channel through one filter (turned, as a convolution has it), without padding; 1-D taps in both axes."""
    taps = np.asarray(taps, np.float64)
    if taps.ndim == 1:
        return convolve(convolve(x, taps[:, np.newaxis]), taps[np.newaxis, :])
    turned = taps[::-1, ::-1]
    fh, fw = turned.shape
    out_h, out_w = x.shape[2] - fh + 1, x.shape[3] - fw + 1
    out = np.zeros((*x.shape[:2], out_h, out_w))
    for ky in range(fh):
        for kx in range(fw):
            out += turned[ky, kx] * x[:, :, ky : ky + out_h, kx : kx + out_w]
    return out


def correlate(x, kernel):
    """What deep learning calls a convolution: x [I, H, W], kernel [O, I, k, k] to [O, H − k + 1, W − k + 1]."""
    kh, kw = kernel.shape[2:]
    out_h, out_w = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    out = np.zeros((kernel.shape[0], out_h, out_w))
    for ky in range(kh):
        for kx in range(kw):
            out += np.tensordot(kernel[:, :, ky, kx], x[:, ky : ky + out_h, kx : kx + out_w], axes=([1], [0]))
    return out
