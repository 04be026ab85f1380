"""`Encoder`: a spec with its weights, and the generator that it belongs to; one `.safetensors` file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganexport.encoders import spec_from_json, weight_shapes
from ganexport.encoders.spec import EncoderSpec
from ganexport.errors import CheckpointError, WeightsError
from ganexport.spec import short
from ganexport.weights import Tensors, check_cover, hash_tensors, read_tensors, write_tensors

__all__ = ["Encoder", "load_encoder"]

METADATA_KEY = "ganexport-encoder"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Encoder:
    """An encoder in canonical form.

    Attributes:
        spec: What goes in and what comes out.
        weights: Canonical float32 tensors, exactly those of `weight_shapes(spec)`.
        generator_sha256: Hash of the weights of the generator whose latents it finds.
        figures: What was measured when it was trained.
        training: How it was trained.

    Raises:
        WeightsError: The tensors are not exactly those that the spec calls for.
    """

    spec: EncoderSpec
    weights: Tensors
    generator_sha256: str
    figures: dict[str, float] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_cover(self.weights, weight_shapes(self.spec))

    @property
    def weights_sha256(self) -> str:
        """Hash of the canonical tensors: names, shapes and bytes."""
        return hash_tensors(self.weights)

    def save(self, path: Path, *, force: bool = True) -> None:
        """Write one `.safetensors` file, whole or not at all."""
        header = {
            "version": FORMAT_VERSION,
            "spec": self.spec.model_dump(mode="json"),
            "generator_sha256": self.generator_sha256,
            "weights_sha256": self.weights_sha256,
            "figures": self.figures,
            "training": self.training,
        }
        write_tensors(path, self.weights, {METADATA_KEY: json.dumps(header)}, force=force)


def load_encoder(path: Path) -> Encoder:
    """Read what `Encoder.save` wrote.

    Raises:
        CheckpointError: The file is missing, broken, or holds no encoder.
        SpecError: Its spec contradicts itself.
    """
    tensors, metadata = read_tensors(path)
    if METADATA_KEY not in metadata:
        raise CheckpointError(f"{path} holds no encoder; `python -m train encoder` writes one")
    try:
        header = json.loads(metadata[METADATA_KEY])
        if header["version"] != FORMAT_VERSION:
            found = short(header["version"])
            raise CheckpointError(f"{path} has encoder version {found}; this ganexport reads {FORMAT_VERSION}")
        figures = {str(name): float(value) for name, value in header["figures"].items()}
        encoder = Encoder(
            spec=spec_from_json(header["spec"]),
            weights=dict(tensors),  # type: ignore[arg-type]  # check_cover demands float32
            generator_sha256=str(header["generator_sha256"]),
            figures=figures,
            training=dict(header["training"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the header of the encoder is not complete: {short(error)}") from None
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    if encoder.weights_sha256 != header["weights_sha256"]:
        raise WeightsError(f"{path}: the tensors were changed: their hash is not the one in the header")
    return encoder
