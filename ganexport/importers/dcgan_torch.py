"""The DCGAN of PyTorch's tutorial and its children: a chain of transposed convolutions with BatchNorm.

It comes as a state dict under any prefix and in any wrapper, or as a whole model. A whole model has recorded strides,
paddings and activations; where its program applies activations as functions, which leave no record, it is refused. A
state dict has none of these: the tutorial's are taken (stride 1 without padding first, then kernels of 4 that double
the size; ReLU, and tanh at the end), and kernels for which there is no such rule are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import dcgan
from ganexport.errors import CheckpointError, OptionError, WeightsError
from ganexport.importers._options import Imported, ImportOptions
from ganexport.importers._trees import MAX_PATH, Leaf, children, choose, float64, is_module, own_tensors, shape_of, walk
from ganexport.importers.inert.containers import Container
from ganexport.importers.inert.stubs import Stub, shown
from ganexport.weights import Tensors

__all__ = ["read", "recognises"]

LICENCE = "DCGAN weights are under the terms of whoever trained them; the file does not say which"
BATCHNORM_EPS = 1e-5
MAX_SPLITS = 4
STEPS = {4: (2, 1), 2: (2, 0)}
"""Stride and padding by kernel, after the first layer: both double the size."""

Array64 = NDArray[np.float64]


@dataclass(frozen=True)
class _Part:
    """One module: its own tensors, and its record where the file has one."""

    tensors: Mapping[str, Leaf]
    record: Stub | None = None


@dataclass
class _Step:
    """One transposed convolution with what follows it."""

    conv: _Part
    kernel: tuple[int, ...]
    stride: int
    padding: int
    norms: list[_Part] = field(default_factory=list)
    activation: str | None = None
    slope: float = 0.2


class _MisfitError(Exception):
    """This is no generator of the family; says why."""


class _UntoldError(_MisfitError):
    """It is one, but the file does not tell all of it."""


def recognises(container: Container) -> bool:
    """Whether some network in the file is a chain of transposed convolutions."""
    return any(_networks(container))


def read(container: Container, options: ImportOptions) -> Imported:
    """The generator, with BatchNorm folded into its convolutions.

    Raises:
        CheckpointError: The file does not tell all of a network.
        OptionError: Several networks fit, or `c_dim` leaves no latent.
    """
    networks, untold = _networks(container)
    if not networks:
        raise CheckpointError(untold[0])
    name = choose(networks, options.network)
    steps = networks[name]
    into, c_dim = steps[0].kernel[0], options.c_dim or 0
    if not 0 <= c_dim < into:
        raise OptionError(f"c_dim must lie between 0 and {into - 1}: the network takes {into} numbers, labels included")
    layers = tuple(
        dcgan.Layer(
            channels=step.kernel[1],
            kernel=step.kernel[2],
            stride=step.stride,
            padding=step.padding,
            activation=step.activation,  # type: ignore[arg-type]  # set by _chain
            slope=step.slope,
        )
        for step in steps
    )
    spec = dcgan.Spec(
        resolution=_size(steps),
        image_channels=steps[-1].kernel[1],  # type: ignore[arg-type]  # checked by _fit
        z_dim=into - c_dim,
        c_dim=c_dim,
        layers=layers,
        image_range=options.image_range or (-1.0, 1.0),
    )
    weights: Tensors = {}
    for i, step in enumerate(steps):
        kernel, bias = _fold(step)
        weights[f"synthesis.layer{i}.weight"] = np.asarray(kernel, np.float32)
        weights[f"synthesis.layer{i}.bias"] = np.asarray(bias, np.float32)
    source = f"PyTorch DCGAN ({container.kind})"
    return Imported(spec, weights, source, f"dcgan_torch ({shown(name) or 'the file itself'})", LICENCE)


# ------------------------------------------------------------------------------------------- finding the networks


def _networks(container: Container) -> tuple[dict[str, list[_Step]], list[str]]:
    """Generators of this family by their path, and what the file does not tell of others."""
    found: dict[str, list[_Step]] = {}
    untold: list[str] = []
    for path, value in walk(container.root):
        complete = False
        if isinstance(value, Stub):
            candidates, complete = {path: _parts_of_module(value)}, _is_chain(value)
        else:
            state = {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, Leaf)}
            candidates = _split(path, state) if state and max(map(len, state)) <= MAX_PATH else {}
        for name, parts in candidates.items():
            try:
                found[name] = _fit(parts, complete=complete)
            except _UntoldError as reason:
                untold.append(f"{shown(name) or 'the model'}: {reason}")
            except _MisfitError:
                continue
    return found, untold


def _split(path: str, state: Mapping[str, Leaf], depth: int = 0) -> dict[str, list[_Part]]:
    """A state dict as one network, or as one for each first part of its names where it is not."""
    for parts in (_parts_of_state(state), _parts_by_number(state)):
        with suppress(_MisfitError):
            _fit(parts)
            return {path: parts}
    groups: dict[str, dict[str, Leaf]] = {}
    for name, leaf in state.items():
        first, dot, rest = name.partition(".")
        groups.setdefault(first if dot else "", {})[rest if dot else name] = leaf
    if depth >= MAX_SPLITS or "" in groups or all(re.fullmatch(r"\d+", group) for group in groups):
        return {}
    inner: dict[str, list[_Part]] = {}
    for group, members in groups.items():
        below = path if len(groups) == 1 else f"{path}.{group}" if path else group
        inner |= _split(below, members, depth + 1)
    return inner


def _parts_of_state(state: Mapping[str, Leaf]) -> list[_Part]:
    """Modules of a state dict in their order; names that only count are sorted by number."""
    modules = _modules_of_state(state)
    names = list(modules)
    if len({re.sub(r"\d+", "#", name) for name in names}) == 1:
        names.sort(key=_numbers)
    return [_Part(modules[name]) for name in names]


def _parts_by_number(state: Mapping[str, Leaf]) -> list[_Part]:
    """The same where `deconv2` and `bn2` belong together and their order was lost, as safetensors files lose it."""
    modules = _modules_of_state(state)
    names = sorted(modules, key=lambda name: (_numbers(name), "running_mean" in modules[name]))
    return [_Part(modules[name]) for name in names if _numbers(name)]


def _modules_of_state(state: Mapping[str, Leaf]) -> dict[str, dict[str, Leaf]]:
    modules: dict[str, dict[str, Leaf]] = {}
    for name, leaf in state.items():
        module, _, tensor = name.rpartition(".")
        modules.setdefault(module, {})[tensor] = leaf
    return modules


def _numbers(name: str) -> list[int]:
    return [int(number[:9]) for number in re.findall(r"\d+", name)]


def _is_chain(module: Stub) -> bool:
    """Whether the model is its modules one after the other, and nothing else: no program of its own draws it."""
    wrapped = children(module).get("module")
    if wrapped is not None and module.global_name.startswith("torch.nn.parallel."):
        return _is_chain(wrapped)
    return module.global_name == "torch.nn.modules.container.Sequential"


def _parts_of_module(module: Stub, depth: int = 0) -> list[_Part]:
    """Modules of a whole model in their order, containers opened."""
    if depth > 16 or not is_module(module):
        return []
    inner = children(module)
    own = own_tensors(module)
    parts = [_Part(own, module)] if own or not inner else []
    for child in inner.values():
        parts += _parts_of_module(child, depth + 1)
    return parts


# ------------------------------------------------------------------------------------------ what fits, and folding


def _fit(parts: list[_Part], *, complete: bool = False) -> list[_Step]:
    """The steps of a generator.

    Args:
        parts: Its modules in their order.
        complete: Whether what is not on record is not there.

    Raises:
        _MisfitError: These are not the modules of one.
    """
    steps: list[_Step] = []
    for part in parts:
        if part.record is None:
            _take_state(steps, part)
        else:
            _take_record(steps, part, part.record)
    if len(steps) < 2:
        raise _MisfitError("no chain of transposed convolutions")
    untold = ""
    for i, step in enumerate(steps):
        last = i == len(steps) - 1
        if step.activation is None and step.conv.record and not complete:
            untold = untold or f"no activation is on record after layer {i}"
        if step.activation is None:
            step.activation = "linear" if step.conv.record else "tanh" if last else "relu"
        if i and step.kernel[0] != steps[i - 1].kernel[1]:
            raise _MisfitError(f"layer {i} takes {step.kernel[0]} channels, but {steps[i - 1].kernel[1]} come in")
    if steps[-1].kernel[1] not in (1, 3, 4) or not 4 <= _size(steps) <= 4096:
        raise _MisfitError(f"it ends at {_size(steps)}² with {steps[-1].kernel[1]} channels, which is no picture")
    if untold:
        raise _UntoldError(
            f"{untold}: the model's own program has it as a function, which the file does not tell; a plain state_dict "
            "of it may be read, torch.save(model.state_dict(), path)"
        )
    return steps


def _take_state(steps: list[_Step], part: _Part) -> None:
    if "running_mean" in part.tensors:
        _take_norm(steps, part)
        return
    shape = _conv_shape(part)
    stride, padding = (1, 0) if not steps else STEPS.get(shape[2], (0, 0))
    if not stride:
        raise _MisfitError(f"a kernel of {shape[2]}² does not tell its stride; a whole-model file does")
    steps.append(_Step(part, shape, stride, padding))


def _take_record(steps: list[_Step], part: _Part, record: Stub) -> None:
    kind, attributes = record.class_name, record.attributes
    if kind == "ConvTranspose2d":
        shape = _conv_shape(part)
        window = [_square(attributes, name) for name in ("kernel_size", "stride", "padding")]
        plain = [_square(attributes, name) for name in ("dilation", "output_padding")] + [attributes.get("groups")]
        if window[0] != shape[2] or plain != [1, 0, 1]:
            raise _MisfitError("a transposed convolution with dilation, groups or output padding")
        steps.append(_Step(part, shape, window[1], window[2]))
    elif kind in ("BatchNorm2d", "SyncBatchNorm"):
        _take_norm(steps, part)
    elif kind in ("ReLU", "LeakyReLU", "Tanh"):
        if not steps or steps[-1].activation is not None:
            raise _MisfitError(f"{kind} has no place there")
        steps[-1].activation = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "Tanh": "tanh"}[kind]
        slope = attributes.get("negative_slope", 0.2)
        if not isinstance(slope, int | float):
            raise _MisfitError("LeakyReLU has no record of its slope")
        steps[-1].slope = float(slope)
    elif kind not in ("Dropout", "Dropout2d", "Identity", "Sequential"):
        raise _MisfitError(f"it holds a {shown(record.global_name)}")


def _take_norm(steps: list[_Step], part: _Part) -> None:
    if not steps or steps[-1].activation is not None:
        raise _MisfitError("a BatchNorm follows no convolution")
    unknown = set(part.tensors) - {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    shapes = {shape_of(leaf) for name, leaf in part.tensors.items() if name != "num_batches_tracked"}
    if unknown or shapes != {(steps[-1].kernel[1],)} or not {"running_mean", "running_var"} <= set(part.tensors):
        raise _MisfitError("a BatchNorm does not fit the convolution before it")
    steps[-1].norms.append(part)


def _conv_shape(part: _Part) -> tuple[int, ...]:
    """Shape [I, O, k, k] of a transposed convolution's kernel."""
    weight, bias = part.tensors.get("weight"), part.tensors.get("bias")
    shape = () if weight is None else shape_of(weight)
    if len(shape) != 4 or shape[2] != shape[3] or 0 in shape or set(part.tensors) - {"weight", "bias"}:
        raise _MisfitError(f"a module with tensors {', '.join(shown(name) for name in list(part.tensors)[:4])}")
    if bias is not None and shape_of(bias) != (shape[1],):
        raise _MisfitError("a bias that fits no transposed convolution")
    return shape


