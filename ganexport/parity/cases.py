"""The cases that the gate replays, and the oracle's answer to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import extra_inputs, mapping, noise_shapes, synthesis
from ganexport.cost import multiply_adds
from ganexport.generator import Generator
from ganexport.latents import noise_from_seeds, one_hot, psi_by_layer, z_from_seeds
from ganexport.manifest import GoldenCase, NoiseMode
from ganexport.ops.numpy_ops import NumpyOps, float64_weights
from ganexport.pictures import to_uint8
from ganexport.spec import GeneratorSpec
from ganexport.weights import Tensors

__all__ = ["FEWER_CASES_ABOVE", "Case", "Oracle", "cases_for", "feeds_of", "has_fewer_cases"]

FEWER_CASES_ABOVE = 20_000_000_000
"""Multiply-adds of a picture above which a batch of 1 and one of 2 stand for all cases: a minute and more each."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """One case: what it is, its inputs, and what the float64 oracle makes of them.

    Attributes:
        golden: Seeds, labels and settings.
        feeds: float32 inputs by name.
        expected: Oracle's tensors by name: `ws`, `rgb_b{res}`, `image` [N, C, H, W] float64, `images` uint8
            [N, H, W, C].
    """

    golden: GoldenCase
    feeds: dict[str, Floats]
    expected: dict[str, NDArray[Any]]


class Oracle:
    """The generator in float64; with its weights as an artefact stores them, where these are given."""

    def __init__(self, generator: Generator, weights: Tensors | None = None) -> None:
        self.spec = generator.spec
        self._ops = NumpyOps()
        self._weights = float64_weights(generator.weights if weights is None else weights)

    def __call__(self, feeds: dict[str, Floats]) -> dict[str, NDArray[Any]]:
        """Every tensor of one case; pictures one by one, so that memory does not grow with the batch."""
        count = len(next(iter(feeds.values())))
        parts = [self._one({name: array[i : i + 1] for name, array in feeds.items()}) for i in range(count)]
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    def _one(self, feeds: dict[str, Floats]) -> dict[str, NDArray[Any]]:
        exact = {name: array.astype(np.float64) for name, array in feeds.items()}
        outputs: dict[str, NDArray[Any]] = {}
        if self.spec.has_w_space:
            psi = exact["truncation_psi"]
            outputs |= mapping(self._ops, self._weights, self.spec, exact["z"], exact.get("c"), psi)
        outputs |= synthesis(self._ops, self._weights, self.spec, {**exact, **outputs})
        outputs["images"] = to_uint8(outputs["image"], self.spec.image_range)
        return outputs


def cases_for(spec: GeneratorSpec, mode: NoiseMode) -> list[GoldenCase]:
    """Batch 1 and 3, several seeds and classes; with a w space psi 1, 0.7, 0 and a cutoff; noise on and off.

    Large generators get as few pictures as can show a batch, truncation, noise on and off, and other inputs.

    Args:
        spec: What goes into the generator.
        mode: How its graphs take noise.
    """
    usual: Literal["const", "none", "random"] = "random" if mode == "input" else mode

    def case(name: str, seeds: tuple[int, ...], psi: float = 1.0, **more: Any) -> GoldenCase:
        labels = tuple((7 * seed + 3) % spec.c_dim for seed in seeds) if spec.c_dim else None
        return GoldenCase(**{"noise_mode": usual, **more}, name=name, seeds=seeds, labels=labels, truncation_psi=psi)

    extras = extra_inputs(spec)
    random = np.random.RandomState(12)
    moved = {name: value + 0.2 * random.randn(*value.shape) for name, value in extras.items()}
    other = {name: tuple(value.ravel().tolist()) for name, value in moved.items()}
    if has_fewer_cases(multiply_adds(spec)):
        return [
            case("one", (0,)),
            case("two", (1, 2), 0.7 if spec.has_w_space else 1.0, noise_mode="none", inputs=other),
        ]
    cases = [case("one", (0,)), case("three", (1, 2, 3))]
    if spec.has_w_space:
        cases += [
            case("truncated", (4, 5, 6), 0.7),
            case("average", (7,), 0.0),
            case("cutoff", (8, 9, 10), 0.5, truncation_cutoff=max(1, spec.num_ws // 2)),
        ]
    if mode != "none":
        cases.append(case("no-noise", (11,), noise_mode="none"))
    if other:
        cases.append(case("other-inputs", (12, 13), inputs=other))
    return cases


def has_fewer_cases(multiply_adds: int) -> bool:
    """Whether a generator of this cost is too large for all cases."""
    return multiply_adds > FEWER_CASES_ABOVE


def feeds_of(golden: GoldenCase, spec: GeneratorSpec, mode: NoiseMode) -> dict[str, Floats]:
    """float32 inputs of a case by name, for graphs that take noise in this mode."""
    seeds = golden.seeds
    feeds = {"z": z_from_seeds(seeds, spec.z_dim, spec.z_distribution)}
    if golden.labels is not None:
        feeds["c"] = one_hot(golden.labels, spec.c_dim)
    if spec.has_w_space:
        psis = psi_by_layer(golden.truncation_psi, spec.num_ws, golden.truncation_cutoff)
        feeds["truncation_psi"] = np.tile(psis, (len(seeds), 1))
    for name, usual in extra_inputs(spec).items():
        value = np.asarray(golden.inputs.get(name, usual), np.float32).reshape(usual.shape)
        feeds[name] = np.tile(value, (len(seeds), *[1] * usual.ndim))
    return feeds | _noise(golden, spec, mode)


def _noise(golden: GoldenCase, spec: GeneratorSpec, mode: NoiseMode) -> dict[str, Floats]:
    count = len(golden.seeds)
    if mode == "none":
        return {}
    if mode == "const":
        return {"noise_scale": np.full(count, 1.0 if golden.noise_mode == "const" else 0.0, np.float32)}
    shapes = noise_shapes(spec)
    if golden.noise_mode == "none":
        return {name: np.zeros((count, *shape), np.float32) for name, shape in shapes.items()}
    return noise_from_seeds(golden.seeds, spec.z_dim, spec.z_distribution, spec.noise_distribution, shapes)
