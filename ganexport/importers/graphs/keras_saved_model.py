"""A SavedModel as data, checked before TensorFlow loads it: arithmetic on its own variables, and nothing else.

Loaded in the child process only, since the format's definition comes with TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ganexport.errors import CheckpointError
from ganexport.graph_model import TFJS_OPERATIONS, words
from ganexport.importers.inert.stubs import shown

__all__ = ["clean_saved_model"]

OPERATIONS = TFJS_OPERATIONS | words(
    "BatchMatMulV3 Conv2DBackpropInputV2 EnsureShape InvertPermutation L2Loss MatrixDiagV3 NoOp "
    "PlaceholderWithDefault PreventGradient Rank ResizeArea ResizeBicubic ResourceGather ResourceGatherNd "
    "ShapeN Size Softsign StopGradient TruncateDiv Xdivy AssignVariableOp ReadVariableOp VarHandleOp "
    "VarIsInitializedOp VariableShape Erfc PartitionedCall StatefulPartitionedCall"
)
"""Arithmetic, the graph's own variables, and calls of its own functions."""

SAVERS = ("__inference__traced_save", "__inference__traced_restore")
"""Begin the names of the functions that write and read checkpoints; loading a model runs neither."""
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
CALL_SETTINGS = ("config_proto", "executor_type")
SWAPS = ("api_implements", "api_preferred_device")
"""By these attributes TensorFlow runs another function in place of the one that is called."""
ATTRIBUTES = words("_input_shapes _construction_context")
"""Of a function; all others are left out."""
MAX_NODES = 1_000_000


def clean_saved_model(folder: Path) -> None:
    """Check every operation of every function, and leave in the folder only what loading needs.

    Raises:
        CheckpointError: It is damaged, or does more than arithmetic.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    path = folder / "saved_model.pb"
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError:
        raise CheckpointError("its saved_model.pb is damaged") from None
    if len(model.meta_graphs) != 1:
        raise CheckpointError(f"holds {len(model.meta_graphs)} graphs; only one can be read")
    graph = model.meta_graphs[0]
    if graph.asset_file_def or not graph.HasField("object_graph_def"):
        what = "files of its own" if graph.asset_file_def else "the form of TensorFlow 1"
        raise CheckpointError(f"has {what}; only a SavedModel of TensorFlow 2 without assets can be read")
    _without_saver(graph)
    names = Counter(function.signature.name for function in graph.graph_def.library.function)
    for name, count in names.items():
        if count > 1:
            raise CheckpointError(f"has {count} functions of the name {shown(name, 60)}")
    for function in graph.graph_def.library.function:
        _clean_function(function)
    model.DiscardUnknownFields()
    path.write_bytes(model.SerializeToString())


def _without_saver(graph: Any) -> None:
    """Without the functions that write files, and the nodes that call them; TensorFlow 2 reads the variables itself."""
    used = [name for name in _offered(graph.object_graph_def) if name.startswith(SAVERS)]
    if used:
        raise CheckpointError(f"offers the saver {shown(used[0], 60)} as a function of its own")
    kept = [f for f in graph.graph_def.library.function if not f.signature.name.startswith(SAVERS)]
    library = type(graph.graph_def.library)(
        function=kept, registered_gradients=graph.graph_def.library.registered_gradients
    )
    graph.graph_def.library.CopyFrom(library)
    for field in ("saver_def", "collection_def", "signature_def"):
        graph.ClearField(field)
    del graph.graph_def.node[:]  # for TensorFlow 1; TensorFlow 2 runs functions only


def _clean_function(function: Any) -> None:
    where = f"its function {shown(function.signature.name, 60)}"
    if set(SWAPS) & set(function.attr):
        raise CheckpointError(f"would have another function run in place of {where}")
    for name in set(function.attr) - ATTRIBUTES:
        del function.attr[name]
    if len(function.node_def) > MAX_NODES:
        raise CheckpointError(f"has more than {MAX_NODES} nodes in {where}")
    for node in function.node_def:
        _check_node(node, where)


def _check_node(node: Any, where: str) -> None:
    called = list(_called([node]))
    if node.op not in OPERATIONS:
        what = f"uses the operation {shown(node.op, 60)} in {where}"
        raise CheckpointError(f"{what}; only arithmetic on its own variables can be read")
    if called and node.op not in CALLS:
        raise CheckpointError(f"calls a function out of a {shown(node.op, 60)} in {where}")
    if any(name.startswith(SAVERS) for name in called):
        raise CheckpointError(f"calls the saver {shown(called[0], 60)} from {where}")
    for name in CALL_SETTINGS:
        if node.op in CALLS and name in node.attr:
            del node.attr[name]


def _offered(objects: Any) -> Iterator[str]:
    """Names of the functions that the model's objects offer, or run when they are made."""
    yield from objects.concrete_functions
    for item in objects.nodes:
        yield from item.function.concrete_functions
        yield item.bare_concrete_function.concrete_function_name


def _called(nodes: Iterable[Any]) -> Iterator[str]:
    for node in nodes:
        for attribute in node.attr.values():
            for function in (attribute.func, *attribute.list.func):
                if function.name:
                    yield function.name
