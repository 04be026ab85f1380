"""The child's side: loads a checked Keras model or SavedModel; gives it as ONNX, as a frozen graph and as pictures.

Run by `keras_process` only. The folder that it starts in is its own; one line of JSON in is one line of JSON out.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from ganexport.errors import CheckpointError, GanExportError
from ganexport.importers._options import ImportOptions
from ganexport.importers.graphs.keras_config import clean_config, describe_config, read_json
from ganexport.importers.graphs.keras_h5 import check_h5, model_config, write_model_config
from ganexport.importers.graphs.keras_saved_model import clean_saved_model
from ganexport.importers.graphs.signature import (
    Port,
    Signature,
    choose_inputs,
    choose_output,
    native_feeds,
    picture_layout,
)
from ganexport.importers.inert.stubs import shown
from ganexport.weights import hash_tensors

__all__ = ["main"]

ONNX_OPSET = 17
TOGETHER = 8
"""Pictures drawn at once."""

Call = Callable[[Mapping[str, Any]], Any]


@dataclasses.dataclass
class _Loaded:
    """A model with its inputs and outputs by name."""

    inputs: list[Port]
    outputs: list[Port]
    call: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    variables: list[Any]
    classes: int | None


class _Worker:
    """Does what it is asked, in order: `inspect`, `convert`, `draw`."""

    def __init__(self) -> None:
        self._draw: Call | None = None

    def inspect(self, file: str) -> dict[str, Any]:
        """Check an HDF5 file as data; a whole model's configuration is replaced by its clean copy."""
        path = Path(file)
        check_h5(path)
        if path.name == "model.weights.h5":
            return {}
        config = clean_config(read_json(model_config(path)))
        write_model_config(path, json.dumps(config))
        return describe_config(config)

    def convert(self, file: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Write `model.onnx`, `graph.json` and `graph.safetensors`; tells what the generator takes and gives."""
        chosen = ImportOptions(**options)
        loaded = _saved_model(Path(file)) if Path(file).is_dir() else _keras(Path(file))
        signature = choose_inputs(loaded.inputs, chosen, loaded.classes)
        output = choose_output(loaded.outputs, chosen)

        def call(feeds: Mapping[str, Any]) -> Any:
            return loaded.call(feeds)[output.name]

        one = call(native_feeds(signature, _zeros(signature)))
        layout, channels, resolution = picture_layout((None, *one.shape[1:]), "NHWC")
        if one.dtype.name != "float32":
            raise CheckpointError(f"draws {one.dtype.name} pictures; only float32 can be read")

        def draw(feeds: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
            image = np.asarray(call(native_feeds(signature, feeds)))
            return image if layout == "NCHW" else image.transpose(0, 3, 1, 2)

        self._draw = draw
        _write_graphs(call, signature, layout)
        values = {f"{i} {variable.name}": variable.numpy() for i, variable in enumerate(loaded.variables)}
        return {
            "z_dim": signature.z_dim,
            "c_dim": signature.c_dim,
            "channels": channels,
            "resolution": resolution,
            "signature": f"{signature.latent} -> {shown(output.name)}",
            "parameters": sum(value.size for value in values.values() if value.dtype.kind == "f"),
            "weights_sha256": hash_tensors({name: np.asarray(value) for name, value in values.items()}),
        }

    def draw(self, feeds: str, image: str) -> dict[str, Any]:
        """The model's own pictures [N, C, H, W] of the feeds in a file."""
        assert self._draw is not None
        given = load_file(feeds)
        count = len(given["z"])
        parts = [
            self._draw({name: array[i : i + TOGETHER] for name, array in given.items()})
            for i in range(0, count, TOGETHER)
        ]
        save_file({"image": np.ascontiguousarray(np.concatenate(parts))}, image)
        return {}


def _zeros(signature: Signature) -> dict[str, NDArray[np.float32]]:
    feeds = {"z": np.zeros((1, signature.z_dim), np.float32)}
    return {**feeds, "c": np.eye(1, signature.c_dim, dtype=np.float32)} if signature.c_dim else feeds


def _keras(path: Path) -> _Loaded:
    import keras

    model = keras.models.load_model(path, compile=False, safe_mode=True)
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise CheckpointError("was saved before it was built: call it once, or give it an Input, and save it again")
    ports = [Port(i.name, i.dtype, tuple(i.shape)) for i in inputs]
    names = [str(o.name) for o in outputs]

    def call(feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        values = [feeds[port.name] for port in ports]
        result = model(values if len(values) > 1 else values[0], training=False)
        return dict(zip(names, keras.tree.flatten(result), strict=True))

    tables = {layer.input_dim for layer in model._flatten_layers() if isinstance(layer, keras.layers.Embedding)}
    outs = [Port(name, o.dtype, tuple(o.shape)) for name, o in zip(names, outputs, strict=True)]
    return _Loaded(ports, outs, call, list(model.variables), tables.pop() if len(tables) == 1 else None)


def _saved_model(folder: Path) -> _Loaded:
    clean_saved_model(folder)
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    signatures = dict(model.signatures)
    if "serving_default" not in signatures and len(signatures) != 1:
        found = ", ".join(shown(name, 40) for name in signatures) or "none"
        raise CheckpointError(f"has no signature serving_default (there are: {found}): export it with one")
    function = signatures.get("serving_default") or next(iter(signatures.values()))
    inputs = [_port(name, spec) for name, spec in function.structured_input_signature[1].items()]
    outputs = [_port(name, spec) for name, spec in function.structured_outputs.items()]

    def call(feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        result: Mapping[str, Any] = function(**{name: tf.convert_to_tensor(value) for name, value in feeds.items()})
        return result

    return _Loaded(inputs, outputs, call, list(function.variables), None)


def _port(name: str, spec: Any) -> Port:
    return Port(name, spec.dtype.name, None if spec.shape.rank is None else tuple(spec.shape))


def _write_graphs(call: Call, signature: Signature, layout: str) -> None:
    import tensorflow as tf
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    specs = {"z": tf.TensorSpec([None, signature.z_dim], tf.float32, "z")}
    if signature.c_dim:
        specs["c"] = tf.TensorSpec([None, signature.c_dim], tf.float32, "c")

    def generator(**feeds: Any) -> Any:
        image = call(_native_tensors(tf, signature, feeds))
        return image if layout == "NHWC" else tf.transpose(image, [0, 2, 3, 1])  # [N, H, W, C]

    concrete = tf.function(generator, autograph=False).get_concrete_function(**specs)
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False, aggressive_inlining=True)
    output = frozen.outputs[0].op.name
    graph = _folded(tf, _without_erfc(tf, frozen.graph.as_graph_def()), output)
    _write_frozen(tf, graph, output)
    inputs = [f"{name}:0" for name in specs]
    model, _ = tf2onnx.convert.from_graph_def(
        graph, input_names=inputs, output_names=[f"{output}:0"], opset=ONNX_OPSET, outputs_as_nchw=[f"{output}:0"]
    )
    Path("model.onnx").write_bytes(model.SerializeToString())


def _native_tensors(tf: Any, signature: Signature, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """As `native_feeds`, in TensorFlow."""
    z = tf.concat([feeds["z"], feeds["c"]], 1) if signature.labels == "joined" else feeds["z"]
    if len(signature.latent_shape) > 1:
        z = tf.reshape(z, [-1, *signature.latent_shape])
    native = {signature.latent.name: z}
    if signature.label is not None:
        c = feeds["c"]
        if signature.labels == "index":
            c = tf.cast(tf.argmax(c, 1, output_type=tf.int32), signature.label.kind)
            c = tf.reshape(c, [-1, *signature.index_shape])
        native[signature.label.name] = c
    return native


def _without_erfc(tf: Any, graph: Any) -> Any:
    """With 1 − erf(x) for erfc(x), of which Keras makes its gelu, and which neither ONNX nor TF.js has."""
    for node in [node for node in graph.node if node.op == "Erfc"]:
        erf, one = graph.node.add(), graph.node.add()
        erf.CopyFrom(node)
        erf.name, erf.op = f"{node.name}/erf", "Erf"
        one.name, one.op = f"{node.name}/one", "Const"
        one.attr["dtype"].CopyFrom(node.attr["T"])
        one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1.0, node.attr["T"].type, []))
        node.op, node.input[:] = "Sub", [one.name, erf.name]
    return graph


def _folded(tf: Any, graph: Any, output: str) -> Any:
    """Without what is constant, what is not needed, and what only passes a value on."""
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.python.grappler import tf_optimizer

    made = tf.Graph()
    with made.as_default():
        tf.import_graph_def(graph, name="")
    whole = tf.compat.v1.train.export_meta_graph(graph_def=graph, graph=made)
    whole.collection_def["train_op"].node_list.value.append(output)
    config = config_pb2.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    # Without the remapper: its fused operations are read differently by TF.js and by tf2onnx.
    rewriting.optimizers[:] = ["pruning", "constfold", "arithmetic", "dependency", "constfold", "pruning"]
    rewriting.min_graph_nodes = -1
    return tf_optimizer.OptimizeGraph(config, whole)


def _write_frozen(tf: Any, graph: Any, output: str) -> None:
    """`graph.json`: nodes, each after its inputs, the output last; `graph.safetensors`: their constants."""
    from google.protobuf.json_format import MessageToDict

    if graph.library.function:
        raise CheckpointError("keeps functions that cannot be written out; only plain graphs can be read")
    weights: dict[str, NDArray[Any]] = {}
    nodes: dict[str, dict[str, Any]] = {}
    for node in graph.node:
        if node.op == "Const":
            value = tf.make_ndarray(node.attr["value"].tensor)
            weights[node.name] = np.require(value, requirements="C")
            made = {"name": node.name, "op": "Const", "attr": _constant(node)}
        else:
            made = MessageToDict(node)
        made["attr"] = {name: value for name, value in made.get("attr", {}).items() if not name.startswith("_")}
        made["input"] = [name for name in made.get("input", []) if not name.startswith("^")]
        nodes[node.name] = made
    Path("graph.json").write_text(json.dumps(_sorted(nodes, output)), encoding="utf-8")
    save_file({name: value for name, value in weights.items() if value.dtype.kind in "biuf"}, "graph.safetensors")


def _constant(node: Any) -> dict[str, Any]:
    """Type and shape of a constant, without its values."""
    from google.protobuf.json_format import MessageToDict

    kind = MessageToDict(node.attr["dtype"])
    shape = MessageToDict(node.attr["value"].tensor.tensor_shape)
    return {"dtype": kind, "value": {"tensor": {"dtype": kind["type"], "tensorShape": shape}}}


def _sorted(nodes: Mapping[str, dict[str, Any]], output: str) -> list[dict[str, Any]]:
    """Nodes after their inputs."""
    done: dict[str, dict[str, Any]] = {}
    waiting = [output, *(name for name, node in nodes.items() if node["op"] == "Placeholder")][::-1]
    while waiting:
        name = waiting[-1]
        needed = [i.partition(":")[0] for i in nodes[name]["input"]]
        missing = [i for i in needed if i not in done]
        if missing:
            waiting += missing
            continue
        done.setdefault(waiting.pop(), nodes[name])
    done[output] = done.pop(output)
    return list(done.values())


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (limit, limit))


def main() -> None:
    """Answer one line after the other until there are no more."""
    _limit(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    sys.stdout = sys.stderr
    worker = _Worker()
    tasks: dict[str, Callable[..., dict[str, Any]]] = {
        "inspect": worker.inspect,
        "convert": worker.convert,
        "draw": worker.draw,
    }
    for line in sys.stdin:
        request = json.loads(line)
        task = request.pop("task")
        try:
            answer = tasks[task](**request)
        except GanExportError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        except MemoryError:
            answer = {"error": "CheckpointError", "message": "needs more memory than is allowed"}
        except Exception as error:  # TensorFlow raises whatever fits the call that met the damage
            lines = str(error).strip().splitlines() or [""]
            message = f"TensorFlow cannot read it ({type(error).__name__}: {shown(lines[0], 200)})"
            answer = {"error": "CheckpointError", "message": message}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
