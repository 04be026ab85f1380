"""rosinality/stylegan2-pytorch: the golden, and state dicts of our own in its layout."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import stylegan2 as oracle
from safetensors.numpy import save_file
from support.generators import oracle_settings, random_tensors, stylegan2_spec
from support.goldens import golden_arrays, golden_file
from support.imported import TOLERANCE, draw
from support.interpreters import relative_error
from support.torch_writer import Saved

from ganexport.errors import OptionError, WeightsError
from ganexport.generator import load
from ganexport.importers import ImportOptions

Arrays = dict[str, np.ndarray]


def test_golden() -> None:
    golden = golden_arrays("rosinality_8")
    generator = load(golden_file("rosinality_8.pt"))
    assert "non-commercial" in generator.provenance.licence
    assert relative_error(draw(generator, golden["z"])["ws"][:, 0], golden["w"]) <= TOLERANCE
    for key in (k for k in golden if k.startswith("img")):
        psi, noise = re.fullmatch(r"img_psi([\d.]+)_(const|none)", key).groups()  # type: ignore[union-attr]
        got = draw(generator, golden["z"], psi=float(psi), noise=noise == "const")["image"]
        assert relative_error(got, golden[key]) <= TOLERANCE, key


def state_dict(weights: Arrays, spec: Any) -> Arrays:
    """Canonical tensors under this family's names, without their gains."""
    state: Arrays = {}
    for i in range(spec.mapping_layers):
        weight = weights[f"mapping.fc{i}.weight"]
        state[f"style.{i + 1}.weight"] = weight * np.sqrt(weight.shape[1]) / 0.01
        state[f"style.{i + 1}.bias"] = weights[f"mapping.fc{i}.bias"] / 0.01
    state["input.input"] = weights["synthesis.b4.const"][None]
    taps = np.asarray(spec.resample_filter)
    kernel = 4 * np.outer(taps, taps) / taps.sum() ** 2

    def styled(source: str, target: str, gain: float, scale: float) -> None:
        state[f"{target}.conv.weight"] = weights[f"{source}.weight"][None] * scale
        affine = weights[f"{source}.affine.weight"]
        state[f"{target}.conv.modulation.weight"] = affine * np.sqrt(affine.shape[1]) / gain
        state[f"{target}.conv.modulation.bias"] = weights[f"{source}.affine.bias"] / gain

    for i in range(len(spec.channels)):
        block = f"synthesis.b{4 << i}"
        rgb = "to_rgb1" if i == 0 else f"to_rgbs.{i - 1}"
        for layer in ("conv0", "conv1") if i else ("conv1",):
            source = f"{block}.{layer}"
            index = 0 if i == 0 else 2 * i - (layer == "conv0")
            target = "conv1" if i == 0 else f"convs.{index - 1}"
            styled(source, target, 1.0, np.sqrt(weights[f"{source}.weight"][0].size))
            state[f"{target}.activate.bias"] = weights[f"{source}.bias"]
            state[f"{target}.noise.weight"] = weights[f"{source}.noise_strength"].reshape(1)
            state[f"noises.noise_{index}"] = weights[f"{source}.noise_const"][None, None]
            if layer == "conv0":
                state[f"{target}.conv.blur.kernel"] = kernel
                state[f"{rgb}.upsample.kernel"] = kernel
        styled(f"{block}.torgb", rgb, 1 / np.sqrt(weights[f"{block}.torgb.weight"].shape[1]), 1.0)
        state[f"{rgb}.bias"] = weights[f"{block}.torgb.bias"].reshape(1, -1, 1, 1)
    return {name: np.asarray(array, np.float32) for name, array in state.items()}


SPEC = stylegan2_spec(c_dim=0, w_dim=8, mapping_width=8)


@pytest.fixture
def weights() -> Arrays:
    return random_tensors(SPEC, seed=5)


def save(path: Path, tree: dict[str, Any]) -> Path:
    saved = Saved()

    def tensors(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: tensors(inner) for key, inner in value.items()}
        return saved.tensor(value) if isinstance(value, np.ndarray) else value

    path.write_bytes(saved.zip_file(tensors(tree)))
    return path


