"""Run in a process of its own: Keras generators in every form that people have them in, and what Keras draws of them.

`python keras_writer.py FOLDER [CANARY]`; with a canary, files made to harm instead, which would touch it.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras import layers

SEEDS = (3, 14, 15)
CLASSES = 5
Z_DIMS = {"dense": 100, "transposed": 20, "conditional": 16, "varied": 11}


def dense() -> keras.Model:
    """The generator of the tutorials: dense layers with BatchNorm, 28² grey."""
    model = keras.Sequential([layers.Input((Z_DIMS["dense"],))])
    for width in (32, 64, 48):
        for layer in (layers.Dense(width), layers.LeakyReLU(0.2), layers.BatchNormalization(momentum=0.8)):
            model.add(layer)
    model.add(layers.Dense(28 * 28, activation="tanh"))
    model.add(layers.Reshape((28, 28, 1)))
    return model


def transposed() -> keras.Model:
    """Transposed convolutions, 16² RGB; kernels of 5 and of 4, and one with a bias."""
    chain = [
        layers.Input((Z_DIMS["transposed"],)),
        layers.Dense(4 * 4 * 16, use_bias=False),
        layers.BatchNormalization(),
        layers.LeakyReLU(),
        layers.Reshape((4, 4, 16)),
        layers.Conv2DTranspose(12, 5, strides=1, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.LeakyReLU(),
        layers.Conv2DTranspose(8, 4, strides=2, padding="same"),
        layers.ReLU(),
        layers.Conv2DTranspose(3, 5, strides=2, padding="same", use_bias=False, activation="tanh"),
    ]
    return keras.Sequential(chain)


def conditional() -> keras.Model:
    """z times the row of an embedding, then up-sampling and convolutions, 28² grey."""
    z = layers.Input((Z_DIMS["conditional"],), name="noise")
    label = layers.Input((1,), name="label", dtype="int32")
    x = layers.multiply([z, layers.Flatten()(layers.Embedding(CLASSES, Z_DIMS["conditional"])(label))])
    x = layers.Reshape((7, 7, 8))(layers.Dense(7 * 7 * 8)(x))
    x = layers.UpSampling2D()(layers.BatchNormalization(momentum=0.8)(x))
    x = layers.Activation("relu")(layers.Conv2D(6, 3, padding="same")(x))
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    x = layers.GaussianNoise(0.5)(layers.Dropout(0.5)(x))  # neither does anything but in training
    return keras.Model([z, label], layers.Conv2D(1, 3, padding="same", activation="tanh")(x))


def varied() -> keras.Model:
    """Most other layers, 16² RGB, channels first, from a latent [N, 1, 1, z] in which one-hot classes follow z."""
    z = layers.Input((1, 1, Z_DIMS["varied"] + CLASSES))
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2DTranspose(8, 4)(z))
    x = layers.Conv2DTranspose(6, 4, strides=2, padding="same")(layers.GroupNormalization(4)(x))
    x = layers.ELU()(layers.LayerNormalization()(x))
    x = layers.SeparableConv2D(6, 3, padding="same", activation="swish")(x)
    x = layers.Cropping2D(1)(layers.ZeroPadding2D(1)(layers.DepthwiseConv2D(3, padding="same")(x)))
    y = layers.Conv2D(6, 1, activation="gelu")(x)
    x = layers.Concatenate()([layers.Add()([x, y]), y])
    x = layers.UpSampling2D()(layers.AveragePooling2D(1)(x))
    inner = keras.Sequential([layers.Input((16, 16, 12)), layers.Conv2D(3, 3, padding="same", dilation_rate=2)])
    x = layers.Rescaling(2.0, -1.0)(layers.Activation("sigmoid")(inner(x)))
    return keras.Model(z, layers.Permute((3, 1, 2))(x))


def not_degenerate(model: keras.Model) -> keras.Model:
    """Weights and statistics that hide nothing."""
    random = np.random.RandomState(0)
    values = []
    for variable in model.weights:
        value = variable.numpy()
        if value.dtype.kind != "f":
            values.append(value)
        elif "variance" in variable.path:
            values.append((0.3 + random.rand(*value.shape)).astype("float32"))
        else:
            values.append((value + 0.15 * random.randn(*value.shape)).astype("float32"))
    model.set_weights(values)
    return model


def write_good(folder: Path) -> None:
    for make in (dense, transposed, varied, conditional):
        name = make.__name__
        model = not_degenerate(make())
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        model.export(folder / name, verbose=False)
        z = np.concatenate([np.random.RandomState(s).randn(1, Z_DIMS[name]) for s in SEEDS]).astype("float32")
        classes = [s % CLASSES for s in SEEDS]
        feeds = [z, np.array(classes, "int32")[:, None]] if name == "conditional" else z
        if name == "varied":
            feeds = np.concatenate([z, np.eye(CLASSES, dtype="float32")[classes]], axis=1)[:, None, None]
        image = model.predict(feeds, verbose=0)
        np.save(folder / f"{name}.npy", image.transpose(0, 2, 3, 1) if name == "varied" else image)
    model.save_weights(folder / "only.weights.h5")
    as_keras_2(folder / "transposed.h5", folder / "transposed2.h5")


def as_keras_2(source: Path, target: Path) -> None:
    """An HDF5 file as Keras 2 wrote it: other settings, and other names of the weights."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        config = _keras_2(json.loads(old.attrs["model_config"]))
        norms = [layer for layer in config["config"]["layers"] if layer["class_name"] == "BatchNormalization"]
        norms[0]["config"]["axis"], norms[1]["config"]["axis"] = [1], [3]
        new.attrs.update(keras_version="2.12.0", backend="tensorflow", model_config=json.dumps(config))
        new.attrs["training_config"] = json.dumps({"loss": "binary_crossentropy"})
        weights = new.create_group("model_weights")
        weights.attrs.update(keras_version="2.12.0", backend="tensorflow")
        names_of_layers = old["model_weights"].attrs["layer_names"]
        weights.attrs["layer_names"] = [layer.encode() for layer in names_of_layers]
        for layer in names_of_layers:
            names, group = [], weights.create_group(layer)
            for path in old["model_weights"][layer].attrs["weight_names"]:
                names.append(f"{layer}/{path.rpartition('/')[2]}:0".encode())
                group.create_dataset(names[-1], data=old["model_weights"][layer][path][()])
            group.attrs["weight_names"] = names


