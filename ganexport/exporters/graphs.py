"""What the exporters share: the inputs of a generator's graphs, and what a graph must be able to prove."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Literal

from ganexport.errors import OptionError
from ganexport.generator import Generator
from ganexport.manifest import GraphTensor
from ganexport.ops.graph import Shape, Value
from ganexport.spec import GeneratorSpec

__all__ = ["ExportOptions", "mapping_inputs", "metadata", "picture_tensor", "synthesis_inputs", "tensor"]


@dataclass(frozen=True)
class ExportOptions:
    """Choices that change the graphs.

    Attributes:
        noise: `const` keeps the stored noise, scaled by the input `noise_scale`; `none` leaves it out.
        truncation_psi: Default that readers of the bundle use.

    Raises:
        OptionError: psi is not a finite number.
    """

    noise: Literal["const", "none"] = "const"
    truncation_psi: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.truncation_psi):
            raise OptionError(f"psi must be a finite number, found {self.truncation_psi}")

    def has_noise(self, spec: GeneratorSpec) -> bool:
        """Whether the graphs of this generator carry noise."""
        return self.noise == "const" and bool(getattr(spec, "noise", False))


def mapping_inputs(spec: GeneratorSpec) -> dict[str, Shape]:
    """Names and shapes of the mapping's inputs."""
    return {**_latent_inputs(spec), "truncation_psi": (None, spec.num_ws)}


def synthesis_inputs(spec: GeneratorSpec, options: ExportOptions) -> dict[str, Shape]:
    """Names and shapes of the synthesis' inputs."""
    if not spec.has_w_space:
        return _latent_inputs(spec)
    inputs: dict[str, Shape] = {"ws": (None, spec.num_ws, spec.w_dim)}
    return {**inputs, "noise_scale": (None,)} if options.has_noise(spec) else inputs


def _latent_inputs(spec: GeneratorSpec) -> dict[str, Shape]:
    inputs: dict[str, Shape] = {"z": (None, spec.z_dim)}
    return {**inputs, "c": (None, spec.c_dim)} if spec.c_dim else inputs


def metadata(generator: Generator, options: ExportOptions) -> dict[str, str]:
    """What each graph says of itself: the hash of its weights, its spec, its defaults."""
    return {
        "ganexport.weights_sha256": generator.provenance.weights_sha256,
        "ganexport.spec": json.dumps(generator.spec.model_dump(mode="json")),
        "ganexport.labels": json.dumps(generator.labels),
        "truncation_psi": str(options.truncation_psi),
    }


def tensor(name: str, value: Value) -> GraphTensor:
    """Manifest entry of a float32 value."""
    return GraphTensor(name=name, shape=_named(value.shape), dtype="float32")


def picture_tensor(spec: GeneratorSpec) -> GraphTensor:
    """Manifest entry of the pictures that `generator.onnx` gives."""
    shape: Shape = (None, spec.resolution, spec.resolution, spec.image_channels)
    return GraphTensor(name="images", shape=_named(shape), dtype="uint8")


def _named(shape: Shape) -> tuple[int | Literal["N"], ...]:
    return tuple("N" if size is None else size for size in shape)
