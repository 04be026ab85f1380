"""NVIDIA's PyTorch pickles: goldens, and files of our own in that layout."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import stylegan2 as oracle
from support.generators import NON_SEPARABLE, oracle_settings, random_tensors, stylegan2_spec
from support.goldens import golden_arrays, golden_file
from support.imported import TOLERANCE, draw
from support.interpreters import relative_error
from support.nvidia_writer import module, persistent, stylegan2_generator, tensor, write_pickle
from support.torch_writer import Call

from ganexport.errors import CheckpointError, OptionError, WeightsError
from ganexport.generator import load
from ganexport.importers import ImportOptions

GOLDENS = [
    "sg2ada_32",
    "sg2ada_32_cond10",
    "sg2ada_32_grey_3tap",
    "sg2ada_32_nonoise",
    "sg2ada_32_orig",
    "sg2ada_32_proto2",
    "sg2ada_32_resnet",
    "sg3_cfg_stylegan2_32",
]


@pytest.mark.parametrize("name", GOLDENS)
def test_goldens(name: str) -> None:
    golden = golden_arrays(name)
    generator = load(golden_file(f"{name}.pkl"))
    c = golden["c"] if golden["c"].shape[1] else None
    assert generator.spec.num_ws == golden["num_ws"]
    assert "non-commercial" in generator.provenance.licence
    pattern = re.compile(r"(ws|img)_psi([\d.]+)_cut(None|\d+)(?:_(const|none))?")
    cases = {key: pattern.fullmatch(key) for key in golden if key not in ("seeds", "z", "c", "num_ws")}
    assert len(cases) >= 5 and all(cases.values())
    for key, match in cases.items():
        assert match is not None
        kind, psi, cutoff, noise = match.groups()
        got = draw(
            generator,
            golden["z"],
            c,
            psi=float(psi),
            cutoff=None if cutoff == "None" else int(cutoff),
            noise=noise != "none",
        )["ws" if kind == "ws" else "image"]
        assert relative_error(got, golden[key]) <= TOLERANCE, key


# ---------------------------------------------------------------------------------------- files of our own

SPECS = {
    "labels": {},
    "skip": {"c_dim": 0},
    "resnet": {"output": "resnet", "c_dim": 0, "conv_clamp": 256.0},
    "orig": {"output": "orig", "image_channels": 1},
    "quiet": {"noise": False, "conv_clamp": 0.5, "resample_filter": NON_SEPARABLE},
}


def written(path: Path, protocol: int = 4, **changes: Any) -> tuple[Any, dict[str, np.ndarray], Path]:
    spec = stylegan2_spec(**changes)
    weights = random_tensors(spec, seed=3)
    path.write_bytes(write_pickle({"G": None, "D": None, "G_ema": stylegan2_generator(spec, weights)}, protocol))
    return spec, weights, path


@pytest.mark.parametrize(
    ("name", "protocol"), [(name, 4) for name in SPECS] + [("labels", protocol) for protocol in (0, 1, 2, 3, 5)]
)
def test_what_was_written_is_drawn(name: str, protocol: int, tmp_path: Path) -> None:
    spec, weights, path = written(tmp_path / "net.pkl", protocol, **SPECS[name])
    generator = load(path)
    same = spec.model_copy(update={"resample_filter": generator.spec.resample_filter})  # type: ignore[attr-defined]
    assert generator.spec == same
    rng = np.random.RandomState(1)
    z, c = rng.randn(2, spec.z_dim), np.eye(spec.c_dim)[[0, 2]] if spec.c_dim else None
    expected = oracle.generate(weights, z, c, truncation_psi=0.6, truncation_cutoff=3, **oracle_settings(spec))
    got = draw(generator, z, c, psi=0.6, cutoff=3)["image"]
    assert relative_error(got, expected) <= 1e-5


def state_of(generator: Call) -> dict[str, Any]:
    state: dict[str, Any] = generator.args[0]["state"]
    return state


def refuse(path: Path, root: Any, match: str, error: type[Exception] = CheckpointError, **options: Any) -> None:
    path.write_bytes(write_pickle(root))
    with pytest.raises(error, match=match) as caught:
        load(path, ImportOptions(**options))
    assert "\n" not in str(caught.value)


def test_networks_are_chosen_by_name(tmp_path: Path) -> None:
    spec = stylegan2_spec(c_dim=0)
    ema, raw = (stylegan2_generator(spec, random_tensors(spec, seed)) for seed in (1, 2))
    path = tmp_path / "net.pkl"
    path.write_bytes(write_pickle({"G": raw, "G_ema": ema}))
    assert np.allclose(load(path).weights["mapping.w_avg"], random_tensors(spec, 1)["mapping.w_avg"])
    chosen = load(path, ImportOptions(network="G"))
    assert np.allclose(chosen.weights["mapping.w_avg"], random_tensors(spec, 2)["mapping.w_avg"])
    path.write_bytes(write_pickle(ema))
    assert load(path).spec.resolution == 16
    both = {"G": raw, "G_ema": ema}
    refuse(path, both, "there are: G, G_ema", OptionError, network="H")
    refuse(path, both, "0 classes, not 4", OptionError, c_dim=4)
    assert load(path, ImportOptions(image_range=(0.0, 1.0))).spec.image_range == (0.0, 1.0)


def test_a_discriminator_is_no_generator(tmp_path: Path) -> None:
    refuse(tmp_path / "net.pkl", {"D": module("Discriminator", {}, {})}, "D is a Discriminator")


def test_records_that_cannot_be_drawn_are_refused(tmp_path: Path) -> None:
    spec = stylegan2_spec(c_dim=0)
    weights = random_tensors(spec)

    def changed(*path: str, **settings: Any) -> dict[str, Any]:
        generator = stylegan2_generator(spec, weights)
        state = state_of(generator)
        for name in path:
            state = state_of(state["_modules"][name])
        state |= settings
        return {"G_ema": generator}

    layer = ("synthesis", "b8", "conv0")
    refuse(tmp_path / "a", changed(*layer, activation="relu"), "activation 'relu'")
    refuse(tmp_path / "b", changed(*layer, up=4), "up 4")
    refuse(tmp_path / "c", changed(*layer, conv_clamp=3), "do not agree on conv_clamp")
    refuse(tmp_path / "d", changed(*layer, act_gain=1.0), "act_gain")
    refuse(tmp_path / "e", changed(*layer, use_noise=False), "not known|do not agree on use_noise", CheckpointError)
    refuse(tmp_path / "f", changed("synthesis", "b8", architecture="orig"), "architecture")
    refuse(tmp_path / "g", changed("mapping", num_layers=3), "missing mapping.fc2", WeightsError)
    refuse(tmp_path / "h", changed(img_resolution=64), "resolution")
    refuse(tmp_path / "i", changed(z_dim="many"), "z_dim")
    refuse(tmp_path / "j", changed(_modules={}), "not mapping and synthesis")


def test_no_tensor_is_silently_left_over(tmp_path: Path) -> None:
    spec = stylegan2_spec(c_dim=0)
    generator = stylegan2_generator(spec, random_tensors(spec))
    block = state_of(state_of(state_of(generator)["_modules"]["synthesis"])["_modules"]["b8"])
    block["_buffers"]["attention"] = block["_buffers"]["resample_filter"]
    block["_buffers"]["resample_filter"] = stylegan2_generator(spec, random_tensors(spec)).args[0]["state"]
    refuse(tmp_path / "a", {"G_ema": generator}, "no tensor")
    generator = stylegan2_generator(spec, random_tensors(spec))
    state = state_of(state_of(generator)["_modules"]["mapping"])
    state["_buffers"]["surplus"] = tensor(np.ones(3))
    refuse(tmp_path / "b", {"G_ema": generator}, "not known: G.mapping.surplus", WeightsError)


def test_source_within_the_pickle_never_runs(tmp_path: Path) -> None:
    root = {"G_ema": persistent("Generator", {"_modules": {}, "_parameters": {}, "_buffers": {}})}
    refuse(tmp_path / "net.pkl", root, "not mapping and synthesis")
