"""rosinality/stylegan2-pytorch: state dicts under `g_ema` or `g`, training checkpoints and bare ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import stylegan2
from ganexport.errors import CheckpointError, WeightsError
from ganexport.importers._options import Imported, ImportOptions
from ganexport.importers._rules import filter_taps, sampled_mean
from ganexport.importers._trees import Leaf, choose, float64, shape_of, walk
from ganexport.importers.inert.containers import Container
from ganexport.importers.inert.stubs import shown

__all__ = ["read", "recognises"]

LICENCE = (
    "Made with rosinality/stylegan2-pytorch (code: MIT); weights converted from NVIDIA's stay under NVIDIA's "
    "non-commercial licence, others under the terms of whoever trained them (a note, not legal advice)"
)
SIGNATURE = ("input.input", "conv1.conv.weight", "conv1.conv.modulation.weight", "style.1.weight")
AVERAGE = "latent_avg"
LR_MULTIPLIER = 0.01
SAMPLES = 4096
MAX_PREFIXES = 16

Arrays = dict[str, NDArray[np.float64]]


def recognises(container: Container) -> bool:
    """Whether there is a state dict with this family's names."""
    return bool(_networks(container.root))


def read(container: Container, options: ImportOptions) -> Imported:
    """The averaged generator, or the one that `--network` names.

    Raises:
        WeightsError: Tensors are missing or left over.
        OptionError: There is no network of that name.
    """
    networks = _networks(container.root)
    name = choose(networks, options.network, ("g_ema",))
    reader = _Reader(networks[name])
    notes = [shown(name) or "the file itself"]
    average = container.root.get(AVERAGE) if isinstance(container.root, dict) else None
    if isinstance(average, Leaf):
        w_avg = float64(average).reshape(-1)
    else:
        w_avg = reader.sampled_average()
        notes.append(f"w_avg is the mean of {SAMPLES} sampled w, for the file has none")
    if reader.drawn_noise:
        notes.append("the file has no noise: it was drawn from seed 0")
    tensors = {"mapping.w_avg": w_avg, **reader.weights}
    spec = reader.spec(options)
    reader.check_nothing_is_left()
    weights = {key: np.asarray(array, np.float32) for key, array in tensors.items()}
    source = f"rosinality StyleGAN2 ({container.kind})"
    return Imported(spec, weights, source, f"rosinality ({'; '.join(notes)})", LICENCE)


def _networks(root: Any) -> dict[str, dict[str, Leaf]]:
    """State dicts with this family's names, by their path.

    Names may have a prefix: `g_ema.` where files know no dict in a dict, and `module.` of parallel training, cut off.
    """
    found = {}
    for path, value in walk(root):
        named = value.items() if isinstance(value, dict) else ()
        leaves = {k: v for k, v in named if isinstance(k, str) and isinstance(v, Leaf)}
        prefixes = [k.removesuffix(SIGNATURE[0]) for k in leaves if k.endswith(SIGNATURE[0])]
        if len(prefixes) > MAX_PREFIXES:
            raise CheckpointError(f"a state dict with {len(prefixes)} StyleGAN2 networks; save the one to be imported")
        for prefix in prefixes:
            state = {k.removeprefix(prefix): v for k, v in leaves.items() if k.startswith(prefix)}
            if state.keys() >= set(SIGNATURE):
                state.pop(AVERAGE, None)
                found[".".join(part for part in (path, *prefix.split(".")) if part not in ("", "module"))] = state
    return found


