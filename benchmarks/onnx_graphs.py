"""Jobs of `worker` with ONNX graphs: writing ours, and running anybody's in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto

from ganexport.architectures import synthesis
from ganexport.exporters.graphs import ExportOptions, synthesis_inputs, tensor
from ganexport.exporters.onnx import export
from ganexport.generator import load
from ganexport.manifest import Graph
from ganexport.ops.graph import named_weights
from ganexport.ops.onnx_ops import OnnxOps
from ganexport.runtimes.onnxruntime import OnnxSession

__all__ = ["export_ours", "export_plain", "run_as_library", "run_plainly"]

Job = dict[str, Any]
Picture = NDArray[np.float32]


def export_ours(job: Job) -> dict[str, Any]:
    """Write the graphs of the `checkpoint` into `folder`, as a bundle has them by default or for one device."""
    folder = Path(job["folder"])
    folder.mkdir()
    graphs = export(load(Path(job["checkpoint"])), folder, ExportOptions(optimize_for=job.get("optimize_for")))
    return {"graphs": [graph.model_dump(mode="json") for graph in graphs.synthesis]}


def export_plain(job: Job) -> dict[str, Any]:
    """Write the synthesis as one graph with nothing done to it for speed."""
    generator, folder, ops = load(Path(job["checkpoint"])), Path(job["folder"]), OnnxOps()
    folder.mkdir()
    spec = generator.spec
    inputs = {name: ops.input(name, shape) for name, shape in synthesis_inputs(spec, ExportOptions()).items()}
    image = synthesis(ops, named_weights(generator.weights), spec, inputs)["image"]
    onnx.save(ops.model("synthesis", {"image": (image, TensorProto.FLOAT)}, {}), str(folder / "synthesis.onnx"))
    graph = Graph(
        file="synthesis.onnx",
        resolution=spec.resolution,
        inputs=tuple(tensor(name, value) for name, value in inputs.items()),
        outputs=(tensor("image", image),),
    )
    return {"graphs": [graph.model_dump(mode="json")]}


def run_as_library(job: Job) -> Callable[[], Picture]:
    """Graphs one after the other as a bundle's reader runs them; only the first `stages` of them if the job says so."""
    folder, values = Path(job["folder"]), _feeds(job)
    graphs = [Graph(**graph) for graph in job["graphs"][: job.get("stages")]]
    sessions = [OnnxSession(folder / graph.file, graph) for graph in graphs]

    def run() -> Picture:
        drawn = dict(values)
        for session in sessions:
            drawn |= session.run(drawn)
        return np.asarray(drawn["image"] if "image" in drawn else drawn[f"rgb_b{graphs[-1].resolution}"])

    return run


def run_plainly(job: Job) -> Callable[[], Picture]:
    """The first output of a foreign graph, with the settings that ONNX Runtime has by itself."""
    options = onnxruntime.SessionOptions()
    if job.get("one_thread"):
        options.intra_op_num_threads = 1
    path = str(Path(job["folder"]) / job["graphs"][0]["file"])
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    wanted = {i.name: i.name.split(":")[0] for i in session.get_inputs()}
    values, output = _feeds(job), session.get_outputs()[0].name
    feeds = {name: values[plain] for name, plain in wanted.items()}

    def run() -> Picture:
        return np.asarray(session.run([output], feeds)[0])

    return run


def _feeds(job: Job) -> dict[str, NDArray[np.float32]]:
    with np.load(job["feeds"]) as arrays:
        return dict(arrays)
