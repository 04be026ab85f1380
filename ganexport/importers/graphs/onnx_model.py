"""Any ONNX generator: its graph between our inputs and output; `onnx.reference` on the file's own is the oracle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from ganexport.errors import CheckpointError
from ganexport.graph_model import Feeds, GraphModel
from ganexport.importers._options import ImportOptions
from ganexport.importers.graphs.onnx_checks import converted, every_graph, every_tensor, read_onnx
from ganexport.importers.graphs.onnx_reference import evaluator, run
from ganexport.importers.graphs.onnx_sizes import inferred
from ganexport.importers.graphs.signature import (
    Port,
    Signature,
    choose_inputs,
    choose_output,
    native_feeds,
    picture_layout,
)
from ganexport.importers.inert.stubs import shown
from ganexport.spec import GeneratorSpec, Provenance
from ganexport.weights import file_sha256, hash_tensors

__all__ = ["adapt", "multiply_adds", "read", "renamed"]

LICENCE = "set by whoever trained it; the file does not say"
PREFIX = "source/"
"""Before every name of the foreign graph, so that none is one of ours."""
MAX_TRIAL = 1 << 31
"""Steps of the reference in a trial at import; where it would take more, the parity gate alone decides."""
POOL_STEP = 64
"""The reference pools number by number, which takes as long as so many multiply-adds."""


def read(path: Path, options: ImportOptions) -> GraphModel:
    """A generator out of an ONNX file.

    Raises:
        CheckpointError: No ONNX model, or one that cannot be imported.
        OptionError: The caller has to say which input or output is which.
    """
    source = read_onnx(path)
    constants = {tensor.name for tensor in source.graph.initializer}
    inputs = [value for value in source.graph.input if value.name not in constants]
    signature = choose_inputs([_port(value) for value in inputs], options)
    output = choose_output([_port(value) for value in source.graph.output], options)
    batch = (signature.latent.shape or (None,))[0]
    if batch not in (None, 1):
        raise CheckpointError(f"draws only batches of {batch} pictures: export it again with a dynamic batch axis")
    draw = _Reference(source, signature, output.name)
    model = renamed(converted(source))
    if batch == 1:
        _free_batch(model.graph)
    layout, channels, resolution = picture_layout(_output_shape(model, signature, output.name), "NCHW")
    draw.layout = layout
    spec = GeneratorSpec(
        architecture="onnx",
        resolution=resolution,
        image_channels=channels,
        z_dim=signature.z_dim,
        c_dim=signature.c_dim,
        image_range=options.image_range or (-1.0, 1.0),
    )
    adapted = adapt(model, signature, output.name, layout, spec)
    if batch == 1 and _work(adapted) < MAX_TRIAL:
        _try_batch(adapted, draw, spec)
    weights = {name: numpy_helper.to_array(tensor) for name, tensor in every_tensor(source)}
    provenance = Provenance(
        source_format=f"ONNX, opset {source.opset_import[0].version}",
        source_sha256=file_sha256(path),
        weights_sha256=hash_tensors(weights),
        importer=f"onnx_model ({signature.latent} -> {output.name})",
        licence=LICENCE,
    )
    return GraphModel(spec, provenance, _count(weights), adapted.SerializeToString(), multiply_adds(adapted), draw)


def _count(constants: Mapping[str, NDArray[Any]]) -> int:
    """Numbers in the float constants; the others say shapes and axes."""
    return sum(array.size for array in constants.values() if array.dtype.kind not in "biu")


def multiply_adds(model: ModelProto) -> int:
    """Multiply-adds of one picture, in the convolutions and matrix products whose sizes are known beforehand."""
    graph = inferred(model)
    sizes = _sizes(graph)
    total = 0
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            x, kernel, y = (sizes.get(name, ()) for name in (*node.input[:2], node.output[0]))
            walked = x if node.op_type == "ConvTranspose" else y
            summed = x[-1:] if node.op_type in ("Gemm", "MatMul") else kernel[1:]
            total += math.prod(size or 1 for size in (*walked, *summed))
    return total


def _sizes(graph: GraphProto) -> dict[str, tuple[int | None, ...]]:
    sizes = {value.name: _port(value).shape or () for value in (*graph.value_info, *graph.input, *graph.output)}
    return sizes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _work(model: ModelProto) -> int:
    """What the reference has to do for one picture: products, pooling, and every number that is made."""
    graph = inferred(model)
    sizes, total = _sizes(graph), multiply_adds(model)
    for node in graph.node:
        kernel = [size for a in node.attribute if a.name == "kernel_shape" for size in a.ints]
        made = math.prod(size or 1 for size in sizes.get(node.output[0], ()))
        total += made * max(1, POOL_STEP * math.prod(kernel) if node.op_type.endswith("Pool") else 1)
    return total


def adapt(model: ModelProto, signature: Signature, output: str, layout: str, spec: GeneratorSpec) -> ModelProto:
    """The graph between `z` (and `c`) and `image` [N, C, H, W].

    Args:
        model: With `PREFIX` before every name.
        signature: What it takes, by the names without.
        output: The picture's name without.
        layout: Of the picture, `NCHW` or `NHWC`.
        spec: What comes out.
    """
    graph = model.graph
    before = _entry(signature)
    picture = [PREFIX + output]
    if layout == "NHWC":
        after = helper.make_node("Transpose", picture, ["image"], perm=[0, 3, 1, 2])
    else:
        after = helper.make_node("Identity", picture, ["image"])
    shape = ["N", spec.image_channels, spec.resolution, spec.resolution]
    inputs = {"z": spec.z_dim, **({"c": spec.c_dim} if spec.c_dim else {})}
    made = helper.make_graph(
        [*before, *graph.node, after],
        "synthesis",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size]) for name, size in inputs.items()],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [*graph.initializer, *_entry_constants(signature)],
    )
    versions = {"opset_imports": model.opset_import, "ir_version": model.ir_version}
    return helper.make_model(made, producer_name="ganexport", **versions)


def _entry(signature: Signature) -> list[NodeProto]:
    """Nodes from `z` and `c` to the foreign graph's inputs."""
    nodes, z = [], "z"
    if signature.labels == "joined":
        nodes.append(helper.make_node("Concat", ["z", "c"], ["entry/joined"], axis=1))
        z = "entry/joined"
    nodes.append(helper.make_node("Reshape", [z, "entry/latent_shape"], [PREFIX + signature.latent.name]))
    if signature.label is None:
        return nodes
    label = PREFIX + signature.label.name
    if signature.labels == "one-hot":
        return [*nodes, helper.make_node("Identity", ["c"], [label])]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(signature.label.kind))
    return [
        *nodes,
        helper.make_node("ArgMax", ["c"], ["entry/index"], axis=1, keepdims=len(signature.index_shape)),
        helper.make_node("Cast", ["entry/index"], [label], to=kind),
    ]


