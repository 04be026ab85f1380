"""The mapping network of NVIDIA's TensorFlow StyleGAN and StyleGAN2, which differ in gains and in how labels enter."""

from __future__ import annotations

import math
from typing import Any

from ganexport.importers._nvidia_tf import Arrays, Settings, Variables, he_gain

__all__ = ["read_mapping"]

MAX_LAYERS = 64


def read_mapping(
    variables: Variables, settings: Settings, blocks: int, *, gain: float, wscale: bool = True
) -> tuple[Arrays, dict[str, Any]]:
    """Canonical tensors, and the fields of a spec that they tell.

    Args:
        variables: With those of the component under `mapping/`.
        settings: Of the whole.
        blocks: How many the synthesis has; each takes two w.
        gain: Of a dense layer's weights.
        wscale: Whether the learning rate is equalized.
    """
    settings.one_of("mapping_nonlinearity", "lrelu")
    settings.one_of("normalize_latents", True)
    multiplier = settings.number("mapping_lrmul", 0.01)
    assert multiplier is not None
    tensors = {"mapping.w_avg": variables.take("dlatent_avg", 1), **_labels(variables)}
    layers = 0
    while f"mapping/Dense{layers}/weight" in variables and layers < MAX_LAYERS:
        weight = variables.take(f"mapping/Dense{layers}/weight", 2)  # [in, out]
        scale = multiplier * he_gain(gain, len(weight), wscale=wscale)
        tensors[f"mapping.fc{layers}.weight"] = weight.T * scale
        tensors[f"mapping.fc{layers}.bias"] = variables.take(f"mapping/Dense{layers}/bias", 1) * multiplier
        layers += 1
    if not layers:
        variables.take("mapping/Dense0/weight", 2)  # says that it is missing
    embed = tensors.get("mapping.embed.weight")  # [features, c_dim]
    features, classes = (0, 0) if embed is None else embed.shape
    fields = {
        "z_dim": tensors["mapping.fc0.weight"].shape[1] - features,
        "c_dim": classes,
        "w_dim": len(tensors["mapping.w_avg"]),
        "mapping_layers": layers,
        "mapping_width": len(tensors["mapping.fc0.bias"]),
    }
    settings.size("latent_size", fields["z_dim"])
    settings.size("label_size", classes)
    settings.size("label_fmaps", features if classes else None)
    settings.size("dlatent_size", fields["w_dim"])
    settings.size("mapping_layers", layers)
    settings.size("mapping_fmaps", fields["mapping_width"] if layers > 1 else None)
    settings.size("dlatent_broadcast", 2 * blocks)
    return tensors, fields


def _labels(variables: Variables) -> Arrays:
    if "mapping/LabelConcat/weight" in variables:  # StyleGAN and StyleGAN2: a table of embeddings, no gain
        return {"mapping.embed.weight": variables.take("mapping/LabelConcat/weight", 2).T}
    if "mapping/LabelEmbed/weight" in variables:  # StyleGAN2-ADA: a dense layer
        weight = variables.take("mapping/LabelEmbed/weight", 2)  # [c_dim, features]
        bias = variables.take("mapping/LabelEmbed/bias", 1)
        return {"mapping.embed.weight": weight.T / math.sqrt(len(weight)), "mapping.embed.bias": bias}
    return {}
