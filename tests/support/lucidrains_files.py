"""State dicts in the layout of lucidrains/stylegan2-pytorch, and what they are in canonical form."""

import zlib

import numpy as np
from oracles import lucidrains as oracle
from support.generators import Arrays

from ganexport.architectures.lucidrains import Spec

LR_MLP = 0.1


def published_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes as stored, under `S.` and `G.`."""
    width, first = spec.w_dim, spec.channels[0]
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(spec.mapping_layers):
        shapes |= _linear(f"S.net.{2 * i}", width, width)
    if spec.const:
        shapes["G.initial_block"] = (1, first, 4, 4)
    else:
        shapes["G.to_initial_block.weight"] = (width, first, 4, 4)
    shapes |= {"G.initial_conv.weight": (first, first, 3, 3), "G.initial_conv.bias": (first,)}
    for i, out in enumerate(spec.channels):
        block, into = f"G.blocks.{i}", spec.channels[max(i - 1, 0)]
        for layer, size in ((1, into), (2, out)):
            shapes |= _linear(f"{block}.to_style{layer}", size, width) | _linear(f"{block}.to_noise{layer}", out, 1)
            shapes[f"{block}.conv{layer}.weight"] = (out, size, 3, 3)
        shapes |= _linear(f"{block}.to_rgb.to_style", out, width)
        shapes[f"{block}.to_rgb.conv.weight"] = (spec.image_channels, out, 1, 1)
        if 4 << i in spec.attention:
            shapes |= _attention_shapes(f"G.attns.{i}", into)
        if spec.blur and i < len(spec.channels) - 1:
            shapes[f"{block}.to_rgb.upsample.1.f"] = (3,)
    return shapes


def _linear(name: str, out: int, into: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _attention_shapes(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        f"{name}.{i}.fn.norm.{part}": (1, channels, 1, 1) for i in (0, 1) for part in "gb"
    }
    inner = f"{name}.0.fn.fn"
    shapes[f"{inner}.to_q.weight"] = (512, channels, 1, 1)
    shapes[f"{inner}.to_kv.net.0.weight"] = (channels, 1, 3, 3)
    shapes[f"{inner}.to_kv.net.1.weight"] = (1024, channels, 1, 1)
    shapes |= {f"{inner}.to_out.weight": (channels, 512, 1, 1), f"{inner}.to_out.bias": (channels,)}
    for layer, out, into in ((0, 2 * channels, channels), (2, channels, 2 * channels)):
        shapes |= {f"{name}.1.fn.fn.{layer}.weight": (out, into, 1, 1), f"{name}.1.fn.fn.{layer}.bias": (out,)}
    return shapes


def random_state(spec: Spec, seed: int = 1) -> Arrays:
    """Random tensors of which none is idle; a tensor depends on the seed, its name and its shape only."""
    state = {}
    for name, shape in published_shapes(spec).items():
        random = np.random.default_rng([seed, zlib.crc32(name.encode())])
        if name.endswith(".f"):
            state[name] = np.asarray([1, 2, 1], np.float32)
        elif name.endswith("norm.g"):
            state[name] = random.uniform(0.5, 1.5, shape).astype(np.float32)
        else:
            state[name] = (_scale(name, shape, len(spec.channels)) * random.standard_normal(shape)).astype(np.float32)
    return state


def _scale(name: str, shape: tuple[int, ...], blocks: int) -> float:
    if name == "G.initial_block":
        return 1.0
    if name.startswith("S."):  # z has length 1, and every rate is LR_MLP
        return 1.0 / LR_MLP if "net.0." in name else float(np.sqrt(2 / shape[-1])) / LR_MLP
    if name.endswith(("bias", "norm.b")):
        return 0.2
    if "to_q" in name or "to_kv.net.1" in name:  # so that no softmax is flat
        return float(2.0 / np.sqrt(shape[1]))
    if "to_out" in name:  # what it mixes is small: values over √64, of which softmaxes take the mean
        return 1.0
    if "to_noise" in name:
        return 0.3
    if "to_style" in name:
        return float(0.7 / np.sqrt(shape[1]))
    if "to_rgb" in name:
        return float(1.5 / np.sqrt(blocks * shape[1]))
    return float(1.0 / np.sqrt(shape[0] if "to_initial" in name else np.prod(shape[1:])))


def canonical(spec: Spec, state: Arrays, seed: int = 2) -> Arrays:
    """Canonical tensors; what no file holds, the average w and the stored noise, is random."""
    random = np.random.default_rng(seed)
    size = spec.resolution
    tensors = {
        "mapping.w_avg": 0.3 * random.standard_normal(spec.w_dim),
        "synthesis.noise_const": random.random((size,) * 2),
    }
    for i in range(spec.mapping_layers):
        length = 1 / np.sqrt(spec.z_dim) if i == 0 else 1.0
        tensors[f"mapping.fc{i}.weight"] = LR_MLP * length * state[f"S.net.{2 * i}.weight"].astype(np.float64)
        tensors[f"mapping.fc{i}.bias"] = LR_MLP * state[f"S.net.{2 * i}.bias"].astype(np.float64)
    kernel, bias = state["G.initial_conv.weight"].astype(np.float64), state["G.initial_conv.bias"]
    if spec.const:
        const = oracle.convolve(state["G.initial_block"], kernel)[0]  # [C, 4, 4]
        tensors["synthesis.b4.const"] = const + bias[:, np.newaxis, np.newaxis]
    else:
        first = oracle.convolve(state["G.to_initial_block.weight"], kernel)  # [D, C, 4, 4]
        tensors["synthesis.b4.initial.weight"] = first.transpose(1, 0, 2, 3)
        tensors["synthesis.b4.initial.bias"] = bias
    for i in range(len(spec.channels)):
        theirs, ours = f"G.blocks.{i}", f"synthesis.b{4 << i}"
        if 4 << i in spec.attention:
            tensors |= _canonical_attention(state, f"G.attns.{i}", ours)
        for layer in (1, 2):
            to = f"{ours}.conv{layer - 1}"
            tensors[f"{to}.weight"] = state[f"{theirs}.conv{layer}.weight"]
            tensors[f"{to}.noise_strength"] = state[f"{theirs}.to_noise{layer}.weight"][:, 0]
            tensors[f"{to}.bias"] = state[f"{theirs}.to_noise{layer}.bias"]
            tensors[f"{to}.affine.weight"] = state[f"{theirs}.to_style{layer}.weight"]
            tensors[f"{to}.affine.bias"] = 1.0 + state[f"{theirs}.to_style{layer}.bias"].astype(np.float64)
        tensors[f"{ours}.torgb.weight"] = state[f"{theirs}.to_rgb.conv.weight"]
        tensors[f"{ours}.torgb.affine.weight"] = state[f"{theirs}.to_rgb.to_style.weight"]
        tensors[f"{ours}.torgb.affine.bias"] = 1.0 + state[f"{theirs}.to_rgb.to_style.bias"].astype(np.float64)
    return {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}


def _canonical_attention(state: Arrays, theirs: str, ours: str) -> Arrays:
    attention = {
        "q": state[f"{theirs}.0.fn.fn.to_q.weight"],
        "depthwise": state[f"{theirs}.0.fn.fn.to_kv.net.0.weight"],
        "k": state[f"{theirs}.0.fn.fn.to_kv.net.1.weight"][:512],
        "v": state[f"{theirs}.0.fn.fn.to_kv.net.1.weight"][512:] / 8,
    }
    tensors = {f"{ours}.attention.{part}.weight": array for part, array in attention.items()}
    for layer, source in (
        ("attention.out", "0.fn.fn.to_out"),
        ("feedforward.fc0", "1.fn.fn.0"),
        ("feedforward.fc1", "1.fn.fn.2"),
    ):
        tensors |= {f"{ours}.{layer}.{part}": state[f"{theirs}.{source}.{part}"] for part in ("weight", "bias")}
    for i, layer in enumerate(("attention", "feedforward")):
        tensors[f"{ours}.{layer}.norm.gain"] = state[f"{theirs}.{i}.fn.norm.g"].ravel()
        tensors[f"{ours}.{layer}.norm.bias"] = state[f"{theirs}.{i}.fn.norm.b"].ravel()
    return tensors
