"""A generator to ONNX: `mapping`, `synthesis`, and the all-in-one `generator` for services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from ganexport.architectures import mapping, synthesis
from ganexport.errors import OptionError
from ganexport.exporters._weight_files import WeightFiles
from ganexport.exporters.graphs import (
    ExportOptions,
    Stage,
    further_inputs,
    latent_inputs,
    mapping_inputs,
    metadata,
    picture_tensor,
    stages,
    tensor,
)
from ganexport.generator import Generator
from ganexport.manifest import Graph, Graphs
from ganexport.ops.graph import Shape, Value, named_weights
from ganexport.ops.lowered_onnx_ops import onnx_ops
from ganexport.ops.onnx_ops import OnnxOps

__all__ = ["FOLDER", "export", "to_pixels"]

FOLDER = "onnx"
MOST_IN_ONE_FILE = (2 << 30) - (1 << 20)
"""What protobuf can write, less a mebibyte for the graph itself."""


@dataclass(frozen=True)
class _Job:
    """One export: what, where to, how, and the weights that lie beside the graphs."""

    generator: Generator
    folder: Path
    options: ExportOptions
    files: WeightFiles


def export(generator: Generator, folder: Path, options: ExportOptions, *, service: bool = True) -> Graphs:
    """Write `onnx/*.onnx` into a bundle's folder, with or without that for services; returns their manifest entries."""
    place = folder / FOLDER
    place.mkdir()
    job = _Job(generator, place, options, WeightFiles(place))
    return Graphs(
        mapping=_mapping(job) if generator.spec.has_w_space else None,
        synthesis=_synthesis(job),
        generator=_whole(job) if service else None,
    )


def _mapping(job: _Job) -> Graph:
    spec, ops = job.generator.spec, onnx_ops(job.options.optimize_for)
    inputs = {name: ops.input(name, shape) for name, shape in mapping_inputs(spec).items()}
    weights = named_weights(job.generator.weights, job.options.stored)
    outputs = mapping(ops, weights, spec, inputs["z"], inputs.get("c"), inputs["truncation_psi"])
    return write_graph(job, "mapping", ops, inputs, outputs, resolution=None)


def _synthesis(job: _Job) -> tuple[Graph, ...]:
    """The stages; their weights lie beside them as soon as all together are many."""
    drawn = [(stage, *_stage(job, stage)) for stage in stages(job.generator.spec, job.options)]
    total = sum(ops.constant_bytes for _, ops, _, _ in drawn)
    return tuple(
        write_graph(job, stage.name, ops, inputs, outputs, stage.resolution, weight_bytes=total)
        for stage, ops, inputs, outputs in drawn
    )


def _stage(job: _Job, stage: Stage) -> tuple[OnnxOps, dict[str, Value], dict[str, Value]]:
    """The nodes of a stage, its inputs and its outputs."""
    ops, weights = onnx_ops(job.options.optimize_for), named_weights(job.generator.weights, job.options.stored)
    shapes: dict[str, Shape] = {**stage.inputs, **{name: (None, *size) for name, size in stage.carried.items()}}
    inputs = {name: ops.input(name, shape) for name, shape in shapes.items()}
    return ops, inputs, synthesis(ops, weights, job.generator.spec, inputs, stage.until)


def _whole(job: _Job) -> Graph:
    """z, c, truncation_psi [N] -> images uint8 [N, H, W, C]; stored noise at its full strength."""
    spec, ops = job.generator.spec, onnx_ops(job.options.optimize_for)
    weights = named_weights(job.generator.weights, job.options.stored)
    inputs = {name: ops.input(name, shape) for name, shape in latent_inputs(spec).items()}
    into = dict(inputs)
    if spec.has_w_space:
        psi = inputs["truncation_psi"] = ops.input("truncation_psi", (None,))
        every = ops.constant("every_w", np.ones((1, spec.num_ws), np.float32))
        column = ops.node("Unsqueeze", [psi, ops.constant("axes_1", np.asarray([1], np.int64))], (None, 1))
        psis = ops.node("Mul", [column, every], (None, spec.num_ws))
        into = mapping(ops, weights, spec, inputs["z"], inputs.get("c"), psis)
    if job.options.noise_mode(spec) == "const":
        into["noise_scale"] = Value(ops.constant("noise_on", np.ones(1, np.float32)), (1,))
    further = {name: ops.input(name, shape) for name, shape in further_inputs(spec, job.options).items()}
    inputs |= further
    into |= further
    images = to_pixels(ops, synthesis(ops, weights, spec, into)["image"], spec.image_range)
    file, weight_files = _save(job, "generator", ops, {"images": (images, TensorProto.UINT8)})
    return Graph(
        file=file,
        weight_files=weight_files,
        resolution=spec.resolution,
        inputs=tuple(tensor(name, value) for name, value in inputs.items()),
        outputs=(picture_tensor(spec),),
    )


def to_pixels(ops: OnnxOps, image: Value, image_range: tuple[float, float]) -> Value:
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


def write_graph(
    job: _Job,
    name: str,
    ops: OnnxOps,
    inputs: Mapping[str, Value],
    outputs: Mapping[str, Value],
    resolution: int | None,
    *,
    weight_bytes: int | None = None,
) -> Graph:
    """Write a graph; returns its manifest entry.

    Args:
        weight_bytes: Weights of it and of the graphs that it belongs together with; its own when left out.
    """
    typed = {out: (value, TensorProto.FLOAT) for out, value in outputs.items()}
    file, weight_files = _save(job, name, ops, typed, weight_bytes)
    return Graph(
        file=file,
        weight_files=weight_files,
        resolution=resolution,
        inputs=tuple(tensor(n, v) for n, v in inputs.items()),
        outputs=tuple(tensor(n, v) for n, v in outputs.items()),
    )


def _save(
    job: _Job,
    name: str,
    ops: OnnxOps,
    outputs: Mapping[str, tuple[Value, TensorProto.DataType]],
    weight_bytes: int | None = None,
) -> tuple[str, tuple[str, ...]]:
    """Write and check a graph; its path in the bundle, and those of the weights beside it."""
    size, single = ops.constant_bytes, job.options.single_file
    if single and size > MOST_IN_ONE_FILE:
        raise OptionError(
            f"{name}.onnx would hold {size / 1e9:.1f} GB of weights, and a single ONNX file at most 2 GB; "
            "leave out --single-file"
        )
    fill = job.files.next_graph(0 if single else weight_bytes or size)
    model = ops.model(name, outputs, metadata(job.generator, job.options), fill)
    path = job.folder / f"{name}.onnx"
    onnx.save(model, str(path))
    onnx.checker.check_model(str(path))
    return f"{FOLDER}/{path.name}", tuple(f"{FOLDER}/{file}" for file in job.files.used)