def _square(attributes: Mapping[str, Any], name: str) -> int:
    value = attributes.get(name)
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2 or pair[0] != pair[1] or type(pair[0]) is not int:
        raise _MisfitError(f"a transposed convolution whose {name} is not square")
    return int(pair[0])


def _size(steps: list[_Step]) -> int:
    size = 1
    for step in steps:
        size = (size - 1) * step.stride + step.kernel[2] - 2 * step.padding
    return size


def _fold(step: _Step) -> tuple[Array64, Array64]:
    """Kernel [O, I, k, k] and bias [O] with the BatchNorms in them."""
    kernel = float64(step.conv.tensors["weight"]).transpose(1, 0, 2, 3)  # [O, I, k, k]
    bias = float64(step.conv.tensors["bias"]) if "bias" in step.conv.tensors else np.zeros(len(kernel))
    for norm in step.norms:
        eps = norm.record.attributes.get("eps", BATCHNORM_EPS) if norm.record else BATCHNORM_EPS
        mean, variance = float64(norm.tensors["running_mean"]), float64(norm.tensors["running_var"])
        if not isinstance(eps, float) or (variance + eps <= 0).any():
            raise WeightsError("a BatchNorm has a variance below zero")
        gain = 1.0 / np.sqrt(variance + eps)  # [O]
        shift = float64(norm.tensors["bias"]) if "bias" in norm.tensors else np.zeros(len(gain))
        if "weight" in norm.tensors:
            gain = gain * float64(norm.tensors["weight"])
        kernel, bias = kernel * gain[:, None, None, None], (bias - mean) * gain + shift
    return kernel, bias