class _Reader:
    """Canonical tensors out of one state dict."""

    def __init__(self, state: dict[str, Leaf]) -> None:
        self.state = dict(state)
        self.mapping_layers = sum(f"style.{i}.weight" in state for i in range(1, 65))
        self.blocks = 1 + sum(f"to_rgbs.{i}.bias" in state for i in range(16))
        self.drawn_noise = "noises.noise_0" not in state
        self.random = np.random.RandomState(0)
        self.filters: list[tuple[Any, ...]] = []
        self.weights: Arrays = {}
        for i in range(self.mapping_layers):
            gain = LR_MULTIPLIER / math.sqrt(shape_of(state[f"style.{i + 1}.weight"])[-1])
            self.weights[f"mapping.fc{i}.weight"] = self._take(f"style.{i + 1}.weight", 2) * gain
            self.weights[f"mapping.fc{i}.bias"] = self._take(f"style.{i + 1}.bias", 1) * LR_MULTIPLIER
        self.weights["synthesis.b4.const"] = self._take("input.input", 4)[0]  # [C, 4, 4]
        for i in range(self.blocks):
            block = f"synthesis.b{4 << i}"
            if i == 0:
                self._conv(f"{block}.conv1", "conv1", 0, 4)
                self._torgb(f"{block}.torgb", "to_rgb1")
                continue
            self._conv(f"{block}.conv0", f"convs.{2 * i - 2}", 2 * i - 1, 4 << i)
            self.filters.append(filter_taps(self._take(f"convs.{2 * i - 2}.conv.blur.kernel", 2)))
            self._conv(f"{block}.conv1", f"convs.{2 * i - 1}", 2 * i, 4 << i)
            self._torgb(f"{block}.torgb", f"to_rgbs.{i - 1}")
            self.filters.append(filter_taps(self._take(f"to_rgbs.{i - 1}.upsample.kernel", 2)))

    def spec(self, options: ImportOptions) -> stylegan2.Spec:
        """The spec, from the shapes."""
        if len(set(self.filters)) > 1:
            raise CheckpointError("the layers do not agree on their blur kernels")
        weights = self.weights
        return stylegan2.Spec(
            resolution=4 << (self.blocks - 1),
            image_channels=len(weights["synthesis.b4.torgb.bias"]),  # type: ignore[arg-type]  # the spec checks it
            image_range=options.image_range or (-1.0, 1.0),
            z_dim=weights["mapping.fc0.weight"].shape[1],
            w_dim=weights[f"mapping.fc{self.mapping_layers - 1}.weight"].shape[0],
            channels=tuple(len(weights[f"synthesis.b{4 << i}.conv1.bias"]) for i in range(self.blocks)),
            mapping_layers=self.mapping_layers,
            mapping_width=len(weights["mapping.fc0.bias"]),
            resample_filter=self.filters[0] if self.filters else (1.0, 3.0, 3.0, 1.0),
        )

    def check_nothing_is_left(self) -> None:
        """Every tensor of the state dict must have been used."""
        if self.state:
            left = ", ".join(shown(name) for name in list(self.state)[:8])
            raise WeightsError(f"{len(self.state)} tensors are not known to this StyleGAN2: {left}")

    def sampled_average(self) -> NDArray[np.float64]:
        """The mean w of many z, as this family's programs estimate it."""
        layers = [
            (self.weights[f"mapping.fc{i}.weight"], self.weights[f"mapping.fc{i}.bias"])
            for i in range(self.mapping_layers)
        ]

        def mapped(x: NDArray[np.float64]) -> NDArray[np.float64]:
            x = x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)
            for weight, bias in layers:
                x = x @ weight.T + bias
                x = np.where(x > 0, x, 0.2 * x) * math.sqrt(2)  # [n, w_dim]
            return x

        return sampled_mean(mapped, SAMPLES, [weight.shape for weight, _ in layers])

    def _take(self, name: str, axes: int) -> NDArray[np.float64]:
        leaf = self.state.pop(name, None)
        if leaf is None:
            raise WeightsError(f"the state dict has no tensor {name}")
        if len(shape_of(leaf)) != axes or 0 in shape_of(leaf):
            raise WeightsError(f"{name} is {list(shape_of(leaf))}, expected {axes} axes")
        return float64(leaf)

    def _affine(self, target: str, source: str, gain: float) -> None:
        weight = self._take(f"{source}.conv.modulation.weight", 2)  # [I, w_dim]
        self.weights[f"{target}.affine.weight"] = weight * (gain / math.sqrt(weight.shape[1]))
        self.weights[f"{target}.affine.bias"] = self._take(f"{source}.conv.modulation.bias", 1) * gain

    def _conv(self, target: str, source: str, index: int, size: int) -> None:
        kernel = self._take(f"{source}.conv.weight", 5)[0]  # [O, I, k, k]
        # The scale matters only beside the eps of the demodulation.
        self.weights[f"{target}.weight"] = kernel / math.sqrt(kernel[0].size)
        self.weights[f"{target}.bias"] = self._take(f"{source}.activate.bias", 1)
        self._affine(target, source, 1.0)
        noise = self.random.randn(size, size) if self.drawn_noise else self._take(f"noises.noise_{index}", 4)[0, 0]
        self.weights[f"{target}.noise_const"] = noise
        self.weights[f"{target}.noise_strength"] = self._take(f"{source}.noise.weight", 1).reshape(())

    def _torgb(self, target: str, source: str) -> None:
        kernel = self._take(f"{source}.conv.weight", 5)[0]  # [C_img, I, 1, 1]
        self.weights[f"{target}.weight"] = kernel
        self.weights[f"{target}.bias"] = self._take(f"{source}.bias", 4).reshape(-1)
        self._affine(target, source, 1.0 / math.sqrt(kernel.shape[1]))