def _keras_2(item: Any) -> Any:
    if isinstance(item, list):
        return [_keras_2(part) for part in item]
    if not isinstance(item, dict):
        return item
    if item.get("class_name") == "DTypePolicy":
        return item["config"]["name"]
    if {"module", "class_name", "config"} <= item.keys():
        item = {"class_name": item["class_name"], "config": item["config"]}
    made = {name: _keras_2(part) for name, part in item.items()}
    own, kind = made.get("config"), made.get("class_name")
    if isinstance(own, dict):
        for name in ("quantization_config", "optional", "synchronized", "renorm", "renorm_clipping", "renorm_momentum"):
            own.pop(name, None)
        if kind == "InputLayer":
            own["batch_input_shape"] = own.pop("batch_shape")
        if kind == "Conv2DTranspose":
            own["groups"] = 1
        if kind == "LeakyReLU":
            own["alpha"] = own.pop("negative_slope")
    return made


# ------------------------------------------------------------------------------------------------- made to harm


def write_bad(folder: Path, canary: str) -> None:
    harm = f"open({canary!r}, 'w')"
    body = layers.Lambda(eval(f"lambda x: ({harm}, x)[1]"), output_shape=(8, 8, 1), name="harmless")
    for name, last in (("lambda", body), ("wrapped", layers.Identity())):
        inner = keras.Sequential([layers.Input((8, 8, 1)), body], name="inner")
        chain = [layers.Input((4,)), layers.Dense(64), layers.Reshape((8, 8, 1)), inner if name == "wrapped" else last]
        model = keras.Sequential(chain)
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")

    class Module(tf.Module):
        """Pictures, and something besides."""

        def __init__(self, extra: Any) -> None:
            super().__init__()
            self.w = tf.Variable(tf.random.stateless_normal([4, 64], [1, 2]))
            self.extra = extra

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "z")])
        def __call__(self, z: Any) -> Any:
            bias = self.extra()
            return {"image": tf.tanh(tf.reshape(z @ self.w + bias, [-1, 8, 8, 1]))}

    def read() -> Any:
        return tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)

    def write() -> Any:
        with tf.control_dependencies([tf.io.write_file(canary, "x")]):
            return tf.constant(0.0)

    def python() -> Any:
        return tf.py_function(lambda: 0.0, [], tf.float32)

    def restore() -> Any:
        return tf.raw_ops.RestoreV2(
            prefix="/etc/hostname", tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
        )[0]

    for extra in (read, write, python, restore):
        module = Module(extra)
        tf.saved_model.save(module, str(folder / extra.__name__), signatures=module.__call__.get_concrete_function())
    offer_the_saver(folder)
    misuse_the_saver(folder, canary)
    for made in Path(canary).parent.glob(f"{Path(canary).name}*"):
        made.unlink()


