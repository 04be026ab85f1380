"""A Keras model's configuration as data: every object in it must be a layer, or part of one, that is listed here.

Keras builds whatever class a configuration names. What is handed on to it is a copy made of listed names alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Set
from typing import Any

from ganexport.errors import CheckpointError
from ganexport.graph_model import words
from ganexport.importers.inert.stubs import shown

__all__ = ["clean_config", "describe_config", "read_json"]

MAX_DEPTH = 64
MAX_ITEMS = 1_000_000
MAX_BYTES = 32 << 20

MODELS = {"Functional", "Model", "Sequential"}
LAYERS = words(
    "InputLayer Dense Conv1D Conv2D Conv1DTranspose Conv2DTranspose DepthwiseConv2D SeparableConv2D Embedding "
    "BatchNormalization LayerNormalization GroupNormalization UnitNormalization Normalization RMSNormalization "
    "SpectralNormalization Activation LeakyReLU ReLU PReLU ELU Softmax Identity Reshape Flatten Permute "
    "RepeatVector UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D Concatenate Add "
    "Multiply Subtract Average Maximum Minimum Dot Dropout SpatialDropout2D AlphaDropout GaussianNoise "
    "GaussianDropout ActivityRegularization MaxPooling2D AveragePooling2D GlobalMaxPooling2D "
    "GlobalAveragePooling2D Rescaling CategoryEncoding"
)
PARTS = words(
    "Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal VarianceScaling GlorotNormal GlorotUniform "
    "HeNormal HeUniform LecunNormal LecunUniform Orthogonal OrthogonalInitializer Identity IdentityInitializer "
    "L1 L2 L1L2 OrthogonalRegularizer MaxNorm MinMaxNorm NonNeg UnitNorm DTypePolicy Policy __keras_tensor__"
)
"""Initializers, regularizers, constraints, number types, and where a layer's input comes from."""
MODULES = {
    *(f"{start}{end}" for start in ("keras", "keras.src") for end in ("", ".layers", ".models", ".engine")),
    *(f"keras.src.{end}" for end in ("models.functional", "models.sequential", "models.model")),
    *(f"keras.{end}" for end in ("initializers", "regularizers", "constraints", "dtype_policies")),
    *(f"keras.{src}engine.{end}" for src in ("", "src.") for end in ("functional", "sequential", "training")),
}
ACTIVATIONS = words(
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear "
    "log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign "
    "sparse_plus squareplus swish tanh tanh_shrink threshold"
)
TRAINING = ("compile_config", "training_config", "optimizer_config")
"""Only for training on; left out."""
NOT_IN_KERAS_3 = {"Conv2DTranspose": "groups", "DepthwiseConv2D": "groups"}
"""Written by Keras 2 with its only value 1, which Keras 3 does not take."""


def read_json(data: bytes | str) -> dict[str, Any]:
    """An object out of JSON text.

    Raises:
        CheckpointError: Too large, or no JSON object.
    """
    if len(data) > MAX_BYTES:
        raise CheckpointError(f"has a configuration of {len(data)} bytes; at most {MAX_BYTES} are allowed")
    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        raise CheckpointError("has a configuration that is no JSON") from None
    if not isinstance(config, dict):
        raise CheckpointError("has a configuration that is no JSON object")
    return config


def clean_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a model's configuration, in which every object is a listed one.

    Raises:
        CheckpointError: It names something else: a Lambda, a class of its own, a module that is not Keras.
    """
    if not _one_of(config.get("class_name"), MODELS):
        raise CheckpointError(f"holds a {_quoted(config.get('class_name'))}, not a Keras model")
    cleaned = _Cleaner().clean(config, 0)
    assert isinstance(cleaned, dict)
    return cleaned


def describe_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Layers and inputs of a cleaned configuration, as plain facts."""
    layers: Counter[str] = Counter()
    inputs = {}
    for item in _objects(config):
        name, own = item["class_name"], item.get("config") or {}
        if name in LAYERS:
            layers[name] += 1
        shape = own.get("batch_shape") or own.get("batch_input_shape") if isinstance(own, dict) else None
        if shape and isinstance(own.get("dtype", "float32"), str):
            sizes = json.dumps(shape).replace("null", "N")
            inputs[_quoted(own.get("name"))] = shown(f"{own.get('dtype', 'float32')} {sizes}", 120)
    return {"layers": dict(layers.most_common()), "inputs": inputs}


def _objects(item: Any) -> list[Any]:
    if isinstance(item, dict):
        inner = [found for value in item.values() for found in _objects(value)]
        return [item, *inner] if "class_name" in item else inner
    return [found for value in item for found in _objects(value)] if isinstance(item, list) else []


class _Cleaner:
    def __init__(self) -> None:
        self._left = MAX_ITEMS

    def clean(self, item: Any, depth: int) -> Any:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise CheckpointError("has a configuration that is nested too deeply or too long")
        if isinstance(item, dict):
            if "class_name" in item:
                _check_object(item)
            kept = {key: value for key, value in item.items() if key not in TRAINING}
            cleaned = {key: self.clean(value, depth + 1) for key, value in kept.items()}
            return _for_keras_3(cleaned)
        if isinstance(item, list):
            return [self.clean(value, depth + 1) for value in item]
        return item


def _check_object(item: Mapping[str, Any]) -> None:
    name, module, registered = item["class_name"], item.get("module"), item.get("registered_name")
    own = item.get("config")
    label = f" ({_quoted(own.get('name'))})" if isinstance(own, dict) and own.get("name") else ""
    if name == "Lambda":
        raise CheckpointError(f"holds a Lambda layer{label}, which is a program; only the layers of Keras can be read")
    if not _one_of(name, MODELS | LAYERS | PARTS):
        raise CheckpointError(f"holds a {_quoted(name)}{label}, which is not one of the layers that can be read")
    if module is not None and not _one_of(module, MODULES):
        raise CheckpointError(f"takes {name} from the module {_quoted(module)}; only Keras itself can be read")
    if registered not in (None, name):
        raise CheckpointError(f"holds a class of its own, {_quoted(registered)}{label}, which cannot be read")
    for key in ("activation", "recurrent_activation"):
        activation = own.get(key) if isinstance(own, dict) else None
        known = activation is None or isinstance(activation, dict) or _one_of(activation, ACTIVATIONS)
        if not known:
            raise CheckpointError(f"uses the activation {_quoted(activation)}, which is not one of Keras' own")


def _for_keras_3(item: dict[str, Any]) -> dict[str, Any]:
    """Settings as Keras 3 takes them."""
    own = item.get("config")
    if not isinstance(own, dict):
        return item
    dropped = NOT_IN_KERAS_3.get(item.get("class_name", ""))
    if dropped is not None and own.get(dropped) == 1:
        own = {key: value for key, value in own.items() if key != dropped}
    axis = own.get("axis")
    if item.get("class_name") == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        own = {**own, "axis": axis[0]}
    return {**item, "config": own}


def _one_of(value: Any, known: Set[str]) -> bool:
    """JSON also has lists, of which no set can be asked."""
    return isinstance(value, str) and value in known


def _quoted(value: Any) -> str:
    return shown(str(value), 60)
