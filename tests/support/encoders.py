"""Small encoders with random weights, and the pictures that they are shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from support.generators import Arrays
from support.random_weights import random_weights

from ganexport.encoders import EncoderSpec, residual, weight_shapes
from ganexport.encoders.encoder import Encoder
from ganexport.exporters.encoder import ENCODER_EXPORTERS
from ganexport.manifest import Graphs, TargetName
from ganexport.spec import GeneratorSpec


def residual_spec(**changes: Any) -> residual.Spec:
    """16² RGB, z on the sphere, three classes; widths are all different."""
    fields = {
        "resolution": 16,
        "image_channels": 3,
        "space": "z",
        "latent_dim": 8,
        "reach": "sphere",
        "c_dim": 3,
        "channels": (7, 6, 4),
    }
    return residual.Spec(**(fields | changes))


def make_encoder(spec: EncoderSpec, generator_sha256: str = "0" * 64) -> Encoder:
    """An encoder of random weights."""
    return Encoder(spec, random_weights(weight_shapes(spec), seed=3), generator_sha256, {"error": 0.5})


def encoder_for(generator: GeneratorSpec, generator_sha256: str) -> Encoder:
    """An encoder that fits a generator."""
    blocks = (7, 6, 4, 5, 3)[: generator.resolution.bit_length() - 2]
    return make_encoder(residual.Spec(**residual.Spec.contract(generator), channels=blocks), generator_sha256)


def pictures(spec: EncoderSpec, counts: Sequence[int] = (3, 1)) -> list[Arrays]:
    """Feeds of these batches."""
    random = np.random.default_rng(4)
    shape = (spec.image_channels, spec.resolution, spec.resolution)
    return [{"image": random.uniform(-1, 1, (n, *shape)).astype(np.float32)} for n in counts]


def graphs_of(folder: Path, encoder: Encoder, target: TargetName) -> Graphs:
    """Its graph, as runtimes replay graphs."""
    folder.mkdir(parents=True, exist_ok=True)
    return Graphs(mapping=None, synthesis=(ENCODER_EXPORTERS[target](encoder, folder),))
