"""Writes generators as NVIDIA's TensorFlow pickles lay them out, without TensorFlow and without NVIDIA's code.

StyleGAN and Progressive GAN are written from the tensors that their oracles take, StyleGAN2 from canonical ones. What
is stored are these without the gains that the recorded settings ask for.
"""

import zlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from support.torch_writer import Named, Object, dumps

Arrays = dict[str, np.ndarray]

NETWORK = Named("dnnlib.tflib.network", "Network")
OLD_NETWORK = Named("tfutil", "Network")
SOURCE = "raise SystemExit('this source must never run')"
LRMUL = 0.02  # not the published 0.01: a reader that assumed that would show


def network(
    name: str,
    function: str,
    settings: Mapping[str, Any],
    variables: Mapping[str, np.ndarray],
    components: Mapping[str, Object] | None = None,
    *,
    version: int = 4,
    cls: Named = NETWORK,
) -> Object:
    """A network as it pickles itself; numbers are NumPy's scalars."""
    stored = [(key, np.float32(a) if np.ndim(a) == 0 else np.asarray(a, np.float32)) for key, a in variables.items()]
    state = {
        "version": version,
        "name": name,
        "static_kwargs": dict(settings),
        "build_module_src": SOURCE,
        "build_func_name": function,
        "variables": stored,
    }
    return Object(cls, state if components is None else state | {"components": dict(components)})


def write_pickle(root: Any, protocol: int = 2) -> bytes:
    """The bytes of a pickle of these."""
    return dumps(root, protocol)


def discriminator() -> Object:
    """A network that is no generator."""
    return network("D", "D_basic", {"resolution": 16}, {"4x4/Dense1/weight": np.ones((3, 1))}, {})


# ------------------------------------------------------------------------------------------- tensors for the oracles


def stylegan_tensors(
    channels: tuple[int, ...] = (6, 5, 4), *, c_dim: int = 0, image_channels: int = 3, noise: bool = True, seed: int = 1
) -> Arrays:
    """Random tensors as `oracles.stylegan` takes them; widths are all different."""
    z_dim, width, w_dim = 8, 9, 7
    shapes: dict[str, tuple[int, ...]] = {"dlatent_avg": (w_dim,)}
    if c_dim:
        shapes["mapping/LabelConcat/weight"] = (c_dim, z_dim)
    for i, (into, out) in enumerate(((2 * z_dim if c_dim else z_dim, width), (width, w_dim))):
        shapes |= {f"mapping/Dense{i}/weight": (into, out), f"mapping/Dense{i}/bias": (out,)}
    for i, count in enumerate(channels):
        size = 4 << i
        for k, layer in enumerate(("Const", "Conv") if i == 0 else ("Conv0_up", "Conv1")):
            name, into = f"{size}x{size}/{layer}", channels[i - 1] if layer == "Conv0_up" else count
            kernel = (1, count, 4, 4) if layer == "Const" else (3, 3, into, count)
            shapes[f"{name}/const" if layer == "Const" else f"{name}/weight"] = kernel
            shapes |= {f"{name}/bias": (count,), f"{name}/StyleMod/weight": (w_dim, 2 * count)}
            shapes[f"{name}/StyleMod/bias"] = (2 * count,)
            if noise:
                shapes |= {f"noise{2 * i + k}": (1, 1, size, size), f"{name}/Noise/weight": (count,)}
    return _random(shapes | _to_rgb_shapes(channels, image_channels), seed)


def progressive_tensors(
    channels: tuple[int, ...] = (6, 5, 4), *, c_dim: int = 0, image_channels: int = 3, fused: bool = True, seed: int = 1
) -> Arrays:
    """Random tensors as `oracles.progressive` takes them."""
    z_dim = 8
    shapes: dict[str, tuple[int, ...]] = {"4x4/Dense/weight": (z_dim + c_dim, 16 * channels[0])}
    shapes |= {"4x4/Dense/bias": channels[:1], "4x4/Conv/weight": (3, 3, channels[0], channels[0])}
    shapes["4x4/Conv/bias"] = channels[:1]
    for i, (before, count) in enumerate(pairwise(channels)):
        block, up = f"{8 << i}x{8 << i}", "Conv0_up" if fused else "Conv0"
        shapes[f"{block}/{up}/weight"] = (3, 3, count, before) if fused else (3, 3, before, count)
        shapes |= {f"{block}/{up}/bias": (count,), f"{block}/Conv1/weight": (3, 3, count, count)}
        shapes[f"{block}/Conv1/bias"] = (count,)
    return _random(shapes | _to_rgb_shapes(channels, image_channels), seed)


