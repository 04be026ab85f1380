"""Jobs of `worker` with TensorFlow: the same generator through tf2onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
import tf2onnx

from ganexport.architectures import synthesis
from ganexport.generator import load
from ganexport.ops.tensorflow_ops import TensorFlowOps

__all__ = ["export"]

OPSET = 17


def export(job: dict[str, Any]) -> dict[str, Any]:
    """Write `synthesis.onnx` into `folder`: the function that training uses, as tf2onnx translates it."""
    generator, path = load(Path(job["checkpoint"])), Path(job["folder"]) / "synthesis.onnx"
    path.parent.mkdir()
    spec = generator.spec
    weights = {name: tf.Variable(array, trainable=False) for name, array in generator.weights.items()}
    signature = [
        tf.TensorSpec([None, spec.num_ws, spec.w_dim], tf.float32, "ws"),
        tf.TensorSpec([None], tf.float32, "noise_scale"),
    ]

    @tf.function(input_signature=signature, autograph=False)
    def draw(ws: Any, noise_scale: Any) -> Any:
        return synthesis(TensorFlowOps(), weights, spec, {"ws": ws, "noise_scale": noise_scale})["image"]

    tf2onnx.convert.from_function(draw, input_signature=signature, opset=OPSET, output_path=str(path))
    return {"graphs": [{"file": path.name}]}
