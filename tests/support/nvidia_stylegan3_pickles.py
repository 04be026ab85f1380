"""Reads NVIDIA's PyTorch pickles of StyleGAN3 in tests: the records of `nvidia_pickles`, folded for the oracle.

Only what the goldens need; the package's reader must not share code with this one.
"""

from pathlib import Path
from typing import Any

import numpy as np
from support.nvidia_pickles import Module, read_g_ema


def read_stylegan3(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Keyword settings of `oracles.stylegan3.synthesis`, and the canonical tensors, float32."""
    generator = read_g_ema(path)
    mapping, synthesis = (generator.modules[name] for name in ("mapping", "synthesis"))
    tensors = {"mapping.w_avg": mapping.tensor("w_avg")}
    for name, layer in mapping.modules.items():
        tensors |= _dense(f"mapping.{name}", layer)

    first = synthesis.modules["input"]
    tensors |= {f"synthesis.input.{name}": first.tensor(name) for name in ("freqs", "phases")}
    tensors |= _dense("synthesis.input.affine", first.modules["affine"])
    mix = first.tensor("weight") / np.sqrt(first["channels"])  # [C, C]
    tensors["synthesis.input.weight"] = mix[:, :, np.newaxis, np.newaxis]

    layers = [synthesis.modules[name] for name in synthesis["layer_names"]]
    for name, layer in zip(synthesis["layer_names"], layers, strict=True):
        rgb, gain = layer["is_torgb"], 1 / np.sqrt(layer.tensor("magnitude_ema"))
        out = synthesis["output_scale"] if rgb else 1.0
        style_gain = gain * out / np.sqrt(layer["in_channels"]) if rgb else 1.0
        tensors |= _dense(f"synthesis.{name}.affine", layer.modules["affine"], style_gain)
        tensors |= {
            f"synthesis.{name}.weight": layer.tensor("weight"),
            f"synthesis.{name}.bias": layer.tensor("bias") * out,
        }
        if not rgb:
            tensors |= {f"synthesis.{name}.{part}": layer.tensor(part) for part in ("up_filter", "down_filter")}

    settings = {
        "input_size": int(first["size"][0]),
        "sampling_rate": float(first["sampling_rate"]),
        "bandwidth": float(first["bandwidth"]),
        "layers": [_settings(layer) for layer in layers[:-1]],
        "rgb_clamp": layers[-1]["conv_clamp"] * synthesis["output_scale"],
    }
    return settings, {name: np.asarray(array, np.float32) for name, array in tensors.items()}


def _dense(name: str, layer: Module, gain: float = 1.0) -> dict[str, np.ndarray]:
    return {
        f"{name}.weight": layer.tensor("weight") * layer["weight_gain"] * gain,  # [out, in]
        f"{name}.bias": layer.tensor("bias") * layer["bias_gain"] * gain,  # [out]
    }


def _settings(layer: Module) -> dict[str, Any]:
    before, after, *same = layer["padding"]
    assert same == [before, after], layer["padding"]
    return {
        "up": layer["up_factor"],
        "down": layer["down_factor"],
        "padding": (before, after),
        "input_gain": float(1 / np.sqrt(layer.tensor("magnitude_ema"))),
        "clamp": layer["conv_clamp"],
    }