def _to_rgb_shapes(channels: tuple[int, ...], image_channels: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for level, count in enumerate(reversed(channels)):
        shapes[f"ToRGB_lod{level}/weight"] = (1, 1, count, image_channels)
        shapes[f"ToRGB_lod{level}/bias"] = (image_channels,)
    return shapes


def _random(shapes: Mapping[str, tuple[int, ...]], seed: int) -> Arrays:
    """Nothing degenerate; a tensor's numbers depend on the seed, its name and its shape only."""
    tensors = {}
    for name, shape in shapes.items():
        drawn = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(shape)
        if "noise" in name or "const" in name:
            scale = 1.0
        elif len(shape) == 1:
            scale = 0.3
        else:
            scale = 1.2 / np.sqrt(np.prod(shape[:-1]))
        tensors[name] = (drawn * scale).astype(np.float32)
    return tensors


# ---------------------------------------------------------------------------------------------------- whole networks


def stylegan(tensors: Arrays, *, lod: float = 0.0, wscale: bool = True, name: str = "Gs", **settings: Any) -> Object:
    """The first StyleGAN; what is recorded beside the settings is what was not a default."""
    settings = {"mapping_lrmul": LRMUL, "label_size": len(tensors.get("mapping/LabelConcat/weight", ()))} | settings
    if not wscale:
        settings["use_wscale"] = False
    mapping, synthesis = {}, {"lod": np.float32(lod)}
    for key, array in tensors.items():
        parts = key.split("/")
        if key.startswith("mapping/"):
            gain = LRMUL * (_he(array, np.sqrt(2)) if wscale and parts[-1] == "weight" else 1.0)
            mapping["/".join(parts[1:])] = array / gain if "Dense" in key else array
        elif key != "dlatent_avg":
            gain = 1.0 if "StyleMod" in key or "ToRGB" in key else np.sqrt(2)
            scaled = wscale and parts[-1] == "weight" and "Noise" not in key
            synthesis[key] = array / _he(array, gain) if scaled else array
    own = {k: v for k, v in settings.items() if not k.startswith("truncation")}
    sizes = {"dlatent_broadcast": 2 * sum(key.startswith("ToRGB") and key.endswith("/weight") for key in tensors)}
    if settings.get("structure") == "fixed":
        synthesis = {k: v for k, v in synthesis.items() if not k.startswith("ToRGB") or "lod0" in k}
    components = {
        "synthesis": network("G_synthesis", "G_synthesis", own, synthesis, {}, version=3),
        "mapping": network("G_mapping", "G_mapping", own | sizes, mapping, {}, version=3),
    }
    variables = {"lod": np.float32(lod), "dlatent_avg": tensors["dlatent_avg"]}
    return network(name, "G_style", settings, variables, components, version=3)


def progressive(tensors: Arrays, *, lod: float = 0.0, wscale: bool = True, name: str = "Gs", **settings: Any) -> Object:
    """A Progressive GAN, which has no components; z has 8 numbers."""
    settings = {"latent_size": 8, "label_size": len(tensors["4x4/Dense/weight"]) - 8} | settings
    variables: Arrays = {"lod": np.float32(lod)}
    for key, array in tensors.items():
        gain = 1.0
        if wscale and key.endswith("/weight"):
            outputs_last = np.moveaxis(array, 2, 3) if "Conv0_up" in key else array
            gain = _he(outputs_last, 1.0 if "ToRGB" in key else np.sqrt(2) / (4 if "Dense" in key else 1))
        variables[key] = array / gain
    if not wscale:
        settings["use_wscale"] = False
    return network(name, "G_paper", settings, variables, version=2, cls=OLD_NETWORK)


def stylegan2(
    spec: Any, weights: Mapping[str, np.ndarray], *, to_rgbs: Arrays | None = None, lod: float = 0.0, **settings: Any
) -> Object:
    """A StyleGAN2 of a canonical spec; labels as StyleGAN2 has them with `joint_norm`, else as StyleGAN2-ADA has.

    Args:
        spec: What is drawn.
        weights: Canonical tensors.
        to_rgbs: Canonical to-RGB tensors of the blocks that give none; with them the network is the revised one.
        lod: At which it stands.
        settings: Recorded for the whole.
    """
    recorded = {"mapping_lrmul": LRMUL, "resample_kernel": list(spec.resample_filter), "architecture": spec.output}
    recorded |= {"label_size": spec.c_dim, "resolution": spec.resolution}
    if spec.conv_clamp is not None:
        recorded["conv_clamp"] = spec.conv_clamp
    if not spec.noise:
        recorded["use_noise"] = False
    settings = recorded | settings
    function = "G_synthesis" if spec.c_dim and not spec.joint_norm else "G_synthesis_stylegan2"
    function = function if to_rgbs is None else "G_synthesis_stylegan_revised"
    blocks = len(spec.channels)
    synthesis: Arrays = {} if to_rgbs is None else {"lod": np.float32(lod)}
    for key, array in {**weights, **(to_rgbs or {})}.items():
        if key.startswith("synthesis."):
            synthesis |= _stylegan2_variable(key, array, None if to_rgbs is None else blocks)
    mapping: Arrays = {}
    for key, array in weights.items():
        _, layer, *kind = key.split(".")
        if layer.startswith("fc"):
            gain = LRMUL * (_he(array.T, 1.0) if kind[0] == "weight" else 1.0)
            mapping[f"Dense{layer[2:]}/{kind[0]}"] = array.T / gain
        elif layer == "embed" and spec.joint_norm:
            mapping["LabelConcat/weight"] = array.T
        elif layer == "embed":
            mapping[f"LabelEmbed/{kind[0]}"] = array.T / (_he(array.T, 1.0) if kind[0] == "weight" else 1.0)
    own = {k: v for k, v in settings.items() if not k.startswith("truncation")}
    components = {
        "synthesis": network("G_synthesis", function, own, synthesis, {}),
        "mapping": network("G_mapping", "G_mapping", own | {"dlatent_broadcast": 2 * blocks}, mapping, {}),
    }
    variables = {"lod": np.float32(lod), "dlatent_avg": weights["mapping.w_avg"]}
    return network("Gs", "G_main", settings, variables, components)


def _stylegan2_variable(key: str, array: np.ndarray, revised: int | None) -> Arrays:
    """One canonical tensor as it is stored; `revised` is the number of blocks of the revised network."""
    _, block, *rest = key.split(".")
    size = int(block[1:])
    level = size.bit_length() - 3  # 0 for the block of 4×4
    if rest == ["const"]:
        return {"4x4/Const/const": array[None]}
    layer, kind = rest[0], rest[1:]
    names = {"conv0": "Conv0_up", "conv1": "Conv1" if level else "Conv", "torgb": "ToRGB", "skip": "Skip"}
    name = f"{size}x{size}/{names[layer]}"
    if layer == "torgb" and revised is not None:
        name = f"ToRGB_lod{revised - 1 - level}"
    if kind == ["noise_const"]:
        return {f"noise{2 * level - (layer == 'conv0')}": array[None, None]}
    if kind == ["weight"]:
        stored = array.transpose(2, 3, 1, 0)  # [k, k, I, O]
        stored = stored[::-1, ::-1] if layer == "conv0" else stored
        return {f"{name}/weight": stored if layer == "torgb" else stored / _he(stored, 1.0)}
    if kind[0] == "affine":
        features = len(array)
        array = array * np.sqrt(features) if layer == "torgb" else array
        if kind[1] == "bias":
            return {f"{name}/mod_bias": array.astype(np.float64) - 1.0}
        return {f"{name}/mod_weight": array.T / _he(array.T, 1.0)}
    return {f"{name}/{kind[0]}": array}


def _he(stored: np.ndarray, gain: float) -> float:
    """Gain over the root of the inputs; outputs are the last axis."""
    return float(gain / np.sqrt(np.prod(stored.shape[:-1])))
