"""The registry of targets: one module each, with `export(generator, folder, options) -> Graphs`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganexport.exporters import graph_onnx, graph_tfjs, onnx, tfjs
from ganexport.exporters.graphs import ExportOptions
from ganexport.generator import Generator
from ganexport.graph_model import GraphModel
from ganexport.manifest import Graphs, TargetName

__all__ = ["EXPORTERS", "GRAPH_EXPORTERS", "ExportOptions"]

EXPORTERS: dict[TargetName, Callable[[Generator, Path, ExportOptions], Graphs]] = {
    "onnx": onnx.export,
    "tfjs": tfjs.export,
}

GRAPH_EXPORTERS: dict[TargetName, Callable[[GraphModel, Path, ExportOptions], Graphs]] = {
    "onnx": graph_onnx.export,
    "tfjs": graph_tfjs.export,
}
"""The same for a generator that is known only as a graph."""
