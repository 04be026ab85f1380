"""Small generators with random weights, and what the independent oracles draw of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from oracles import dcgan as dcgan_oracle
from oracles import mlp as mlp_oracle
from oracles import stylegan2 as stylegan2_oracle
from support.random_weights import random_weights

from ganexport.architectures import dcgan, mlp, stylegan2, weight_shapes
from ganexport.generator import Generator
from ganexport.spec import GeneratorSpec, Provenance
from ganexport.weights import hash_tensors

Arrays = dict[str, np.ndarray]

NON_SEPARABLE = ((1.0, 2.0, 0.0, 1.0), (0.0, 3.0, 1.0, 0.0), (2.0, 0.0, 5.0, 1.0), (1.0, 1.0, 0.0, 7.0))

BUNDLE_FILES = (
    "README.md",
    "checkpoint.safetensors",
    "goldens.safetensors",
    "onnx/generator.onnx",
    "onnx/mapping.onnx",
    "onnx/synthesis.onnx",
    "preview.webp",
    "tfjs/mapping/group1-shard1of1.bin",
    "tfjs/mapping/model.json",
    "tfjs/synthesis/group1-shard1of1.bin",
    "tfjs/synthesis/model.json",
)
"""Files of a bundle with both targets, a w space and little weights, beside the manifest."""


def make_generator(
    spec: GeneratorSpec, weights: Mapping[str, np.ndarray] | None = None, labels: tuple[str, ...] | None = None
) -> Generator:
    """A generator of these weights, or of random ones that are not degenerate."""
    tensors = random_tensors(spec) if weights is None else dict(weights)
    provenance = Provenance(
        source_format="test",
        source_sha256=None,
        weights_sha256=hash_tensors(tensors),
        importer="tests",
        licence="none needed: random numbers",
    )
    return Generator(spec, tensors, provenance, labels)


def random_tensors(spec: GeneratorSpec, seed: int = 1) -> Arrays:
    """Random canonical tensors of a spec."""
    shapes = weight_shapes(spec)
    if not isinstance(spec, dcgan.Spec):
        return random_weights(shapes, seed)
    # Drawn under the oracle's names, for which the scales are set; its kernels are [I, O, k, k].
    swapped = {oracle_name(n): (s[1], s[0], *s[2:]) if len(s) == 4 else s for n, s in shapes.items()}
    drawn = random_weights(swapped, seed)
    return {n: np.ascontiguousarray(_swap(drawn[oracle_name(n)])) for n in shapes}


def stylegan2_spec(**changes: Any) -> stylegan2.Spec:
    """A 16² net with labels, noise and an asymmetric filter; widths are all different."""
    fields = {
        "resolution": 16,
        "image_channels": 3,
        "z_dim": 8,
        "c_dim": 3,
        "w_dim": 7,
        "embed_dim": 5,
        "channels": (8, 6, 4),
        "mapping_layers": 2,
        "mapping_width": 9,
        "resample_filter": (1.0, 3.0, 3.0, 2.0),
    } | changes
    if not fields["c_dim"]:
        fields["embed_dim"] = 0
    return stylegan2.Spec(**fields)


def dcgan_spec(c_dim: int = 0, **changes: Any) -> dcgan.Spec:
    """A 16² net of three layers, as in PyTorch's tutorial."""
    layers = (
        {"channels": 12, "kernel": 4, "stride": 1, "padding": 0, "activation": "relu"},
        {"channels": 8, "kernel": 4, "stride": 2, "padding": 1, "activation": "relu"},
        {"channels": 3, "kernel": 4, "stride": 2, "padding": 1, "activation": "tanh"},
    )
    fields = {"resolution": 16, "image_channels": 3, "z_dim": 10, "c_dim": c_dim, "layers": layers}
    return dcgan.Spec(**(fields | changes))


def mlp_spec(c_dim: int = 0, **changes: Any) -> mlp.Spec:
    """A 9² RGB net with two hidden layers of different width."""
    fields = {"resolution": 9, "image_channels": 3, "z_dim": 10, "c_dim": c_dim, "hidden": (24, 16), "slope": 0.2}
    return mlp.Spec(**(fields | changes))


def oracle_outputs(generator: Generator, feeds: Mapping[str, np.ndarray]) -> Arrays:
    """What the independent oracle makes of a case: `ws`, `rgb_b{res}`, `image` [N, C, H, W], float64.

    Args:
        generator: Of a family that has an oracle.
        feeds: `z`, `c`, `truncation_psi` [N, num_ws], `noise_scale` [N] of zeros and ones.
    """
    spec = generator.spec
    if isinstance(spec, dcgan.Spec):
        weights = {oracle_name(n): _swap(a) for n, a in generator.weights.items()}
        layers = [(layer.stride, layer.padding, layer.activation) for layer in spec.layers]
        every = spec.label_layers == "every"
        return {"image": dcgan_oracle.generate(weights, feeds["z"], feeds.get("c"), layers=layers, every=every)}
    if isinstance(spec, mlp.Spec):
        weights = {oracle_name(n): a for n, a in generator.weights.items()}
        settings = {"channels": spec.image_channels, "slope": spec.slope, "every": spec.label_layers == "every"}
        return {"image": mlp_oracle.generate(weights, feeds["z"], feeds.get("c"), **settings)}
    assert isinstance(spec, stylegan2.Spec)
    w_avg = generator.weights["mapping.w_avg"].astype(np.float64)
    psi = feeds["truncation_psi"].astype(np.float64)[:, :, None]  # [N, num_ws, 1]
    ws = stylegan2_oracle.mapping(generator.weights, feeds["z"], feeds.get("c"))
    ws = w_avg + psi * (ws - w_avg)  # [N, num_ws, w_dim]
    scale = feeds.get("noise_scale", np.zeros(len(ws)))
    assert np.isin(scale, (0, 1)).all()
    blocks = {
        mode: stylegan2_oracle.synthesis_blocks(generator.weights, ws, noise_mode=mode, **oracle_settings(spec))
        for mode in ("const", "none")
    }
    outputs: Arrays = {"ws": ws}
    for resolution, const in blocks["const"].items():
        if const["rgb"] is None:
            continue
        name = "image" if resolution == spec.resolution else f"rgb_b{resolution}"
        noisy = scale[:, None, None, None] == 1
        outputs[name] = np.where(noisy, const["rgb"], blocks["none"][resolution]["rgb"])
    return outputs


def oracle_settings(spec: stylegan2.Spec) -> dict[str, Any]:
    """The oracle's keyword arguments for a spec."""
    return {
        "architecture": spec.output,
        "resample_filter": spec.resample_filter,
        "conv_clamp": spec.conv_clamp,
    }


def oracle_pixels(image: np.ndarray) -> np.ndarray:
    """NVIDIA's rule: x·127.5 + 128, cut to 0 … 255 and truncated; [N, C, H, W] to uint8 [N, H, W, C]."""
    return np.clip(image * 127.5 + 128, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def oracle_name(name: str) -> str:
    """`synthesis.layer0.weight` and `synthesis.fc0.weight` as oracles call them: `layers.0.weight`, `fc.0.weight`."""
    return name.replace("synthesis.layer", "layers.").replace("synthesis.fc", "fc.")


def _swap(array: np.ndarray) -> np.ndarray:
    return array.transpose(1, 0, 2, 3) if array.ndim == 4 else array
