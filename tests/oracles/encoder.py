"""The encoders written out in float64 NumPy and nothing else: every sum on its own, zeros really added.

It works on canonical tensors; kernels are [O, I, kh, kw] and slide without being turned.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), figure 7 (the residual
discriminator) and appendix B (each halving filters with 1 3 3 1 first); Radford et al., "Unsupervised Representation
Learning with Deep Convolutional Generative Adversarial Networks" (2016), section 3.
"""

import numpy as np

TAPS = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def encode(weights, image, *, reach, num_ws):
    """The residual encoder, or where the weights begin with `conv0` the convolutional one.

    image [N, C, H, W] -> z [N, z_dim] or ws [N, num_ws, w_dim]; with classes `c_logits` [N, c_dim].
    """
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    x = convolutional(w, image) if "conv0.weight" in w else residual(w, image)  # [N, F]
    latent = x @ w["latent.weight"].T + w["latent.bias"]
    if reach == "sphere":
        latent = latent / np.sqrt(np.mean(latent**2, axis=1, keepdims=True))
    if reach == "cube":
        latent = np.tanh(latent)
    outputs = {"ws": latent.reshape(len(latent), num_ws, -1)} if num_ws else {"z": latent}
    if "class.weight" in w:
        outputs["c_logits"] = x @ w["class.weight"].T + w["class.bias"]
    return outputs


def convolutional(w, image):
    x, i = image.astype(np.float64), 0
    while f"conv{i}.weight" in w:
        x = correlate(x, w[f"conv{i}.weight"], 1, 2) + w[f"conv{i}.bias"][:, None, None]
        x, i = np.where(x > 0, x, 0.2 * x), i + 1
    x = np.einsum("nihw,oihw->no", x, w["fc.weight"]) + w["fc.bias"]
    return np.where(x > 0, x, 0.2 * x)


def residual(w, image):
    x = activate(correlate(image.astype(np.float64), w["fromrgb.weight"], 0, 1), w["fromrgb.bias"])
    while x.shape[2] > 4:
        block = f"b{x.shape[2]}"
        main = activate(correlate(x, w[f"{block}.conv0.weight"], 1, 1), w[f"{block}.conv0.bias"])
        main = activate(correlate(blur(main, 2), w[f"{block}.conv1.weight"], 0, 2), w[f"{block}.conv1.bias"])
        side = correlate(blur(x, 1), w[f"{block}.skip.weight"], 0, 2)
        x = (main + side) * np.sqrt(0.5)
    x = activate(correlate(x, w["b4.conv.weight"], 1, 1), w["b4.conv.bias"])
    x = np.einsum("nihw,oihw->no", x, w["b4.fc.weight"]) + w["b4.fc.bias"]
    return np.where(x > 0, x, 0.2 * x) * np.sqrt(2)


def correlate(x, kernel, padding, stride):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    size = kernel.shape[2]
    rows = range(0, x.shape[2] - size + 1, stride)
    y = np.zeros((len(x), len(kernel), len(rows), len(rows)))
    for i, top in enumerate(rows):
        for j, left in enumerate(rows):
            y[:, :, i, j] = np.einsum("nikl,oikl->no", x[:, :, top : top + size, left : left + size], kernel)
    return y


def blur(x, padding):
    n, c, h, w = x.shape
    return correlate(x.reshape(n * c, 1, h, w), TAPS[None, None], padding, 1).reshape(n, c, h + 2 * padding - 3, -1)


def activate(x, bias):
    x = x + bias[:, None, None]
    return np.where(x > 0, x, 0.2 * x) * np.sqrt(2)
