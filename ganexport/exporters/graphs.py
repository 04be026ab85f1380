"""What the exporters share: the inputs of a generator's graphs, and what a graph must be able to prove."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from ganexport.architectures import carried, extra_inputs, noise_shapes
from ganexport.errors import OptionError
from ganexport.generator import Generator
from ganexport.graph_model import GraphModel
from ganexport.manifest import GraphTensor, NoiseMode
from ganexport.ops.graph import Shape, Stored, Value
from ganexport.spec import GeneratorSpec

__all__ = [
    "DEVICES",
    "Device",
    "ExportOptions",
    "Stage",
    "further_inputs",
    "latent_inputs",
    "mapping_inputs",
    "metadata",
    "picture_tensor",
    "stages",
    "synthesis_inputs",
    "tensor",
]


FIRST_PICTURE = 64
"""Size of the picture that a larger synthesis gives first; what it takes to draw it is small beside the rest."""


Device = Literal["cpu", "wasm", "webgl", "webgpu"]
"""Where graphs run: a processor, natively or in WebAssembly, or a graphics processor in a browser."""

DEVICES: tuple[Device, ...] = get_args(Device)


@dataclass(frozen=True)
class ExportOptions:
    """Choices that change the graphs.

    Attributes:
        noise: `const` keeps the stored noise, scaled by the input `noise_scale`; `none` leaves it out; with `random`
            and `input` the graphs take it as inputs, which a reader draws from the seed or asks its caller for.
        truncation_psi: Default that readers of the bundle use.
        single_file: Whether an ONNX graph holds all its weights, also those that would lie in files beside it.
        optimize_for: Where the graphs are to be fast; None for what suits most.
        stored: Weights that lie in the graphs in fewer bytes, by canonical name.

    Raises:
        OptionError: psi is not a finite number.
    """

    noise: NoiseMode = "const"
    truncation_psi: float = 1.0
    single_file: bool = False
    optimize_for: Device | None = None
    stored: Mapping[str, Stored] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.truncation_psi):
            raise OptionError(f"psi must be a finite number, found {self.truncation_psi}")

    def noise_mode(self, spec: GeneratorSpec) -> NoiseMode:
        """How the graphs of this generator take noise."""
        return self.noise if noise_shapes(spec) else "none"


def mapping_inputs(spec: GeneratorSpec) -> dict[str, Shape]:
    """Names and shapes of the mapping's inputs."""
    return {**latent_inputs(spec), "truncation_psi": (None, spec.num_ws)}


@dataclass(frozen=True)
class Stage:
    """One graph of a synthesis that is cut between blocks, or the only one.

    Attributes:
        name: Of the graph.
        resolution: Of the picture that it ends with.
        until: The same for a stage that is not the last, else None.
        inputs: Names and shapes of what is no map.
        carried: Names and shapes [C, H, W] of what it takes from the stage before.
    """

    name: str
    resolution: int
    until: int | None
    inputs: dict[str, Shape]
    carried: dict[str, tuple[int, int, int]]


def stages(spec: GeneratorSpec, options: ExportOptions) -> tuple[Stage, ...]:
    """How the synthesis is cut: a first picture, then the rest; one stage for what is small or cannot be cut."""
    inputs, resolution = synthesis_inputs(spec, options), spec.resolution
    cut = carried(spec, FIRST_PICTURE) if resolution > FIRST_PICTURE else {}
    if not cut:
        return (Stage("synthesis", resolution, None, inputs, {}),)
    early = {name: shape for name, shape in inputs.items() if _block(name) <= FIRST_PICTURE}
    late = {name: shape for name, shape in inputs.items() if name not in early or not _block(name)}
    return (
        Stage("synthesis.0", FIRST_PICTURE, FIRST_PICTURE, early, {}),
        Stage("synthesis.1", resolution, None, late, cut),
    )


def _block(name: str) -> int:
    """Size of the block that an input belongs to, as 8 in `noise.b8.conv0`; 0 for what all of them take."""
    parts = name.split(".")
    return int(parts[1][1:]) if len(parts) == 3 else 0


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
