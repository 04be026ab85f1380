"""Jobs of `worker`: the graphs for a browser, ours and as a converter writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.converter_ops import ConverterOps
from ganexport.architectures import synthesis
from ganexport.exporters.graphs import ExportOptions, synthesis_inputs
from ganexport.exporters.tfjs import export, write_graph
from ganexport.generator import load
from ganexport.ops.graph import named_weights

__all__ = ["export_as_converter", "export_ours"]


def export_ours(job: dict[str, Any]) -> dict[str, Any]:
    """Write the TF.js graphs of the `checkpoint` into `folder`, as by default or for one device."""
    folder = Path(job["folder"])
    folder.mkdir()
    graphs = export(load(Path(job["checkpoint"])), folder, ExportOptions(optimize_for=job.get("optimize_for")))
    return {"graphs": [graph.model_dump(mode="json") for graph in graphs.synthesis]}


def export_as_converter(job: dict[str, Any]) -> dict[str, Any]:
    """Write the same synthesis as one graph model with transposed convolutions."""
    generator, folder, ops = load(Path(job["checkpoint"])), Path(job["folder"]), ConverterOps()
    folder.mkdir()
    spec = generator.spec
    inputs = {name: ops.input(name, shape) for name, shape in synthesis_inputs(spec, ExportOptions()).items()}
    image = synthesis(ops, named_weights(generator.weights), spec, inputs)["image"]
    graph = write_graph(folder, "synthesis", ops, {"image": image}, spec.resolution, {})
    return {"graphs": [graph.model_dump(mode="json")]}
