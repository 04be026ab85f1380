"""A generator to TensorFlow.js: graph models written directly, `model.json` beside its weight shards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import mapping, synthesis
from ganexport.exporters.graphs import ExportOptions, Stage, mapping_inputs, metadata, stages, tensor
from ganexport.generator import Generator
from ganexport.manifest import Graph, Graphs
from ganexport.ops.graph import Shape, Value, named_weights
from ganexport.ops.tfjs_attributes import Json
from ganexport.ops.tfjs_ops import TfjsOps

__all__ = ["export", "write_graph"]

FOLDER = "tfjs"
SHARD_BYTES = 4 << 20
"""Browsers keep files of this size in their caches; TF.js' own converter writes the same."""


def export(generator: Generator, folder: Path, options: ExportOptions) -> Graphs:
    """Write `tfjs/*/model.json` and shards into a bundle's folder; returns their manifest entries."""
    return Graphs(
        mapping=_mapping(generator, folder, options) if generator.spec.has_w_space else None,
        synthesis=tuple(_stage(generator, folder, options, stage) for stage in stages(generator.spec, options)),
    )


def _mapping(generator: Generator, folder: Path, options: ExportOptions) -> Graph:
    spec, ops = generator.spec, TfjsOps(options.optimize_for)
    inputs = {name: ops.input(name, shape) for name, shape in mapping_inputs(spec).items()}
    weights = named_weights(generator.weights, options.stored)
    outputs = mapping(ops, weights, spec, inputs["z"], inputs.get("c"), inputs["truncation_psi"])
    return write_graph(folder, "mapping", ops, outputs, None, metadata(generator, options))


def _stage(generator: Generator, folder: Path, options: ExportOptions, stage: Stage) -> Graph:
    spec, ops = generator.spec, TfjsOps(options.optimize_for)
    maps: dict[str, Shape] = {name: (None, h, w, c) for name, (c, h, w) in stage.carried.items()}
    inputs = {name: ops.input(name, shape) for name, shape in {**stage.inputs, **maps}.items()}
    outputs = synthesis(ops, named_weights(generator.weights, options.stored), spec, inputs, stage.until)
    return write_graph(folder, stage.name, ops, outputs, stage.resolution, metadata(generator, options))


def write_graph(
    folder: Path,
    name: str,
    ops: TfjsOps,
    outputs: Mapping[str, Value],
    resolution: int | None,
    metadata: Mapping[str, str],
) -> Graph:
    """Write one graph model with its shards, and what it says of itself; returns its manifest entry."""
    named = {out: ops.output(out, value) for out, value in outputs.items()}
    place = folder / FOLDER / name
    place.mkdir(parents=True)
    manifest, shards = _write_shards(place, ops)
    model: dict[str, Any] = {
        "format": "graph-model",
        "generatedBy": "ganexport",
        "convertedBy": None,
        "signature": {
            "inputs": {value.name: _signature(value) for value in ops.inputs},
            "outputs": {out: _signature(value) for out, value in named.items()},
        },
        "userDefinedMetadata": dict(metadata),
        "modelTopology": {"node": ops.nodes, "library": {}, "versions": {"producer": 1882}},
        "weightsManifest": manifest,
    }
    if ops.prepared:
        # A `resourceId` is how TF.js finds what one graph gives and the other takes.
        captured = {x.name: {"name": x.name, "resourceId": i} for i, x in enumerate(ops.prepared)}
        model["signature"]["inputs"] |= captured
        model["modelInitializer"] = {"node": ops.preparation.nodes, "library": {}, "versions": {"producer": 1882}}
        model["initializerSignature"] = {"inputs": {}, "outputs": captured}
    (place / "model.json").write_text(json.dumps(model, separators=(",", ":")), encoding="utf-8")
    return Graph(
        file=f"{FOLDER}/{name}/model.json",
        weight_files=tuple(f"{FOLDER}/{name}/{shard}" for shard in shards),
        resolution=resolution,
        inputs=tuple(tensor(value.name, value) for value in ops.inputs),
        outputs=tuple(tensor(out, value) for out, value in named.items()),
    )


def _write_shards(place: Path, ops: TfjsOps) -> tuple[list[dict[str, Any]], list[str]]:
    """All weights in the order of their use, one after the other, cut into files of `SHARD_BYTES`."""
    entries = [_entry(name, array, ops.quantization.get(name)) for name, array in ops.weights.items()]
    count = max(1, -(-sum(array.nbytes for array in ops.weights.values()) // SHARD_BYTES))
    shards = [f"group1-shard{i + 1}of{count}.bin" for i in range(count)]
    (place / shards[0]).touch()  # also where there are no weights
    position = 0
    for array in ops.weights.values():
        position = _append(array, [place / shard for shard in shards], position)
    return [{"paths": shards, "weights": entries}], shards


def _append(array: NDArray[Any], shards: Sequence[Path], position: int) -> int:
    """Write an array behind `position` bytes, on into the next shard where one is full; returns where it ends."""
    data = memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    while data:
        shard, offset = divmod(position, SHARD_BYTES)
        with shards[shard].open("ab") as file:
            written = file.write(data[: SHARD_BYTES - offset])
        position, data = position + written, data[written:]
    return position


def _entry(name: str, array: NDArray[Any], quantization: Json | None) -> Json:
    """What the manifest of the weights says of one."""
    entry = {"name": name, "shape": list(array.shape), "dtype": "int32" if array.dtype == np.int32 else "float32"}
    return entry if quantization is None else {**entry, "quantization": quantization}


def _signature(value: Value) -> dict[str, Any]:
    dims = [{"size": "-1" if size is None else str(size)} for size in value.shape]
    return {"name": f"{value.name}:0", "dtype": "DT_FLOAT", "tensorShape": {"dim": dims}}
