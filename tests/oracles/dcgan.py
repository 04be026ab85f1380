"""A DCGAN generator, written out in float64 NumPy and nothing else; it shares no code with the package.

The network is a chain of transposed convolutions. Canonical tensors, BatchNorm already folded into them:

    layers.{i}.weight [I, O, k, k]     a transposed convolution's kernel: inputs first, as PyTorch stores it
    layers.{i}.bias   [O]

Source: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks" (2016), section 3 and figure 1.
"""

import numpy as np


def generate(weights, z, c=None, *, layers, every=False):
    """Pictures [N, C, H, W].

    Args:
        weights: canonical tensors.
        z: [N, z_dim] or [N, z_dim, 1, 1].
        c: [N, c_dim] one-hot labels, put after z; None where the net has none.
        layers: for each layer (stride, padding, activation); activation is "relu", "tanh" or "linear".
        every: whether the labels also go into every later layer, as maps that are 1 all over, or 0.
    """
    x = np.asarray(z, np.float64).reshape(len(z), -1)  # [N, z_dim]
    if c is not None:
        x = np.concatenate([x, np.asarray(c, np.float64)], axis=1)  # [N, z_dim + c_dim]
    x = x[:, :, np.newaxis, np.newaxis]  # [N, z_dim + c_dim, 1, 1]
    for i, (stride, padding, activation) in enumerate(layers):
        if every and i > 0:
            maps = np.zeros((len(x), len(c[0]), *x.shape[2:]))
            for n, label in enumerate(np.argmax(c, axis=1)):
                maps[n, label] = 1.0
            x = np.concatenate([x, maps], axis=1)  # [N, I + c_dim, H, W]
        x = conv_transpose(x, weights[f"layers.{i}.weight"], stride, padding)
        x = x + np.asarray(weights[f"layers.{i}.bias"], np.float64)[np.newaxis, :, np.newaxis, np.newaxis]
        x = activate(x, activation)
    return x


def conv_transpose(x, kernel, stride, padding):
    """Each input sample lays down a copy of the kernel; the copies are `stride` apart and add up.

    x [N, I, H, W], kernel [I, O, k, k] to [N, O, (H-1)·stride + k - 2·padding, …].
    """
    kernel = np.asarray(kernel, np.float64)
    N, I, H, W = x.shape  # noqa: E741
    I_kernel, O, kh, kw = kernel.shape  # noqa: E741
    assert I_kernel == I, (x.shape, kernel.shape)
    full_h, full_w = (H - 1) * stride + kh, (W - 1) * stride + kw
    out = np.zeros((N, full_h, full_w, O))
    for ky in range(kh):
        for kx in range(kw):
            copies = np.tensordot(x, kernel[:, :, ky, kx], axes=([1], [0]))  # [N, H, W, O]
            rows = slice(ky, ky + (H - 1) * stride + 1, stride)
            cols = slice(kx, kx + (W - 1) * stride + 1, stride)
            out[:, rows, cols] += copies
    out = out[:, padding : full_h - padding, padding : full_w - padding]
    return out.transpose(0, 3, 1, 2)  # [N, O, out_h, out_w]


def activate(x, activation):
    """x through the named function."""
    if activation == "relu":
        return np.maximum(x, 0.0)
    if activation == "tanh":
        return np.tanh(x)
    assert activation == "linear", activation
    return x
