"""lucidrains/stylegan2-pytorch: `{'GAN': state dict, 'version': …}`, or that state dict alone.

It holds the networks S and G, their averages SE and GE, and discriminators. The one number that shapes do not tell, the
rate of the mapping, is in a config file that the program keeps beside its models; what else is in there must agree with
the shapes.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import lucidrains
from ganexport.architectures._attention import HEADS, WIDTH
from ganexport.errors import CheckpointError, WeightsError
from ganexport.importers._options import Imported, ImportOptions
from ganexport.importers._rules import sampled_mean
from ganexport.importers._trees import Leaf, choose, float64, shape_of, walk
from ganexport.importers.inert.containers import Container
from ganexport.importers.inert.stubs import shown

__all__ = ["read", "recognises"]

LICENCE = (
    "Made with lucidrains/stylegan2-pytorch (code: MIT); the weights are under the terms of whoever trained them, "
    "which the file does not say (a note, not legal advice)"
)
LR_MLP = 0.1
SAMPLES = 2000
MAX_CONFIG = 1 << 16
PAIRS = {"G": "S", "GE": "SE"}
"""Generators, each with its mapping network."""
KNOWN = (*PAIRS, *PAIRS.values(), "D", "D_aug", "D_cl")
"""First parts of names; discriminators are parts of training, and left out."""
CONFIG_NAMES = (".config.json", "config.json")

Array = NDArray[np.float64]
Config = dict[str, Any]


def recognises(container: Container) -> bool:
    """Whether there is a state dict with this family's names."""
    return bool(_networks(container.root))


def read(container: Container, options: ImportOptions) -> Imported:
    """The averaged generator, or the one that `--network` names.

    Raises:
        WeightsError: Tensors are missing, left over or of the wrong shape.
        CheckpointError: An early version or attention layers, which cannot be drawn, or a config of another network.
        OptionError: There is no network of that name.
    """
    networks = _networks(container.root)
    averaged = tuple(name for name in networks if name.rpartition(".")[2] == "GE")
    name = choose(networks, options.network, averaged)
    reader = _Reader(networks[name], options)
    found = _config_beside(container.path)
    if found is None:
        source, lr_mlp = f"lr_mlp {LR_MLP}, the program's default, for there is no config beside the file", LR_MLP
    else:
        lr_mlp = _checked_rate(reader.spec, *found)
        source = f"lr_mlp {lr_mlp:g}, as {shown(found[1].name)} has it"
    weights = {key: np.asarray(array, np.float32) for key, array in reader.weights(lr_mlp).items()}
    notes = [shown(name), source, f"w_avg is the mean of {SAMPLES} sampled w", "noise drawn from seed 0"]
    if reader.spec.attention:
        notes.append("attention as version 1.9.0 calculates it")
    return Imported(
        reader.spec, weights, f"lucidrains StyleGAN2 ({container.kind})", f"lucidrains ({'; '.join(notes)})", LICENCE
    )


def _networks(root: Any) -> dict[str, dict[str, Leaf]]:
    """Tensors of each generator and its mapping, named `G.…` and `S.…`, by the path to the generator.

    With them come tensors of which nothing is known, so that they are left over in the end.
    """
    found = {}
    for path, value in walk(root):
        named = value.items() if isinstance(value, dict) else ()
        state = {k.removeprefix("GAN."): v for k, v in named if isinstance(k, str) and isinstance(v, Leaf)}
        unknown = {k: v for k, v in state.items() if k.partition(".")[0] not in KNOWN}
        for g, s in PAIRS.items():
            if f"{g}.blocks.0.to_style1.weight" in state and f"{s}.net.0.weight" in state:
                own = {f"G{k.removeprefix(g)}": v for k, v in state.items() if k.startswith(f"{g}.")}
                own |= {f"S{k.removeprefix(s)}": v for k, v in state.items() if k.startswith(f"{s}.")}
                found[f"{path}.{g}" if path else g] = own | unknown
    return found


