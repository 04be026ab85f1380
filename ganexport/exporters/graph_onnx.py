"""A foreign graph to ONNX: itself as `synthesis`, and with our pixels after it as `generator`."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ganexport.exporters._weight_files import WeightFiles
from ganexport.exporters.graphs import ExportOptions, latent_inputs, metadata, picture_tensor, tensor
from ganexport.exporters.onnx import FOLDER, to_pixels
from ganexport.graph_model import GraphModel
from ganexport.manifest import Graph, Graphs, GraphTensor
from ganexport.ops.graph import Shape, Value
from ganexport.ops.onnx_ops import OnnxOps

__all__ = ["export"]


def export(source: GraphModel, folder: Path, options: ExportOptions) -> Graphs:
    """Write `onnx/*.onnx` into a bundle's folder; returns their manifest entries."""
    place = folder / FOLDER
    place.mkdir()
    spec, files = source.spec, WeightFiles(place)
    shape: Shape = (None, spec.image_channels, spec.resolution, spec.resolution)
    model = ModelProto.FromString(source.onnx)
    helper.set_model_props(model, metadata(source, options))
    _place_weights(model, files, single=options.single_file)
    synthesis = _write(source, place, "synthesis", model, tensor("image", Value("image", shape)), files)
    _append_pixels(model, shape, spec.image_range)
    whole = _write(source, place, "generator", model, picture_tensor(spec), files)
    return Graphs(mapping=None, synthesis=(synthesis,), generator=whole)


def _place_weights(model: ModelProto, files: WeightFiles, *, single: bool) -> None:
    """Into the graph, or where they are large into files that both graphs share."""
    fill = files.next_graph(0 if single else model.ByteSize())
    for weight in model.graph.initializer:
        if weight.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(weight)
            weight.CopyFrom(TensorProto(name=weight.name, data_type=weight.data_type, dims=weight.dims))
            fill(weight, array)


def _append_pixels(model: ModelProto, shape: Shape, image_range: tuple[float, float]) -> None:
    """`image` [N, C, H, W] float32 -> `images` [N, H, W, C] uint8, in place."""
    ops = OnnxOps()
    images = to_pixels(ops, ops.input("image", shape), image_range)
    pixels = ops.model("pixels", {"images": (images, TensorProto.UINT8)}, {}).graph
    graph = model.graph
    graph.name = "generator"
    graph.node.extend(pixels.node)
    graph.initializer.extend(pixels.initializer)
    del graph.output[:]
    graph.output.extend(pixels.output)


def _write(
    source: GraphModel, place: Path, name: str, model: ModelProto, output: GraphTensor, files: WeightFiles
) -> Graph:
    path = place / f"{name}.onnx"
    onnx.save(model, str(path))
    onnx.checker.check_model(str(path))
    inputs = tuple(tensor(name, Value(name, shape)) for name, shape in latent_inputs(source.spec).items())
    return Graph(
        file=f"{FOLDER}/{path.name}",
        weight_files=tuple(f"{FOLDER}/{file}" for file in files.used),
        resolution=source.spec.resolution,
        inputs=inputs,
        outputs=(output,),
    )
