"""What the exporters share: the inputs of a generator's graphs, and what a graph must be able to prove."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Literal

from ganexport.architectures import extra_inputs, noise_shapes
from ganexport.errors import OptionError
from ganexport.generator import Generator
from ganexport.graph_model import GraphModel
from ganexport.manifest import GraphTensor, NoiseMode
from ganexport.ops.graph import Shape, Value
from ganexport.spec import GeneratorSpec

__all__ = [
    "ExportOptions",
    "further_inputs",
    "latent_inputs",
    "mapping_inputs",
    "metadata",
    "picture_tensor",
    "synthesis_inputs",
    "tensor",
]


@dataclass(frozen=True)
class ExportOptions:
    """Choices that change the graphs.

    Attributes:
        noise: `const` keeps the stored noise, scaled by the input `noise_scale`; `none` leaves it out; with `random`
            and `input` the graphs take it as inputs, which a reader draws from the seed or asks its caller for.
        truncation_psi: Default that readers of the bundle use.
        single_file: Whether an ONNX graph holds all its weights, also those that would lie in files beside it.

    Raises:
        OptionError: psi is not a finite number.
    """

    noise: NoiseMode = "const"
    truncation_psi: float = 1.0
    single_file: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.truncation_psi):
            raise OptionError(f"psi must be a finite number, found {self.truncation_psi}")

    def noise_mode(self, spec: GeneratorSpec) -> NoiseMode:
        """How the graphs of this generator take noise."""
        return self.noise if noise_shapes(spec) else "none"


def mapping_inputs(spec: GeneratorSpec) -> dict[str, Shape]:
    """Names and shapes of the mapping's inputs."""
    return {**latent_inputs(spec), "truncation_psi": (None, spec.num_ws)}


def synthesis_inputs(spec: GeneratorSpec, options: ExportOptions) -> dict[str, Shape]:
    """Names and shapes of the synthesis' inputs."""
    latents: dict[str, Shape] = {"ws": (None, spec.num_ws, spec.w_dim)} if spec.has_w_space else latent_inputs(spec)
    scale: dict[str, Shape] = {"noise_scale": (None,)} if options.noise_mode(spec) == "const" else {}
    return {**latents, **scale, **further_inputs(spec, options)}


def further_inputs(spec: GeneratorSpec, options: ExportOptions) -> dict[str, Shape]:
    """Names and shapes of what the synthesis takes beside latents, also where it is part of the whole."""
    inputs: dict[str, Shape] = {name: (None, *value.shape) for name, value in extra_inputs(spec).items()}
    if options.noise_mode(spec) in ("random", "input"):
        inputs |= {name: (None, *shape) for name, shape in noise_shapes(spec).items()}
    return inputs


def latent_inputs(spec: GeneratorSpec) -> dict[str, Shape]:
    """Names and shapes of z and c."""
    inputs: dict[str, Shape] = {"z": (None, spec.z_dim)}
    return {**inputs, "c": (None, spec.c_dim)} if spec.c_dim else inputs


def metadata(generator: Generator | GraphModel, options: ExportOptions) -> dict[str, str]:
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