class _Reader:
    """The spec and the canonical tensors of one generator."""

    def __init__(self, state: dict[str, Leaf], options: ImportOptions) -> None:
        self.state = dict(state)
        self._refuse_what_cannot_be_drawn()
        blocks = sum(f"G.blocks.{i}.conv1.weight" in state for i in range(16))
        width, z_dim = self._shape("S.net.0.weight", 2)
        self.spec = lucidrains.Spec(
            resolution=4 << (blocks - 1),
            image_channels=self._shape(f"G.blocks.{blocks - 1}.to_rgb.conv.weight", 4)[0],  # type: ignore[arg-type]
            image_range=options.image_range or (0.0, 1.0),
            z_dim=z_dim,
            w_dim=width,
            channels=tuple(self._shape(f"G.blocks.{i}.conv1.weight", 4)[0] for i in range(blocks)),
            mapping_layers=sum(f"S.net.{2 * i}.weight" in state for i in range(64)),
            const="G.to_initial_block.weight" not in state,
            attention=tuple(4 << i for i in range(blocks) if f"G.attns.{i}.0.fn.norm.g" in state),
            blur=any(name.endswith(".to_rgb.upsample.1.f") for name in state),
        )

    def weights(self, lr_mlp: float) -> dict[str, Array]:
        """The canonical tensors; every tensor of the state dict must be among them.

        Args:
            lr_mlp: What the program multiplies the mapping's weights and biases by.
        """
        spec = self.spec
        tensors = self._mapping(lr_mlp)
        tensors["mapping.w_avg"] = _sampled_average(spec, tensors)
        tensors["synthesis.noise_const"] = np.random.RandomState(0).uniform(size=(spec.resolution,) * 2)
        tensors |= self._first_features()
        for i in range(len(spec.channels)):
            tensors |= self._block(i)
        if self.state:
            left = ", ".join(shown(name) for name in list(self.state)[:8])
            raise WeightsError(f"{len(self.state)} tensors are not known to this generator: {left}")
        return tensors

    def _refuse_what_cannot_be_drawn(self) -> None:
        attention = [name for name in self.state if name.startswith("G.attns.")]
        if attention and not any(name.endswith(".0.fn.fn.to_kv.net.0.weight") for name in attention):
            raise CheckpointError(
                f"the generator has attention layers of an early version ({shown(attention[0])} …): versions of "
                "lucidrains/stylegan2-pytorch before 1.8 calculate otherwise, and cannot be imported with attention"
            )
        if "G.initial_conv.weight" not in self.state:
            raise CheckpointError(
                "the generator has no initial_conv: versions of lucidrains/stylegan2-pytorch before 0.20 have none and "
                "calculate otherwise, and cannot be imported"
            )

    def _mapping(self, lr_mlp: float) -> dict[str, Array]:
        tensors, width = {}, self.spec.w_dim
        for i in range(self.spec.mapping_layers):
            into = width if i else self.spec.z_dim
            length = 1.0 if i else 1.0 / math.sqrt(into)  # z is brought to length 1, not to a mean square of 1
            tensors[f"mapping.fc{i}.weight"] = self._take(f"S.net.{2 * i}.weight", width, into) * (lr_mlp * length)
            tensors[f"mapping.fc{i}.bias"] = self._take(f"S.net.{2 * i}.bias", width) * lr_mlp
        return tensors

    def _first_features(self) -> dict[str, Array]:
        """The first convolution, which nothing but linear steps precede, is a part of what it is applied to."""
        first = self.spec.channels[0]
        kernel = self._take("G.initial_conv.weight", first, first, 3, 3)
        bias = self._take("G.initial_conv.bias", first)
        if self.spec.const:
            const = _convolved(self._take("G.initial_block", 1, first, 4, 4), kernel)[0]  # [C, 4, 4]
            return {"synthesis.b4.const": const + bias[:, None, None]}
        spread = self._take("G.to_initial_block.weight", self.spec.w_dim, first, 4, 4)
        weight = _convolved(spread, kernel).transpose(1, 0, 2, 3)  # [C, w_dim, 4, 4]
        return {"synthesis.b4.initial.weight": weight, "synthesis.b4.initial.bias": bias}

    def _block(self, i: int) -> dict[str, Array]:
        tensors: dict[str, Array] = {}
        spec, theirs, ours = self.spec, f"G.blocks.{i}", f"synthesis.b{4 << i}"
        out, before = spec.channels[i], spec.channels[max(i - 1, 0)]
        if 4 << i in spec.attention:
            tensors |= self._attention(f"{ours}.attention", f"G.attns.{i}.0.fn", before)
            tensors |= self._feedforward(f"{ours}.feedforward", f"G.attns.{i}.1.fn", before)
        for layer, into in ((1, before), (2, out)):
            to = f"{ours}.conv{layer - 1}"
            tensors |= self._style(to, f"{theirs}.to_style{layer}", into)
            tensors[f"{to}.weight"] = self._take(f"{theirs}.conv{layer}.weight", out, into, 3, 3)
            tensors[f"{to}.noise_strength"] = self._take(f"{theirs}.to_noise{layer}.weight", out, 1)[:, 0]
            tensors[f"{to}.bias"] = self._take(f"{theirs}.to_noise{layer}.bias", out)
        tensors |= self._style(f"{ours}.torgb", f"{theirs}.to_rgb.to_style", out)
        tensors[f"{ours}.torgb.weight"] = self._take(f"{theirs}.to_rgb.conv.weight", spec.image_channels, out, 1, 1)
        if spec.blur and i < len(spec.channels) - 1:
            taps = self._take(f"{theirs}.to_rgb.upsample.1.f", 3)
            if taps.tolist() != [1.0, 2.0, 1.0]:
                raise CheckpointError(f"the picture is blurred with {taps.tolist()}, expected [1, 2, 1]")
        return tensors

    def _attention(self, to: str, name: str, channels: int) -> dict[str, Array]:
        inner = HEADS * WIDTH
        both = self._take(f"{name}.fn.to_kv.net.1.weight", 2 * inner, channels, 1, 1)
        return {
            **self._norm(f"{to}.norm", f"{name}.norm", channels),
            f"{to}.q.weight": self._take(f"{name}.fn.to_q.weight", inner, channels, 1, 1),
            f"{to}.depthwise.weight": self._take(f"{name}.fn.to_kv.net.0.weight", channels, 1, 3, 3),
            f"{to}.k.weight": both[:inner],
            f"{to}.v.weight": both[inner:] / math.sqrt(WIDTH),
            f"{to}.out.weight": self._take(f"{name}.fn.to_out.weight", channels, inner, 1, 1),
            f"{to}.out.bias": self._take(f"{name}.fn.to_out.bias", channels),
        }

    def _feedforward(self, to: str, name: str, channels: int) -> dict[str, Array]:
        tensors = self._norm(f"{to}.norm", f"{name}.norm", channels)
        for layer, index, out, into in (("fc0", 0, 2 * channels, channels), ("fc1", 2, channels, 2 * channels)):
            tensors[f"{to}.{layer}.weight"] = self._take(f"{name}.fn.{index}.weight", out, into, 1, 1)
            tensors[f"{to}.{layer}.bias"] = self._take(f"{name}.fn.{index}.bias", out)
        return tensors

    def _norm(self, to: str, name: str, channels: int) -> dict[str, Array]:
        parts = (("gain", "g"), ("bias", "b"))
        return {f"{to}.{ours}": self._take(f"{name}.{theirs}", 1, channels, 1, 1).ravel() for ours, theirs in parts}

    def _style(self, to: str, name: str, channels: int) -> dict[str, Array]:
        """Styles are stored as offsets from 1."""
        weight = self._take(f"{name}.weight", channels, self.spec.w_dim)
        return {f"{to}.affine.weight": weight, f"{to}.affine.bias": self._take(f"{name}.bias", channels) + 1.0}

    def _take(self, name: str, *shape: int) -> Array:
        found = self._shape(name, len(shape))
        if found != shape:
            raise WeightsError(f"{shown(name)} is {list(found)}, expected {list(shape)}")
        return float64(self.state.pop(name))

    def _shape(self, name: str, axes: int) -> tuple[int, ...]:
        leaf = self.state.get(name)
        if leaf is None:
            raise WeightsError(f"the state dict has no tensor {name}")
        shape = shape_of(leaf)
        if len(shape) != axes or 0 in shape:
            raise WeightsError(f"{name} is {list(shape)}, expected {axes} axes")
        return shape


