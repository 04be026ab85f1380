"""Weights in fewer bytes in every architecture: each kind of layer, in every runtime, held against the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.generators import dcgan_spec, make_generator, mlp_spec, stylegan2_spec
from support.stylegan3 import stylegan3_spec

from ganexport import shrink as shrinking
from ganexport.architectures import lucidrains, progressive, stylegan
from ganexport.convert import ConvertOptions
from ganexport.manifest import Storage, read_manifest
from ganexport.spec import GeneratorSpec

WIDTHS: dict[str, Any] = {"resolution": 16, "image_channels": 3, "z_dim": 8, "channels": (8, 16, 4)}
MAPPED: dict[str, Any] = {**WIDTHS, "w_dim": 8, "mapping_layers": 2}

SPECS: dict[str, GeneratorSpec] = {
    "dcgan": dcgan_spec(),
    "lucidrains": lucidrains.Spec(**MAPPED, const=False, attention=(8,)),
    "mlp": mlp_spec(),
    "progressive": progressive.Spec(**WIDTHS),
    "stylegan": stylegan.Spec(**MAPPED, mapping_width=8),
    "stylegan2": stylegan2_spec(channels=(8, 16, 4), w_dim=8, mapping_width=8),
    "stylegan3": stylegan3_spec(),
}
STORAGES: tuple[Storage, ...] = ("int9", "int16", "int10", "float16", "int12", "int8")


def motley(weights: Mapping[str, np.ndarray], _: str) -> dict[str, Storage]:
    """One storage after the other, for every tensor that one of them could be for."""
    names = [name for name, tensor in weights.items() if tensor.ndim >= 2 and not name.endswith(("_filter", ".freqs"))]
    plan = dict(zip(names, cycle(STORAGES), strict=False))
    return {name: storage if weights[name].size % 8 == 0 else "int8" for name, storage in plan.items()}


@pytest.mark.parametrize("family", SPECS)
def test_every_layer_of_every_family(
    family: str, bundle_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrinking, "plan_for", motley)
    bundle = bundle_of(make_generator(SPECS[family]), family, ConvertOptions(precision="int8"))
    manifest = read_manifest(bundle)
    assert {result.status for result in manifest.parity} == {"ok"}
    assert {result.runtime for result in manifest.parity} == {"onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm"}
    assert manifest.precision.max_grey_levels is not None
    assert manifest.precision.max_grey_levels > 0
