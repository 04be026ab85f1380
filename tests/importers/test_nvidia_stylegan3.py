"""StyleGAN3 out of NVIDIA's PyTorch pickles: files of our own in that layout; for the goldens see `test_goldens`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import stylegan3 as oracle
from support.imported import draw
from support.interpreters import relative_error
from support.nvidia_stylegan3_writer import stylegan3_generator
from support.nvidia_writer import tensor, write_pickle
from support.stylegan3 import layer, oracle_settings, radial, stylegan3_spec, stylegan3_tensors
from support.torch_writer import Call

from ganexport.errors import CheckpointError, WeightsError
from ganexport.generator import load
from ganexport.importers import ImportOptions

SPECS: dict[str, dict[str, Any]] = {
    "t": {},
    "r": {"layers": radial(up_radial=True)},
    "labels": {"c_dim": 3, "transform": ((0.8, -0.6, 0.1), (0.6, 0.8, -0.2), (0.0, 0.0, 1.0))},
    "no-filters": {"layers": (layer(10, 12, up=1, down=1, taps=(1, 1), clamp=None),), "image_channels": 1},
    "clamped": {"rgb_clamp": 0.2},
}


@pytest.mark.parametrize(("name", "protocol"), [*((name, 4) for name in SPECS), ("labels", 2), ("t", 5)])
def test_what_was_written_is_drawn(name: str, protocol: int, tmp_path: Path) -> None:
    spec = stylegan3_spec(**SPECS[name])
    weights = stylegan3_tensors(spec, seed=3)
    path = tmp_path / "net.pkl"
    path.write_bytes(write_pickle({"G": None, "D": None, "G_ema": stylegan3_generator(spec, weights)}, protocol))
    generator = load(path)
    assert rounded(generator.spec) == rounded(spec)
    assert "non-commercial" in generator.provenance.licence
    rng = np.random.RandomState(1)
    z, c = rng.randn(2, spec.z_dim), np.eye(spec.c_dim)[[0, 2]] if spec.c_dim else None
    settings = {**oracle_settings(spec), "transform": np.asarray(spec.transform)}
    expected = oracle.generate(weights, z, c, truncation_psi=0.6, truncation_cutoff=3, **settings)
    got = draw(generator, z, c, psi=0.6, cutoff=3)["image"]
    assert relative_error(got, expected) <= 1e-5


def rounded(spec: Any) -> dict[str, Any]:
    """What passed through float32 tensors, to six places."""
    data = spec.model_dump(mode="json")
    for one in data["layers"]:
        one["input_gain"] = round(one["input_gain"], 6)
    data["transform"] = np.round(data["transform"], 6).tolist()
    return data  # type: ignore[no-any-return]


def test_kernels_are_normalised_for_each_output(tmp_path: Path) -> None:
    path = tmp_path / "net.pkl"
    spec = stylegan3_spec()
    path.write_bytes(write_pickle({"G_ema": stylegan3_generator(spec, stylegan3_tensors(spec))}))
    kernel = load(path).weights["synthesis.L1_15_5.weight"]
    np.testing.assert_allclose(np.mean(np.square(kernel, dtype=np.float64), axis=(1, 2, 3)), 1, rtol=1e-6)


# ------------------------------------------------------------------------------------------------- refusals


def state_of(generator: Call) -> dict[str, Any]:
    state: dict[str, Any] = generator.args[0]["state"]
    return state


def changed(*path: str, kind: str | None = None, drop: str | None = None, **settings: Any) -> dict[str, Any]:
    """A file in which one module has recorded something else; `kind` is `_buffers` or `_parameters`."""
    spec = stylegan3_spec()
    generator = stylegan3_generator(spec, stylegan3_tensors(spec))
    state = state_of(generator)
    for name in path:
        state = state_of(state["_modules"][name])
    target = state if kind is None else state[kind]
    target |= settings
    if drop is not None:
        del target[drop]
    return {"G_ema": generator}


LAYER = ("synthesis", "L1_15_5")
FIRST = ("synthesis", "input")
RGB = ("synthesis", "L3_12_3")


@pytest.mark.parametrize(
    ("root", "match"),
    [
        (changed(*LAYER, padding=[1, 2, 3, 4]), "padding .*only what is square"),
        (changed(*LAYER, padding=[1, 2]), "padding as 4 whole numbers"),
        (changed(*LAYER, padding=[0.5] * 4), "padding as 4 whole numbers"),
        (changed(*LAYER, out_size=np.asarray([15, 16])), "out_size .*only what is square"),
        (changed(*LAYER, out_size=np.asarray([16, 16])), "layer 1 makes 15 rows of 10, not 16"),
        (changed(*LAYER, up_factor=3), "layer 1 makes"),
        (changed(*LAYER, drop="up_factor"), "no record of up_factor"),
        (changed(*LAYER, is_torgb=True), "is_torgb True"),
        (changed(*LAYER, conv_clamp="no"), "not what its names say"),
        (changed(*LAYER, kind="_buffers", magnitude_ema=tensor(np.asarray(0.0))), "magnitude_ema must be a positive"),
        (
            changed(*LAYER, kind="_buffers", magnitude_ema=tensor(np.asarray(np.nan))),
            "magnitude_ema must be a positive",
        ),
        (changed(*LAYER, kind="_buffers", magnitude_ema=tensor(np.ones(2))), "2 numbers in magnitude_ema"),
        (changed(*LAYER, kind="_buffers", drop="up_filter"), "up_taps 12, only 1"),
        (changed(*LAYER, kind="_buffers", up_filter=tensor(np.ones((12, 3)))), r"up_filter of shape \[12, 3\]"),
        (changed(*LAYER, kind="_buffers", up_filter=tensor(np.ones(0))), r"up_filter of shape \[0\]"),
        (changed(*LAYER, kind="_parameters", weight=tensor(np.ones((5, 7)))), "not of four axes"),
        (changed(*LAYER, kind="_parameters", weight=tensor(np.ones((5, 7, 5, 5)))), "L1_15_5.weight is"),
        (changed(*LAYER, _modules={}), "no affine layer"),
        (changed(*RGB, padding=[1, 1, 1, 1]), "for RGB has padding"),
        (changed(*RGB, conv_kernel=3), "conv_kernel 3"),
        (changed(*FIRST, size=np.asarray([10.5, 10.5])), "size as 2 whole numbers"),
        (changed(*FIRST, bandwidth=9.0), "bandwidth 9 must be below"),
        (changed(*FIRST, kind="_buffers", transform=tensor(np.eye(2))), "transform"),
        (changed(*FIRST, kind="_buffers", transform=tensor(np.full((3, 3), np.inf))), "transform must be finite"),
        (changed("synthesis", output_scale=-1.0), "output_scale must be a positive"),
        (changed("synthesis", layer_names=["L0_10_7"]), "no record of its layer_names"),
        (changed("synthesis", layer_names=["L0_10_7", "L1_15_5", "L3_12_3"]), "not those of its layer_names"),
        (changed("synthesis", drop="layer_names"), "no record of its layer_names"),
        (changed(img_resolution=16), "the layers end at 12²"),
        (changed(num_ws=4), "num_ws must be 5"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_records_that_cannot_be_drawn_are_refused(root: dict[str, Any], match: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pkl"
    path.write_bytes(write_pickle(root))
    with pytest.raises(CheckpointError, match=match) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_no_tensor_is_silently_left_over(tmp_path: Path) -> None:
    path = tmp_path / "net.pkl"
    for where, name in ((LAYER, "noise_strength"), (FIRST, "extra"), ((*LAYER, "affine"), "scale")):
        path.write_bytes(write_pickle(changed(*where, kind="_buffers", **{name: tensor(np.ones(3))})))
        with pytest.raises(WeightsError, match=f"not known: .*{name}"):
            load(path)


def test_options_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "net.pkl"
    path.write_bytes(write_pickle(changed()))
    assert load(path, ImportOptions(image_range=(0.0, 1.0))).spec.image_range == (0.0, 1.0)
