"""A generator to ONNX: `mapping`, `synthesis`, and the all-in-one `generator` for services."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from ganexport.architectures import mapping, synthesis
from ganexport.exporters.graphs import (
    ExportOptions,
    further_inputs,
    latent_inputs,
    mapping_inputs,
    metadata,
    picture_tensor,
    synthesis_inputs,
    tensor,
)
from ganexport.generator import Generator
from ganexport.manifest import Graph, Graphs
from ganexport.ops.graph import Value, named_weights
from ganexport.ops.onnx_ops import OnnxOps

__all__ = ["export"]

FOLDER = "onnx"


def export(generator: Generator, folder: Path, options: ExportOptions) -> Graphs:
    """Write `onnx/*.onnx` into a bundle's folder; returns their manifest entries."""
    (folder / FOLDER).mkdir()
    has_mapping = generator.spec.has_w_space
    return Graphs(
        mapping=_mapping(generator, folder, options) if has_mapping else None,
        synthesis=(_synthesis(generator, folder, options),),
        generator=_whole(generator, folder, options),
    )


def _mapping(generator: Generator, folder: Path, options: ExportOptions) -> Graph:
    spec, ops = generator.spec, OnnxOps()
    inputs = {name: ops.input(name, shape) for name, shape in mapping_inputs(spec).items()}
    weights = named_weights(generator.weights)
    outputs = mapping(ops, weights, spec, inputs["z"], inputs.get("c"), inputs["truncation_psi"])
    return _write(generator, folder, options, "mapping", ops, inputs, outputs, resolution=None)


def _synthesis(generator: Generator, folder: Path, options: ExportOptions) -> Graph:
    spec, ops = generator.spec, OnnxOps()
    inputs = {name: ops.input(name, shape) for name, shape in synthesis_inputs(spec, options).items()}
    outputs = synthesis(ops, named_weights(generator.weights), spec, inputs)
    return _write(generator, folder, options, "synthesis", ops, inputs, outputs, resolution=spec.resolution)


def _whole(generator: Generator, folder: Path, options: ExportOptions) -> Graph:
    """z, c, truncation_psi [N] -> images uint8 [N, H, W, C]; stored noise at its full strength."""
    spec, ops = generator.spec, OnnxOps()
    weights = named_weights(generator.weights)
    inputs = {name: ops.input(name, shape) for name, shape in latent_inputs(spec).items()}
    into = dict(inputs)
    if spec.has_w_space:
        psi = inputs["truncation_psi"] = ops.input("truncation_psi", (None,))
        every = ops.constant("every_w", np.ones((1, spec.num_ws), np.float32))
        column = ops.node("Unsqueeze", [psi, ops.constant("axes_1", np.asarray([1], np.int64))], (None, 1))
        psis = ops.node("Mul", [column, every], (None, spec.num_ws))
        into = mapping(ops, weights, spec, inputs["z"], inputs.get("c"), psis)
    if options.noise_mode(spec) == "const":
        into["noise_scale"] = Value(ops.constant("noise_on", np.ones(1, np.float32)), (1,))
    further = {name: ops.input(name, shape) for name, shape in further_inputs(spec, options).items()}
    inputs |= further
    into |= further
    images = _to_pixels(ops, synthesis(ops, weights, spec, into)["image"], spec.image_range)
    model = ops.model("generator", {"images": (images, TensorProto.UINT8)}, metadata(generator, options))
    return Graph(
        file=_save(model, folder, "generator"),
        resolution=spec.resolution,
        inputs=tuple(tensor(name, value) for name, value in inputs.items()),
        outputs=(picture_tensor(spec),),
    )


def _to_pixels(ops: OnnxOps, image: Value, image_range: tuple[float, float]) -> Value:
    """[N, C, H, W] float32 -> [N, H, W, C] uint8, by the same steps as `pictures.to_uint8`."""
    low, high = image_range
    x = image
    for op, number in (("Sub", low), ("Mul", 255.0 / (high - low)), ("Add", 0.5)):
        x = ops.node(op, [x, ops.constant(f"pixel_{op.lower()}", np.asarray(number, np.float32))], x.shape)
    limits = [ops.constant(f"pixel_{v}", np.asarray(v, np.float32)) for v in (0, 255)]
    x = ops.node("Floor", [ops.node("Clip", [x, *limits], x.shape)], x.shape)
    x = ops.node("Cast", [x], x.shape, to=TensorProto.UINT8)
    n, c, h, w = x.shape
    return ops.node("Transpose", [x], (n, h, w, c), perm=[0, 2, 3, 1])


def _write(
    generator: Generator,
    folder: Path,
    options: ExportOptions,
    name: str,
    ops: OnnxOps,
    inputs: Mapping[str, Value],
    outputs: Mapping[str, Value],
    resolution: int | None,
) -> Graph:
    typed = {out: (value, int(TensorProto.FLOAT)) for out, value in outputs.items()}
    model = ops.model(name, typed, metadata(generator, options))
    return Graph(
        file=_save(model, folder, name),
        resolution=resolution,
        inputs=tuple(tensor(n, v) for n, v in inputs.items()),
        outputs=tuple(tensor(n, v) for n, v in outputs.items()),
    )


def _save(model: onnx.ModelProto, folder: Path, name: str) -> str:
    path = f"{FOLDER}/{name}.onnx"
    onnx.save(model, str(folder / path))
    return path