def offer_the_saver(folder: Path) -> None:
    """A SavedModel that offers the function that writes its checkpoint as one of its own."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = keras.Sequential([layers.Input((4,)), layers.Dense(64), layers.Reshape((8, 8, 1))])
    model.export(folder / "saver", verbose=False)
    path = folder / "saver" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    graph = saved.meta_graphs[0]
    names = [f.signature.name for f in graph.graph_def.library.function]
    saver = next(name for name in names if name.startswith("__inference__traced_save"))
    offered = next(n for n in graph.object_graph_def.nodes if n.bare_concrete_function.concrete_function_name)
    offered.bare_concrete_function.concrete_function_name = saver
    path.write_bytes(saved.SerializeToString())


def misuse_the_saver(folder: Path, canary: str) -> None:
    """SavedModels in which a function that writes a file has a saver's name, and would be run for another one."""
    from tensorflow.core.protobuf import saved_model_pb2

    signature = [tf.TensorSpec([None, 4], tf.float32)]

    def function(device: str, body: Any) -> Any:
        swap = {"api_implements": "x", "api_preferred_device": device}
        return tf.function(body, input_signature=signature, experimental_attributes=swap, autograph=False)

    def good(z: Any) -> Any:
        return tf.tanh(z)

    def evil(z: Any) -> Any:
        one = tf.constant([1.0])
        write = tf.raw_ops.SaveV2(prefix=canary, tensor_names=["a"], shape_and_slices=[""], tensors=[one])
        with tf.control_dependencies([write]):
            return tf.sin(z)

    module = tf.Module()
    module.w = tf.Variable(tf.random.stateless_normal([4, 64], [1, 2]))
    module.good, module.evil = function("GPU", good), function("CPU", evil)

    def pictures(z: Any) -> Any:
        return {"image": tf.reshape(module.good(z) @ module.w, [-1, 8, 8, 1])}

    module.pictures = tf.function(pictures, input_signature=[tf.TensorSpec([None, 4], tf.float32, "z")])
    module.evil.get_concrete_function()
    tf.saved_model.save(module, str(folder / "swapped"), signatures=module.pictures)
    data = (folder / "swapped" / "saved_model.pb").read_bytes()
    for kind in ("swapped", "hidden", "called", "twice"):
        saved = saved_model_pb2.SavedModel.FromString(data)
        _as_saver(saved.meta_graphs[0], kind)
        if kind != "swapped":
            shutil.copytree(folder / "swapped", folder / kind)
        (folder / kind / "saved_model.pb").write_bytes(saved.SerializeToString())


def _as_saver(graph: Any, kind: str) -> None:
    library, objects = graph.graph_def.library.function, graph.object_graph_def
    functions = [function.signature.name for function in library]
    good, evil = (next(n for n in functions if n.startswith(f"__inference_{kind}")) for kind in ("good", "evil"))
    new = good if kind == "twice" else "__inference__traced_save_9999"
    for function in library:
        if function.signature.name == evil:
            function.signature.name = new
        if kind != "swapped":
            for name in ("api_implements", "api_preferred_device"):
                function.attr.pop(name, None)
        for node in function.node_def:
            if kind == "called" and node.attr["f"].func.name == good:
                node.attr["f"].func.name = new
    del objects.concrete_functions[evil]
    for item in objects.nodes:
        if evil in item.function.concrete_functions:
            kept = [name for name in item.function.concrete_functions if name != evil]
            item.function.concrete_functions[:] = kept
        if item.bare_concrete_function.concrete_function_name == evil:
            item.bare_concrete_function.concrete_function_name = good


if __name__ == "__main__":
    keras.utils.set_random_seed(3)
    place = Path(sys.argv[1])
    place.mkdir(exist_ok=True)
    if len(sys.argv) > 2:
        write_bad(place, sys.argv[2])
    else:
        write_good(place)
