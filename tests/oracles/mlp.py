"""A dense GAN generator, written out in float64 NumPy and nothing else; it shares no code with the package.

BatchNorm is either already folded into the tensors or written out with its running statistics. Tensors of layer i:

    fc.{i}.weight [O, I]   fc.{i}.bias [O]
    fc.{i}.gamma, .beta, .mean, .variance [O]   in place of the bias, where the layer is normalised

Source: Goodfellow et al., "Generative Adversarial Nets" (2014); labels in every layer as Mirza and Osindero,
"Conditional Generative Adversarial Nets" (2014), section 3.2; BatchNorm: Ioffe and Szegedy 2015, algorithm 2.
"""

import numpy as np


def generate(weights, z, c=None, *, channels, slope, every=False, epsilon=1e-5):
    """Pictures [N, C, H, W].

    Args:
        weights: canonical tensors.
        z: [N, z_dim].
        c: [N, c_dim] one-hot labels, put after what goes into the first layer; None where the net has none.
        channels: C; the last layer holds C·H·W numbers in this order.
        slope: of the leaky ReLU after every layer but the last.
        every: whether the labels go into every layer.
        epsilon: guard of BatchNorm's division.
    """
    x = np.asarray(z, np.float64)
    last = max(int(name.split(".")[1]) for name in weights)
    for i in range(last + 1):
        if c is not None and (every or i == 0):
            x = np.hstack([x, np.asarray(c, np.float64)])
        x = x @ np.asarray(weights[f"fc.{i}.weight"], np.float64).T
        if f"fc.{i}.gamma" in weights:
            gamma, beta, mean, variance = (
                np.asarray(weights[f"fc.{i}.{name}"], np.float64) for name in ("gamma", "beta", "mean", "variance")
            )
            x = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
        else:
            x = x + np.asarray(weights[f"fc.{i}.bias"], np.float64)
        x = np.tanh(x) if i == last else np.where(x > 0, x, slope * x)
    size = int(np.sqrt(x.shape[1] // channels))
    return x.reshape(len(x), channels, size, size)
