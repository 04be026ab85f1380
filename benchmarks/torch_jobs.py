"""Jobs of `worker` with PyTorch: running the peer eagerly, and exporting it to ONNX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.torch_stylegan2 import Synthesis
from ganexport.generator import load

__all__ = ["export", "run_eagerly"]

Job = dict[str, Any]


def run_eagerly(job: Job) -> Callable[[], NDArray[np.float32]]:
    """The network as PyTorch runs it, in the job's `form` and `layout`."""
    net, inputs = _net(job)

    def run() -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(net(*inputs).numpy())

    return run


def export(job: Job) -> dict[str, Any]:
    """Write `synthesis.onnx` into `folder` by `torch.onnx.export`."""
    net, inputs = _net(job)
    path = Path(job["folder"]) / "synthesis.onnx"
    path.parent.mkdir()
    with torch.inference_mode():
        torch.onnx.export(
            net, inputs, str(path), input_names=["ws", "noise_scale"], output_names=["image"], dynamo=True
        )
    return {"graphs": [{"file": path.name}]}


def _net(job: Job) -> tuple[Synthesis, tuple[torch.Tensor, torch.Tensor]]:
    torch.set_num_threads(job["threads"])
    generator = load(Path(job["checkpoint"]))
    spec: Any = generator.spec
    net = Synthesis(generator.weights, spec.resolution, spec.conv_clamp, job["form"], job["layout"]).eval()
    with np.load(job["feeds"]) as arrays:
        return net, (torch.from_numpy(arrays["ws"]), torch.from_numpy(arrays["noise_scale"]))
