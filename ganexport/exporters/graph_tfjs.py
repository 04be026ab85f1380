"""A frozen TensorFlow graph to TensorFlow.js: the same nodes, their constants as weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import OptionError
from ganexport.exporters.graphs import ExportOptions, latent_inputs, metadata
from ganexport.exporters.tfjs import write_graph
from ganexport.graph_model import TFJS_OPERATIONS, FrozenGraph, GraphModel
from ganexport.manifest import Graphs
from ganexport.ops.graph import Shape, Value
from ganexport.ops.tfjs_ops import TfjsOps

__all__ = ["export"]


def export(source: GraphModel, folder: Path, options: ExportOptions) -> Graphs:
    """Write `tfjs/synthesis/model.json` and shards into a bundle's folder; returns their manifest entries.

    Raises:
        OptionError: The source has no TensorFlow graph, or one with operations that TF.js does not have.
    """
    graph, spec, ops = source.tensorflow, source.spec, TfjsOps()
    if graph is None:
        raise OptionError("an ONNX file can only become ONNX, which browsers run too: leave tfjs out with --to onnx")
    unknown = sorted({str(node["op"]) for node in graph.nodes} - TFJS_OPERATIONS)
    if unknown:
        raise OptionError(f"TF.js does not have {', '.join(unknown)}; leave this target out with --to onnx")
    ops.nodes.extend(dict(node) for node in graph.nodes)
    ops.weights.update(_weights(graph))
    ops.inputs.extend(Value(name, shape) for name, shape in latent_inputs(spec).items())
    shape: Shape = (None, spec.resolution, spec.resolution, spec.image_channels)
    outputs = {"image": Value(str(graph.nodes[-1]["name"]), shape)}
    synthesis = write_graph(folder, "synthesis", ops, outputs, spec.resolution, metadata(source, options))
    return Graphs(mapping=None, synthesis=(synthesis,))


def _weights(graph: FrozenGraph) -> dict[str, NDArray[Any]]:
    """Constants in the number types of TF.js, which has whole numbers of 32 bits only."""
    weights = {}
    for name in (str(node["name"]) for node in graph.nodes if node["op"] == "Const"):
        value = graph.weights.get(name)
        if value is None or value.dtype not in (np.float32, np.int32, np.int64):
            raise OptionError(f"TF.js does not have the constant {name}; leave this target out with --to onnx")
        if value.dtype == np.int64:
            limits = np.iinfo(np.int32)  # the ends of an axis are often said by the greatest number there is
            value = value.clip(limits.min, limits.max).astype(np.int32)
        weights[name] = value
    return weights