@pytest.mark.parametrize("wrapper", ["g_ema", "training", "bare", "parallel"])
def test_what_was_written_is_drawn(wrapper: str, weights: Arrays, tmp_path: Path) -> None:
    state, average = state_dict(weights, SPEC), weights["mapping.w_avg"]
    other = state_dict(random_tensors(SPEC, seed=6), SPEC)
    tree = {
        "g_ema": {"g_ema": state, "latent_avg": average[None]},
        "training": {"g": other, "g_ema": state, "d": {"convs.0.0.weight": average}, "latent_avg": average, "args": 1},
        "bare": {**state, "latent_avg": average},
        "parallel": {"g": {f"module.{k}": v for k, v in state.items()}, "latent_avg": average},
    }[wrapper]
    if wrapper == "bare":
        del tree["latent_avg"]
    generator = load(save(tmp_path / "net.pt", tree))
    if wrapper == "bare":
        assert "mean of 4096 sampled w" in generator.provenance.importer
        weights["mapping.w_avg"] = generator.weights["mapping.w_avg"]
        z = np.random.RandomState(3).randn(4096, SPEC.z_dim)
        mean = oracle.mapping(weights, z)[:, 0].mean(axis=0)
        assert np.abs(weights["mapping.w_avg"] - mean).max() < 0.1
    z = np.random.RandomState(1).randn(2, SPEC.z_dim)
    expected = oracle.generate(weights, z, truncation_psi=0.6, truncation_cutoff=3, **oracle_settings(SPEC))
    assert relative_error(draw(generator, z, psi=0.6, cutoff=3)["image"], expected) <= 1e-5


@pytest.mark.parametrize("prefix", ["", "g_ema.", "g_ema.module."])
@pytest.mark.parametrize("kind", ["safetensors", "npz"])
def test_containers_that_know_no_dict_in_a_dict(kind: str, prefix: str, weights: Arrays, tmp_path: Path) -> None:
    tensors = {f"{prefix}{k}": v for k, v in state_dict(weights, SPEC).items()}
    tensors["latent_avg"] = weights["mapping.w_avg"]
    if prefix:
        tensors |= {f"g.{k}": v for k, v in state_dict(random_tensors(SPEC, seed=6), SPEC).items()}
    path = tmp_path / f"net.{kind}"
    if kind == "npz":
        np.savez(path, **tensors)  # type: ignore[arg-type]  # arrays by name
    else:
        save_file(tensors, path)
    z = np.random.RandomState(1).randn(2, SPEC.z_dim)
    expected = oracle.generate(weights, z, truncation_psi=0.6, **oracle_settings(SPEC))
    assert relative_error(draw(load(path), z, psi=0.6)["image"], expected) <= 1e-5


def test_a_network_can_be_chosen(weights: Arrays, tmp_path: Path) -> None:
    state = state_dict(weights, SPEC)
    path = save(tmp_path / "net.pt", {"g": state, "g_ema": {k: 2 * v for k, v in state.items()}})
    const = weights["synthesis.b4.const"]
    assert np.allclose(load(path).weights["synthesis.b4.const"], 2 * const)
    assert np.allclose(load(path, ImportOptions(network="g")).weights["synthesis.b4.const"], const)
    with pytest.raises(OptionError, match="there are: g, g_ema"):
        load(path, ImportOptions(network="d"))


def test_missing_noise_is_drawn_and_said(weights: Arrays, tmp_path: Path) -> None:
    state = {k: v for k, v in state_dict(weights, SPEC).items() if not k.startswith("noises.")}
    generator = load(save(tmp_path / "net.pt", {"g_ema": state}))
    assert "noise: it was drawn" in generator.provenance.importer
    again = load(tmp_path / "net.pt")
    assert again.provenance.weights_sha256 == generator.provenance.weights_sha256


@pytest.mark.parametrize("name", ["to_rgbs.0.conv.weight", "convs.1.noise.weight", "convs.0.conv.blur.kernel"])
def test_a_missing_tensor_is_named(name: str, weights: Arrays, tmp_path: Path) -> None:
    state = state_dict(weights, SPEC)
    del state[name]
    with pytest.raises(WeightsError, match=re.escape(name)):
        load(save(tmp_path / "net.pt", {"g_ema": state}))


def test_a_surplus_tensor_is_named(weights: Arrays, tmp_path: Path) -> None:
    state = {**state_dict(weights, SPEC), "convs.0.attention": np.ones(3, np.float32)}
    with pytest.raises(WeightsError, match=r"convs\.0\.attention"):
        load(save(tmp_path / "net.pt", {"g_ema": state}))
