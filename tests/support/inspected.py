"""Small nets of every architecture, looked into once."""

from __future__ import annotations

from functools import cache
from typing import Any

from support.generators import Arrays, dcgan_spec, make_generator, stylegan2_spec
from support.stylegan3 import stylegan3_spec, stylegan3_tensors

from ganexport.architectures import lucidrains, mlp, progressive, stylegan
from ganexport.generator import Generator
from ganexport.inspect.record import Recording, record
from ganexport.manifest import GoldenCase
from ganexport.parity import feeds_of
from ganexport.spec import GeneratorSpec

PSI = 0.8
SEED = 3

SMALL: dict[str, Any] = {"resolution": 16, "image_channels": 3, "z_dim": 7, "channels": (7, 6, 4)}
MAPPED: dict[str, Any] = SMALL | {"w_dim": 7, "mapping_layers": 2}
SPECS: dict[str, GeneratorSpec] = {
    "stylegan2": stylegan2_spec(),
    "stylegan2-resnet-clamp": stylegan2_spec(output="resnet", conv_clamp=0.8, c_dim=0),
    "stylegan2-orig-grey": stylegan2_spec(output="orig", image_channels=1),
    "stylegan2-as-wide-as-a-picture": stylegan2_spec(channels=(3, 3, 3)),
    "dcgan": dcgan_spec(3),
    "dcgan-labels-everywhere": dcgan_spec(3, label_layers="every"),
    "mlp": mlp.Spec(resolution=8, image_channels=3, z_dim=7, c_dim=2, hidden=(6, 5), label_layers="every"),
    "progressive-fading": progressive.Spec(**SMALL, lod=0.4),
    "progressive-small": progressive.Spec(**(SMALL | {"resolution": 32}), lod=1.0),
    "stylegan": stylegan.Spec(**MAPPED, mapping_width=9),
    "lucidrains": lucidrains.Spec(**MAPPED, attention=(8,)),
    "stylegan3": stylegan3_spec(),
}
SKIP = "stylegan2"


@cache
def generator_of(net: str) -> Generator:
    spec = SPECS[net]
    return make_generator(spec, stylegan3_tensors(spec) if net == "stylegan3" else None)  # type: ignore[arg-type]


@cache
def feeds(net: str) -> Arrays:
    spec = SPECS[net]
    noise = "const" if getattr(spec, "noise", False) else "none"
    labels = (1,) if spec.c_dim else None
    case = GoldenCase(name="inside", seeds=(SEED,), labels=labels, truncation_psi=PSI, noise_mode=noise)
    return feeds_of(case, spec, noise)


@cache
def recording_of(net: str) -> Recording:
    return record(generator_of(net), feeds(net))
