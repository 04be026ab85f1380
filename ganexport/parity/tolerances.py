"""The one rule of tolerance: max |got − oracle| ≤ tol · max |oracle| of that tensor.

| runtime | tol | measured |
|---|---|---|
| ONNX Runtime CPU, ORT-web wasm, TF.js cpu and wasm | 1e-4 | 2e-6 on the digits, 4e-5 at worst on 1024² nets |
| WebGL and WebGPU in float32 | 1e-3 | drivers may round their multiply-adds as they like; pictures equal |

A picture of 8-bit pixels may differ by one grey level: rounding at a boundary can fall either way.
"""

from __future__ import annotations

__all__ = ["GREY_LEVELS", "RELATIVE", "relative_tolerance"]

RELATIVE = {
    "onnxruntime-cpu": 1e-4,
    "ort-wasm": 1e-4,
    "ort-webgpu": 1e-3,
    "tfjs-cpu": 1e-4,
    "tfjs-wasm": 1e-4,
    "tfjs-webgl": 1e-3,
    "tfjs-webgpu": 1e-3,
}

GREY_LEVELS = 1.0


def relative_tolerance(runtime: str) -> float:
    """Tolerance of a runtime; a runtime without one cannot be verified."""
    return RELATIVE[runtime]