def _sampled_average(spec: lucidrains.Spec, tensors: dict[str, Array]) -> Array:
    """The mean w of many z, as the program itself estimates it whenever it draws."""
    layers = [(tensors[f"mapping.fc{i}.weight"], tensors[f"mapping.fc{i}.bias"]) for i in range(spec.mapping_layers)]

    def mapped(x: Array) -> Array:
        x = x / np.sqrt(np.mean(x**2, axis=1, keepdims=True))
        for weight, bias in layers:
            x = x @ weight.T + bias
            x = np.where(x > 0, x, lucidrains.SLOPE * x)  # [n, w_dim]
        return x

    return sampled_mean(mapped, SAMPLES, [weight.shape for weight, _ in layers])


def _convolved(x: Array, kernel: Array) -> Array:
    """Correlation of x [N, I, 4, 4] with kernel [O, I, 3, 3], zeros around -> [N, O, 4, 4]."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = np.zeros((len(kernel), len(x), 4, 4))
    for i, j in np.ndindex(3, 3):
        y += np.tensordot(kernel[:, :, i, j], padded[:, :, i : i + 4, j : j + 4], axes=(1, 1))
    return y.transpose(1, 0, 2, 3)


# ---------------------------------------------------------------------------------------------- the file beside it


def _config_beside(checkpoint: Path) -> tuple[Config, Path] | None:
    """The config of a checkpoint and where it was: `NAME.config.json`, or the program's own `.config.json`."""
    for path in (checkpoint.with_suffix(".config.json"), *(checkpoint.with_name(n) for n in CONFIG_NAMES)):
        if path.is_symlink():
            raise CheckpointError(f"{shown(path.name)} beside it is a link; put the file itself there, or take it away")
        if not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                data = file.read(MAX_CONFIG + 1)
            config = json.loads(data) if len(data) <= MAX_CONFIG else None
        except (OSError, ValueError, RecursionError):
            config = None
        if not isinstance(config, dict) or "network_capacity" not in config:
            raise CheckpointError(
                f"{shown(path.name)} beside it is no config of lucidrains/stylegan2-pytorch, which is a JSON object "
                "with image_size, network_capacity, …; mend it, or take it away if it belongs to something else"
            )
        return config, path
    return None