def _entry_constants(signature: Signature) -> list[TensorProto]:
    return [numpy_helper.from_array(np.asarray([-1, *signature.latent_shape], np.int64), "entry/latent_shape")]


def renamed(source: ModelProto) -> ModelProto:
    """A copy with `PREFIX` before every name, without notes and without shapes that may not hold for every batch."""
    model = ModelProto()
    model.CopyFrom(source)
    for graph in every_graph(model.graph):
        del graph.value_info[:]
        for named in (*graph.input, *graph.output, *graph.initializer):
            named.name = PREFIX + named.name
        for node in graph.node:
            node.doc_string, node.name = "", node.name and PREFIX + node.name
            for names in (node.input, node.output):
                names[:] = [name and PREFIX + name for name in names]  # an empty name stands for no input
    return model


def _free_batch(graph: GraphProto) -> None:
    """Reshapes to [1, …] become reshapes to [N, …]; a trial with several pictures decides whether that was all."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    for i, node in enumerate(graph.node):
        if node.op_type != "Reshape" or node.input[1] not in constants:
            continue
        shape = numpy_helper.to_array(constants[node.input[1]]).copy()
        if shape.ndim == 1 and len(shape) > 1 and shape[0] == 1:
            shape[0] = 0 if -1 in shape[1:] else -1  # 0 takes the size of the input
            name = f"{PREFIX}batch{i}"
            graph.initializer.append(numpy_helper.from_array(shape, name))
            node.input[1] = name


def _output_shape(model: ModelProto, signature: Signature, output: str) -> tuple[int | None, ...]:
    """Shape of the picture for any batch; sizes of all tensors are bounded on the way."""
    free = ModelProto()
    free.CopyFrom(model)
    for value in free.graph.input:
        if value.name in {PREFIX + port.name for port in (signature.latent, signature.label) if port is not None}:
            value.type.tensor_type.shape.dim[0].dim_param = "N"
    for value in free.graph.output:
        value.type.tensor_type.ClearField("shape")
    graph = inferred(free)
    (found,) = [_port(value) for value in graph.output if value.name == PREFIX + output]
    if found.kind != "float32":
        raise CheckpointError(f"its output {shown(output)} is {found.kind}; the picture must be float32")
    if found.shape is not None and found.shape[0] is not None:
        raise CheckpointError(
            f"draws only batches of {found.shape[0]}, whatever it is given: export it again with a dynamic batch axis"
        )
    return found.shape or ()


def _port(value: ValueInfoProto) -> Port:
    tensor = value.type.tensor_type
    kind = "unknown"
    if tensor.elem_type in helper.get_all_tensor_dtypes():
        kind = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    if not tensor.HasField("shape"):
        return Port(value.name, kind, None)
    return Port(value.name, kind, tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim))


def _try_batch(adapted: ModelProto, draw: _Reference, spec: GeneratorSpec) -> None:
    """Whether a graph that was made for one picture draws two at once as it draws them one by one."""
    random = np.random.RandomState(0)
    feeds = {"z": random.randn(2, spec.z_dim).astype(np.float32)}
    if spec.c_dim:
        feeds["c"] = np.eye(spec.c_dim, dtype=np.float32)[[0, -1]]
    try:
        image = run(evaluator(adapted), "image", feeds)
        alone = draw(feeds)
        same = image.shape == alone.shape and bool(np.allclose(image, alone, rtol=0, atol=1e-4 * abs(alone).max()))
    except Exception:  # the reference is NumPy: any of its errors
        same = False
    if not same:
        raise CheckpointError("is made for batches of 1 picture only: export it again with a dynamic batch axis")


class _Reference:
    """The file's own graph in ONNX's reference implementation, one picture at a time."""

    def __init__(self, source: ModelProto, signature: Signature, output: str) -> None:
        self._evaluator = evaluator(source)
        self._signature, self._output = signature, output
        self.layout = "NCHW"

    def __call__(self, feeds: Feeds) -> NDArray[np.floating]:
        count = len(feeds["z"])
        return np.concatenate([self._one({n: a[i : i + 1] for n, a in feeds.items()}) for i in range(count)])

    def _one(self, feeds: Feeds) -> NDArray[np.floating]:
        native = native_feeds(self._signature, {name: feeds[name] for name in ("z", "c") if name in feeds})
        try:
            image = run(self._evaluator, self._output, native)
        except Exception as error:  # the reference is NumPy: any of its errors
            what = shown(str(error).partition("\n")[0], 160)
            raise CheckpointError(f"cannot be drawn by ONNX's reference ({type(error).__name__}: {what})") from None
        return image.transpose(0, 3, 1, 2) if self.layout == "NHWC" else image
