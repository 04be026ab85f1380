"""Writes StyleGAN2 generators as NVIDIA's PyTorch pickles lay them out, without PyTorch and without NVIDIA's code.

Gains are chosen unlike the published ones: a reader that assumed those instead of reading them would show.
"""

import io
import pickle  # writes what the reader under test must read without it
import struct
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from support.torch_writer import LEGACY_MAGIC, Named, StorageId, call, dumps, rebuild_call

Arrays = Mapping[str, np.ndarray]


def persistent(class_name: str, state: dict[str, Any]) -> Any:
    """A module as the persistence writes it."""
    meta = {
        "type": "class",
        "version": 6,
        "module_src": "raise SystemExit('this source must never run')",
        "class_name": class_name,
        "state": state,
    }
    return call("torch_utils.persistence", "_reconstruct_persistent_obj", (meta,))


def tensor(array: np.ndarray, *, parameter: bool = False) -> Any:
    """A tensor whose storage is a whole legacy torch file."""
    made = rebuild_call(call("torch.storage", "_load_from_bytes", (legacy_storage(array),)), 0, array.shape)
    return call("torch._utils", "_rebuild_parameter", (made, True, OrderedDict())) if parameter else made


def legacy_storage(array: np.ndarray) -> bytes:
    """A storage alone, as `torch.save` before 1.6 writes it."""
    flat = np.ascontiguousarray(array, "<f4").reshape(-1)
    file = io.BytesIO()
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    for value in (LEGACY_MAGIC, 1001, system):
        pickle.dump(value, file, 2)
    StorageId.dump(Named("torch", "FloatStorage"), "0", flat.size, file)
    pickle.dump(["0"], file, 2)
    file.write(struct.pack("<q", flat.size) + flat.tobytes())
    return file.getvalue()


def module(class_name: str, tensors: Arrays, modules: Mapping[str, Any], **settings: Any) -> Any:
    """A module with its tensors and settings; a `weight`, `bias` or `const` is a parameter."""
    kept = ("weight", "bias", "const", "noise_strength")
    state = {
        "training": False,
        "_parameters": OrderedDict((n, tensor(a, parameter=True)) for n, a in tensors.items() if n in kept),
        "_buffers": OrderedDict((n, tensor(a)) for n, a in tensors.items() if n not in kept),
        "_modules": OrderedDict(modules),
        **settings,
    }
    return persistent(class_name, state)


def dense(weights: Arrays, name: str, *, gain: float, activation: str, style_gain: float = 1.0) -> Any:
    """A fully connected layer whose stored numbers are the canonical ones without their gains."""
    weight, bias = weights[f"{name}.weight"] / (gain * style_gain), weights[f"{name}.bias"] / style_gain
    lr = 0.01 if activation == "lrelu" else 1.0
    tensors = {"weight": weight, "bias": bias / lr}
    return module("FullyConnectedLayer", tensors, {}, activation=activation, weight_gain=gain, bias_gain=lr)


def styled(weights: Arrays, name: str, up: int, size: int, taps: np.ndarray, clamp: float | None) -> Any:
    """A synthesis layer."""
    tensors = {"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"], "resample_filter": taps}
    noise = f"{name}.noise_const" in weights
    if noise:
        tensors |= {part: weights[f"{name}.{part}"] for part in ("noise_const", "noise_strength")}
    affine = dense(weights, f"{name}.affine", gain=0.25, activation="linear")
    settings = {"activation": "lrelu", "act_gain": float(np.sqrt(2)), "padding": 1, "use_noise": noise}
    return module("SynthesisLayer", tensors, {"affine": affine}, up=up, resolution=size, conv_clamp=clamp, **settings)


def block(weights: Arrays, size: int, last: bool, kind: str, taps: np.ndarray, clamp: float | None) -> Any:
    """One resolution."""
    name = f"synthesis.b{size}"
    tensors = {"resample_filter": taps}
    modules = {"conv1": styled(weights, f"{name}.conv1", 1, size, taps, clamp)}
    if size == 4:
        tensors["const"] = weights[f"{name}.const"]
    else:
        modules["conv0"] = styled(weights, f"{name}.conv0", 2, size, taps, clamp)
    if f"{name}.torgb.weight" in weights:
        rgb = {part: weights[f"{name}.torgb.{part}"] for part in ("weight", "bias")}
        gain = float(1 / np.sqrt(rgb["weight"].shape[1]))
        affine = dense(weights, f"{name}.torgb.affine", gain=0.25, activation="linear", style_gain=gain)
        modules["torgb"] = module("ToRGBLayer", rgb, {"affine": affine}, conv_clamp=clamp, weight_gain=gain)
    if f"{name}.skip.weight" in weights:
        gain = 0.5
        skip = {"weight": weights[f"{name}.skip.weight"] / gain, "resample_filter": taps}
        fixed = {"activation": "linear", "up": 2, "down": 1, "padding": 0, "conv_clamp": None, "act_gain": 1}
        modules["skip"] = module("Conv2dLayer", skip, {}, weight_gain=np.float64(gain), bias=None, **fixed)
    return module("SynthesisBlock", tensors, modules, architecture=kind, resolution=size, is_last=last)


def stylegan2_generator(spec: Any, weights: Arrays) -> Any:
    """A whole generator of a canonical spec and its tensors."""
    taps = np.asarray(spec.resample_filter, np.float32)
    taps = np.outer(taps, taps) if taps.ndim == 1 else taps
    taps = taps / taps.sum()
    layers = {}
    if spec.c_dim:
        layers["embed"] = dense(weights, "mapping.embed", gain=0.5, activation="linear")
    for i in range(spec.mapping_layers):
        layers[f"fc{i}"] = dense(weights, f"mapping.fc{i}", gain=0.003, activation="lrelu")
    dims = {"z_dim": spec.z_dim, "c_dim": spec.c_dim, "w_dim": spec.w_dim, "num_ws": spec.num_ws}
    mapping = module(
        "MappingNetwork", {"w_avg": weights["mapping.w_avg"]}, layers, num_layers=spec.mapping_layers, **dims
    )
    sizes = [4 << i for i in range(len(spec.channels))]
    blocks = {f"b{s}": block(weights, s, s == spec.resolution, spec.output, taps, spec.conv_clamp) for s in sizes}
    synthesis = module("SynthesisNetwork", {}, blocks, **dims)
    picture = {"img_resolution": spec.resolution, "img_channels": spec.image_channels}
    return module("Generator", {}, {"synthesis": synthesis, "mapping": mapping}, **dims, **picture)


def write_pickle(root: Any, protocol: int = 4) -> bytes:
    """The bytes of a pickle of these."""
    return dumps(root, protocol)
