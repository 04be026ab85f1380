"""An encoder to each target: one graph from `image` to latents, beside those of its generator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import TensorProto

from ganexport.encoders import encode
from ganexport.encoders.encoder import Encoder
from ganexport.exporters import onnx as onnx_target
from ganexport.exporters import tfjs as tfjs_target
from ganexport.exporters._weight_files import WeightFiles
from ganexport.exporters.graphs import tensor
from ganexport.manifest import Graph, TargetName
from ganexport.ops.graph import named_weights
from ganexport.ops.onnx_ops import OnnxOps
from ganexport.ops.tfjs_ops import TfjsOps

__all__ = ["ENCODER_EXPORTERS", "NAME"]

NAME = "encoder"
"""Of its graphs, and of the files beside them."""


def _onnx(encoder: Encoder, folder: Path) -> Graph:
    """Write `onnx/encoder.onnx`, and large weights beside it; returns its manifest entry."""
    spec, ops, place = encoder.spec, OnnxOps(), folder / onnx_target.FOLDER
    place.mkdir(exist_ok=True)
    files = WeightFiles(place, NAME)
    image = ops.input("image", (None, spec.image_channels, spec.resolution, spec.resolution))
    outputs = encode(ops, named_weights(encoder.weights), spec, image)
    typed = {name: (value, TensorProto.FLOAT) for name, value in outputs.items()}
    model = ops.model(NAME, typed, _metadata(encoder), files.next_graph(ops.constant_bytes))
    path = place / f"{NAME}.onnx"
    onnx.save(model, str(path))
    onnx.checker.check_model(str(path))
    return Graph(
        file=f"{onnx_target.FOLDER}/{path.name}",
        weight_files=tuple(f"{onnx_target.FOLDER}/{file}" for file in files.used),
        resolution=spec.resolution,
        inputs=(tensor("image", image),),
        outputs=tuple(tensor(name, value) for name, value in outputs.items()),
    )


def _tfjs(encoder: Encoder, folder: Path) -> Graph:
    """Write `tfjs/encoder/model.json` and its shards; returns its manifest entry."""
    spec, ops = encoder.spec, TfjsOps()
    image = ops.input("image", (None, spec.resolution, spec.resolution, spec.image_channels))
    outputs = encode(ops, named_weights(encoder.weights), spec, image)
    return tfjs_target.write_graph(folder, NAME, ops, outputs, spec.resolution, _metadata(encoder))


ENCODER_EXPORTERS: dict[TargetName, Callable[[Encoder, Path], Graph]] = {"onnx": _onnx, "tfjs": _tfjs}


def _metadata(encoder: Encoder) -> dict[str, str]:
    """What each graph says of itself."""
    return {
        "ganexport.weights_sha256": encoder.weights_sha256,
        "ganexport.generator_sha256": encoder.generator_sha256,
        "ganexport.encoder_spec": json.dumps(encoder.spec.model_dump(mode="json")),
    }