def _checked_rate(spec: lucidrains.Spec, config: Config, path: Path) -> float:
    """`lr_mlp` of a config that agrees with the shapes.

    Raises:
        CheckpointError: It does not, or a value is of the wrong type.
    """
    capacity = config.get("network_capacity")
    widest = max(spec.channels)
    told = {
        "image_size": spec.resolution,
        "transparent": spec.image_channels == 4,
        "no_const": not spec.const,
    }
    for name, expected in told.items():
        found = config.get(name, expected)
        if type(found) is not type(expected) or found != expected:
            raise CheckpointError(
                f"{shown(path.name)} says {name} {shown(json.dumps(found))}, but the tensors are of a network with "
                f"{json.dumps(expected)}: it belongs to another model"
            )
    last = len(spec.channels)
    if type(capacity) is not int or spec.channels != tuple(min(widest, capacity << last - i) for i in range(last)):
        raise CheckpointError(
            f"{shown(path.name)} says network_capacity {shown(json.dumps(capacity))}, but the tensors have "
            f"{spec.channels} channels: it belongs to another model"
        )
    rate = config.get("lr_mlp", LR_MLP)
    if type(rate) not in (int, float) or not 0 < rate < 1e6:
        raise CheckpointError(f"{shown(path.name)} says lr_mlp {shown(json.dumps(rate))}, expected a number above 0")
    return float(rate)
