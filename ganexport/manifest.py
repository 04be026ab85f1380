"""`ganexport.json`: the one contract between whoever makes a bundle and whoever reads it.

The JSON Schema of `Manifest` is generated (`python -m ganexport.manifest`) and the web side is typed from it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ganexport.errors import BundleError
from ganexport.spec import Provenance, Sha256, explain, short

__all__ = [
    "CHECKPOINT_NAME",
    "MANIFEST_NAME",
    "SCHEMA_VERSION",
    "Defaults",
    "Direction",
    "Directions",
    "Encoder",
    "FileEntry",
    "GoldenCase",
    "Goldens",
    "Graph",
    "GraphTensor",
    "Graphs",
    "Inside",
    "InsidePicture",
    "Manifest",
    "NoiseMode",
    "ParityResult",
    "Precision",
    "PrecisionChoice",
    "PrecisionName",
    "SpecSummary",
    "Storage",
    "TargetName",
    "is_bundle",
    "is_noise_input",
    "json_schema",
    "read_manifest",
]

MANIFEST_NAME = "ganexport.json"
CHECKPOINT_NAME = "checkpoint.safetensors"
SCHEMA_VERSION = 1
MAX_BYTES = 64 << 20

TargetName = Literal["onnx", "tfjs"]
NoiseMode = Literal["const", "none", "random", "input"]
Storage = Literal["float16", "int16", "int12", "int10", "int9", "int8"]
PrecisionName = Literal["float32", "float16", "int16", "int8", "mixed"]
Dimension = int | Literal["N"]


def _inside(path: str) -> str:
    """A path that stays inside the bundle, on every system."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or ":" in path or "\0" in path or ".." in parts:
        raise ValueError("must be a relative path inside the bundle")
    return path


def is_noise_input(name: str) -> bool:
    """Whether an input of this name takes noise itself, as `noise.b8.conv0` does."""
    return name == "noise" or name.startswith("noise.")


