"""Small StyleGAN3 generators with random weights, and what the independent oracle draws of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from oracles import stylegan3 as oracle
from support.generators import Arrays
from support.random_weights import random_weights

from ganexport.architectures import weight_shapes
from ganexport.architectures.stylegan3 import Spec
from ganexport.generator import Generator

IDENTITY = np.eye(3)


def layer(
    before: int,
    size: int,
    *,
    up: int = 2,
    down: int = 2,
    taps: tuple[int, int] = (6, 6),
    shift: int = 0,
    **changes: Any,
) -> dict[str, Any]:
    """A layer that makes `size` rows of `before`; its padding is shared out as published, up to a shift."""
    fields = {
        "channels": 5,
        "size": size,
        "kernel": 3,
        "up": up,
        "down": down,
        "input_gain": 0.9,
        "clamp": 0.8,
    } | changes
    total = (size - 1) * down + 1 - (before + fields["kernel"] - 1) * up + sum(taps) - 2
    first = (total + up) // 2 + shift
    return {**fields, "up_taps": taps[0], "down_taps": taps[1], "pad_before": first, "pad_after": total - first}


def stylegan3_spec(**changes: Any) -> Spec:
    """A 12² net; widths are all different, and some waves fade while others keep their amplitude."""
    fields: dict[str, Any] = {
        "resolution": 12,
        "image_channels": 3,
        "z_dim": 8,
        "w_dim": 7,
        "mapping_layers": 2,
        "mapping_width": 9,
        "input_channels": 6,
        "input_size": 10,
        "sampling_rate": 4.0,
        "bandwidth": 0.5,
        "layers": (
            layer(10, 10, channels=7),
            layer(10, 15, up=4, taps=(12, 6), input_gain=1.3),
            layer(15, 12, channels=4, clamp=None),
        ),
    } | changes
    if fields.get("c_dim"):
        fields["embed_dim"] = 5
    return Spec(**fields)


def radial(**flags: bool) -> tuple[dict[str, Any], ...]:
    """Layers as in configuration R: 1×1 kernels and two-dimensional filters."""
    return (
        layer(10, 10, kernel=1, down_radial=True, channels=7),
        layer(10, 15, kernel=1, up=4, taps=(12, 6), down_radial=True, **flags),
        layer(15, 12, kernel=1, channels=4),
    )


def stylegan3_tensors(spec: Spec, seed: int = 1) -> Arrays:
    """Random canonical tensors; filters are asymmetric and sum to 1."""
    tensors = random_weights(weight_shapes(spec), seed)
    for name in tensors:
        if name.endswith("_filter"):
            taps = np.square(tensors[name]) + 0.01
            tensors[name] = np.asarray(taps / taps.sum(), np.float32)
    return tensors


def oracle_settings(spec: Spec) -> dict[str, Any]:
    """The oracle's keyword arguments for a spec."""
    layers = [
        {
            "up": one.up,
            "down": one.down,
            "padding": (one.pad_before, one.pad_after),
            "input_gain": one.input_gain,
            "clamp": one.clamp,
        }
        for one in spec.layers
    ]
    whole = {name: getattr(spec, name) for name in ("input_size", "sampling_rate", "bandwidth", "rgb_clamp")}
    return {**whole, "layers": layers}


def oracle_outputs(generator: Generator, feeds: Mapping[str, np.ndarray]) -> Arrays:
    """`ws` and `image` [N, C, H, W] of a case, float64."""
    assert isinstance(generator.spec, Spec)
    w_avg = generator.weights["mapping.w_avg"].astype(np.float64)
    ws = oracle.mapping(generator.weights, feeds["z"], feeds.get("c"))
    ws = w_avg + feeds["truncation_psi"].astype(np.float64)[:, :, None] * (ws - w_avg)  # [N, num_ws, w_dim]
    settings = oracle_settings(generator.spec)
    return {"ws": ws, "image": oracle.synthesis(generator.weights, ws, transform=feeds["transform"], **settings)}
