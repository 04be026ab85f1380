"""A SavedModel as data, checked before TensorFlow loads it: arithmetic on its own variables, and nothing else.

Loaded in the child process only, since the format's definition comes with TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ganexport.errors import CheckpointError
from ganexport.graph_model import TFJS_OPERATIONS, words
from ganexport.importers.inert.stubs import shown

__all__ = ["check_saved_model"]

OPERATIONS = TFJS_OPERATIONS | words(
    "BatchMatMulV3 Conv2DBackpropInputV2 EnsureShape InvertPermutation L2Loss MatrixDiagV3 NoOp "
    "PlaceholderWithDefault PreventGradient Rank ResizeArea ResizeBicubic ResourceGather ResourceGatherNd "
    "ShapeN Size Softsign StopGradient TruncateDiv Xdivy AssignVariableOp ReadVariableOp VarHandleOp "
    "VarIsInitializedOp VariableShape PartitionedCall StatefulPartitionedCall"
)
"""Arithmetic, the graph's own variables, and calls of its own functions."""

SAVER = words("DisableCopyOnRead RestoreV2 SaveV2 MergeV2Checkpoints ShardedFilename StringJoin StaticRegexFullMatch")
"""What TensorFlow puts into the two functions of a checkpoint's saver. Loading a model runs neither."""
SAVERS = ("__inference__traced_save", "__inference__traced_restore")
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
MAX_NODES = 1_000_000


def check_saved_model(folder: Path) -> None:
    """Check every operation of every graph and function.

    Raises:
        CheckpointError: It is damaged, or does more than arithmetic.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((folder / "saved_model.pb").read_bytes())
    except DecodeError:
        raise CheckpointError("its saved_model.pb is damaged") from None
    if len(model.meta_graphs) != 1:
        raise CheckpointError(f"holds {len(model.meta_graphs)} graphs; only one can be read")
    graph = model.meta_graphs[0]
    if graph.asset_file_def or not graph.HasField("object_graph_def"):
        what = "files of its own" if graph.asset_file_def else "the form of TensorFlow 1"
        raise CheckpointError(f"has {what}; only a SavedModel of TensorFlow 2 without assets can be read")
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    savers = _savers(graph, functions)
    _check(graph.graph_def.node, OPERATIONS, "its graph")
    for name, function in functions.items():
        allowed = OPERATIONS | SAVER if name in savers else OPERATIONS
        _check(function.node_def, allowed, f"its function {shown(name, 60)}")
        called = set(_called(function.node_def)) & savers
        if called:
            raise CheckpointError(f"calls the saver {shown(called.pop(), 60)} from a function of its own")
    used = set(_offered(graph.object_graph_def)) & savers
    if used:
        raise CheckpointError(f"offers the saver {shown(used.pop(), 60)} as a function of its own")


def _savers(graph: Any, functions: dict[str, Any]) -> set[str]:
    """The functions that the saver's own nodes call, and that are called like them."""
    saver = graph.saver_def
    nodes = {saver.save_tensor_name.partition(":")[0], saver.restore_op_name.partition(":")[0]}
    called = set(_called(node for node in graph.graph_def.node if node.name in nodes))
    elsewhere = set(_called(node for node in graph.graph_def.node if node.name not in nodes))
    return {name for name in called - elsewhere if name in functions and name.startswith(SAVERS)}


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


def _check(nodes: Any, allowed: Iterable[str], where: str) -> None:
    if len(nodes) > MAX_NODES:
        raise CheckpointError(f"has more than {MAX_NODES} nodes")
    for node in nodes:
        if node.op not in allowed:
            raise CheckpointError(
                f"uses the operation {shown(node.op, 60)} in {where}; only arithmetic on its own variables can be read"
            )
        if node.op not in CALLS and any(True for _ in _called([node])):
            raise CheckpointError(f"calls a function out of a {shown(node.op, 60)} in {where}")