BundlePath = Annotated[str, AfterValidator(_inside)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SpecSummary(BaseModel):
    """The fields of `GeneratorSpec`; an architecture's own fields follow them and are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    architecture: str
    resolution: int = Field(ge=4, le=4096)
    image_channels: Literal[1, 3, 4]
    z_dim: int = Field(ge=1, le=65536)
    c_dim: int = Field(ge=0, le=65536)
    w_dim: int = Field(ge=0, le=65536)
    num_ws: int = Field(ge=0, le=256)
    z_distribution: Literal["normal", "uniform"]
    noise_distribution: Literal["normal", "uniform"] = "normal"
    image_range: tuple[float, float]

    @property
    def has_w_space(self) -> bool:
        """Whether a mapping network turns `z` into `ws` before the synthesis."""
        return self.num_ws > 0


class FileEntry(_Data):
    """Size and hash of one file of the bundle."""

    bytes: int = Field(ge=0)
    sha256: Sha256


class GraphTensor(_Data):
    """One input or output of a graph. `N` is the batch."""

    name: str
    shape: tuple[Dimension, ...]
    dtype: Literal["float32", "uint8"]


class Graph(_Data):
    """One graph of one target."""

    file: BundlePath = Field(description="The `.onnx` file or the TF.js `model.json`.")
    weight_files: tuple[BundlePath, ...] = Field(default=(), description="Weights that lie beside it.")
    resolution: int | None = Field(description="Of the picture that it gives, or takes; null for a mapping.")
    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]


class Graphs(_Data):
    """The graphs of one target. The stages of `synthesis` follow each other."""

    mapping: Graph | None = Field(description="z, c, truncation_psi -> ws; null without a w space.")
    synthesis: tuple[Graph, ...] = Field(min_length=1)
    generator: Graph | None = Field(default=None, description="The whole, for services (ONNX only).")

    @property
    def noise_shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes without N of the noise that the synthesis takes as inputs, in layer order."""
        noise = [tensor for stage in self.synthesis for tensor in stage.inputs if is_noise_input(tensor.name)]
        return {tensor.name: tuple(size for size in tensor.shape if size != "N") for tensor in noise}

    @property
    def previews(self) -> tuple[int, ...]:
        """Sizes of the smaller pictures that the synthesis gives on its way, the smallest first."""
        names = {tensor.name for stage in self.synthesis for tensor in stage.outputs}
        return tuple(sorted(int(name.removeprefix("rgb_b")) for name in names if re.fullmatch(r"rgb_b\d+", name)))


class Defaults(_Data):
    """What a reader of the bundle uses where the caller says nothing."""

    truncation_psi: float = 1.0
    noise_mode: NoiseMode = Field(
        description="`const` scales the stored noise by the input `noise_scale`; `random` and `input` are graphs that "
        "take the noise itself, drawn from the seed or given by the caller; `none` also when there is no noise."
    )
    inputs: dict[str, tuple[float, ...]] = Field(
        default={}, description="Value of each further input for one picture, row by row, e.g. `transform`."
    )


class PrecisionChoice(_Data):
    """One way in which the weights could be stored, and what it would cost."""

    weights: PrecisionName
    bytes: int
    mean_grey_levels: float
    high_grey_levels: float
    max_grey_levels: float


class Precision(_Data):
    """How the weights are stored, and what that costs.

    The errors are those of the goldens' pictures, drawn with these weights and with the original ones, both in float64,
    in grey levels (255 from black to white) before they are rounded to whole ones; null for float32. The goldens
    themselves are drawn with the weights as they are stored.
    """

    weights: PrecisionName = "float32"
    stored: dict[str, Storage] = Field(
        default={}, description="Storage of each canonical tensor; of those that are not named, float32."
    )
    bytes: int | None = Field(default=None, description="Of all weights as they are stored.")
    float32_bytes: int | None = Field(default=None, description="Of all weights as float32.")
    mean_grey_levels: float | None = Field(default=None, description="Mean error.")
    high_grey_levels: float | None = Field(default=None, description="Error that one value in 1000 exceeds.")
    max_grey_levels: float | None = Field(default=None, description="Greatest error.")
    choices: tuple[PrecisionChoice, ...] = Field(
        default=(), description="What was compared, in float32, where the smallest weights were looked for."
    )
    plot: BundlePath | None = Field(default=None, description="The same drawn: bytes against error.")


class ParityResult(_Data):
    """One line of the gate: a whole tensor of one case, from one runtime, against the float64 oracle."""

    target: TargetName
    runtime: str = Field(description="e.g. `onnxruntime-cpu`, `tfjs-wasm`.")
    version: str | None
    case: str
    tensor: str
    status: Literal["ok", "failed", "not verified"]
    max_abs: float | None = Field(default=None, description="Greatest |got − oracle|.")
    tolerance: float | None = Field(default=None, description="Greatest that was allowed, in the same unit.")
    reason: str | None = Field(default=None, description="Why it failed or could not be verified.")


class GoldenCase(_Data):
    """Inputs whose picture is recorded in `goldens.safetensors`.

    Tensors there: `{name}.z` [N,z_dim], `{name}.c` [N,c_dim] (only when c_dim > 0), `{name}.truncation_psi` [N,num_ws]
    (only with a w space), `{name}.noise_scale` [N] (only when the synthesis takes it), further inputs by their names,
    and `{name}.images` uint8 [N,H,W,C]. Noise that is drawn from the seeds is not recorded.
    """

    name: str
    seeds: tuple[int, ...]
    labels: tuple[int, ...] | None = Field(description="Class of each picture; null when unconditional.")
    truncation_psi: float
    truncation_cutoff: int | None = None
    noise_mode: Literal["const", "none", "random"] = "const"
    inputs: dict[str, tuple[float, ...]] = Field(
        default={}, description="Further inputs that differ from the defaults, the same for each picture."
    )


class Goldens(_Data):
    """Recorded pictures, for checking on the visitor's own device."""

    file: BundlePath
    cases: tuple[GoldenCase, ...]


class Direction(_Data):
    """A direction in the latent space: one step changes the same thing in every picture.

    Its vector in the file of directions has its name: float32 [w_dim] or [z_dim]. An amount of 1 is one standard
    deviation of the latents along it; where there are classes, of those of one class.
    """

    name: str = Field(min_length=1, description="e.g. `sefa-0`, `pca-3`, `class-7`.")
    title: str | None = Field(default=None, description="What people call it; null as long as nobody has named it.")
    method: Literal["sefa", "pca", "attribute"]
    space: Literal["w", "z"]
    layers: tuple[int, int] | None = Field(description="First ws that it moves, and one past the last; null in z.")
    range: tuple[float, float] = Field(description="Amounts within which pictures stay plausible.")
    explained: float | None = Field(default=None, description="Share of the variance, where the method knows it.")
    preview: BundlePath | None = Field(default=None, description="Pictures along it.")


class Directions(_Data):
    """Directions to move latents in."""

    file: BundlePath = Field(description="A `.safetensors` file with a vector for each.")
    items: tuple[Direction, ...]


class Encoder(_Data):
    """What finds the latents of a picture.

    Its graphs take `image`, a picture with values in `spec.image_range`: [N, C, H, W], for TF.js [N, H, W, C]. They
    give `z` [N, z_dim], or `ws` [N, num_ws, w_dim] for the synthesis; with classes also `c_logits` [N, c_dim], whose
    greatest tells the class. Where they give z, the same z under another class is that class in the picture's style.
    """

    file: BundlePath | None = Field(description="Its canonical weights; null where only its graphs are offered.")
    weights_sha256: Sha256 = Field(description="Hash of its canonical tensors, which its graphs state too.")
    space: Literal["w", "z"] = Field(description="Whether it gives `ws` or `z`.")
    graphs: dict[TargetName, Graph]
    figures: dict[str, float] = Field(default={}, description="What was measured when it was trained.")


class InsidePicture(_Data):
    """What one layer does, or how the last ones put the picture together."""

    layer: str | None = Field(description="e.g. `b16.conv1`; null for how the picture comes together.")
    text: str = Field(description="What it shows, in words.")
    picture: BundlePath


class Inside(_Data):
    """One picture of the model from within."""

    seed: int = Field(ge=0)
    label: int | None = Field(description="Its class; null when unconditional.")
    truncation_psi: float
    items: tuple[InsidePicture, ...] = Field(min_length=1)


class Manifest(_Data):
    """The whole of `ganexport.json`."""

    schema_version: Literal[1]
    name: str = Field(min_length=1)
    spec: SpecSummary
    labels: tuple[str, ...] | None = Field(description="Names of the classes, in order; null without names.")
    provenance: Provenance
    defaults: Defaults
    multiply_adds: int = Field(default=0, ge=0, description="Of one picture; 0 where they were not counted.")
    precision: Precision
    targets: dict[TargetName, Graphs]
    goldens: Goldens
    previews: tuple[int, ...] = Field(
        default=(), description="Resolutions below the full one of which the synthesis gives the picture, `rgb_b{res}`."
    )
    directions: Directions | None = None
    encoder: Encoder | None = None
    inside: tuple[Inside, ...] = Field(default=(), description="Pictures from within, layer by layer.")
    preview: BundlePath | None
    parity: tuple[ParityResult, ...]
    tools: dict[str, str] = Field(description="Versions of the programs that made the bundle.")
    files: dict[BundlePath, FileEntry] = Field(description="Every file of the bundle but this one.")

    def to_json(self) -> str:
        """Text of `ganexport.json`."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def is_bundle(folder: Path) -> bool:
    """Whether a folder looks like a bundle, readable or not."""
    return (folder / MANIFEST_NAME).is_file()


def read_manifest(folder: Path) -> Manifest:
    """Read and check `ganexport.json` of a bundle.

    Raises:
        BundleError: No manifest there, or not one that this version reads.
    """
    path = folder / MANIFEST_NAME
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is no plain file")
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise OSError("it is larger than 64 MiB")
        data = json.loads(text.decode())
    except FileNotFoundError:
        raise BundleError(f"{folder} is no bundle: it has no {MANIFEST_NAME}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read as JSON: {error}") from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise BundleError(f"{path} has schema version {short(version)}; this ganexport reads version {SCHEMA_VERSION}")
    try:
        return Manifest.model_validate(data)
    except RecursionError:
        raise BundleError(f"{path} is not a valid manifest: it is nested too deeply") from None
    except ValidationError as error:
        raise BundleError(f"{path} is not a valid manifest: {explain(error)}") from None


def json_schema() -> str:
    """JSON Schema of the manifest, as text."""
    return json.dumps(Manifest.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")
