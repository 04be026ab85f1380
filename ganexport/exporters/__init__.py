"""The registry of targets: one module each, with `export(generator, folder, options) -> Graphs`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganexport.exporters import onnx, tfjs
from ganexport.exporters.graphs import ExportOptions
from ganexport.generator import Generator
from ganexport.manifest import Graphs, TargetName

__all__ = ["EXPORTERS", "ExportOptions"]

EXPORTERS: dict[TargetName, Callable[[Generator, Path, ExportOptions], Graphs]] = {
    "onnx": onnx.export,
    "tfjs": tfjs.export,
}
