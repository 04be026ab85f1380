"""NVIDIA's TensorFlow pickles, written by our own writer: what is drawn is what the oracles draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import progressive as progressive_oracle
from oracles import stylegan as stylegan_oracle
from oracles import stylegan2 as stylegan2_oracle
from support.generators import NON_SEPARABLE, make_generator, oracle_outputs, random_tensors, stylegan2_spec
from support.imported import draw
from support.interpreters import assert_close, random_cases, relative_error, run_onnxruntime, run_tensorflow
from support.nvidia_tf_writer import (
    progressive,
    progressive_tensors,
    stylegan,
    stylegan2,
    stylegan_tensors,
    write_pickle,
)
from support.random_weights import random_weights
from support.replays import replay_tfjs

from ganexport.architectures import stylegan2 as stylegan2_architecture
from ganexport.errors import CheckpointError, OptionError, SpecError
from ganexport.generator import Generator, load
from ganexport.importers import ImportOptions
from ganexport.parity.tolerances import relative_tolerance

Arrays = dict[str, np.ndarray]

# Of float32 as it is stored; 6e-7 measured, of which the guard of z's norm (max or +) is up to 2e-7.
WRITTEN = 5e-6


def loaded(path: Path, root: Any, protocol: int = 2, **options: Any) -> Generator:
    path.write_bytes(write_pickle((root, None, root), protocol))
    return load(path, ImportOptions(**options))


def latents(z_dim: int, c_dim: int) -> tuple[np.ndarray, np.ndarray | None]:
    return np.random.RandomState(1).randn(2, z_dim), np.eye(c_dim)[[0, c_dim - 1]] if c_dim else None


def doubled(image: np.ndarray, times: int) -> np.ndarray:
    return image.repeat(2**times, axis=2).repeat(2**times, axis=3)


# --------------------------------------------------------------------------------------------------- StyleGAN

STYLEGAN: dict[str, dict[str, Any]] = {
    "plain": {},
    "labels": {"c_dim": 3},
    "grey": {"image_channels": 1, "noise": False},
    "fused": {"settings": {"fused_scale": True}},
    "unfused": {"settings": {"fused_scale": False, "structure": "linear"}},
    "unscaled": {"settings": {"wscale": False, "blur_filter": (1, 2, 1)}, "c_dim": 2},
    "fading": {"settings": {"lod": 0.4}},
    "lod-1": {"settings": {"lod": 1.0}},
    "lod-1.75": {"settings": {"lod": 1.75}, "c_dim": 2},
    "fixed": {"settings": {"structure": "fixed", "lod": 1.5}},
}


def stylegan_pair(
    path: Path, protocol: int = 2, c_dim: int = 0, settings: dict[str, Any] | None = None, **net: Any
) -> tuple[Generator, Arrays]:
    settings = dict(settings or {})
    tensors = stylegan_tensors(c_dim=c_dim, **net)
    if not net.get("noise", True):
        settings["use_noise"] = False
    return loaded(path, stylegan(tensors, truncation_psi=0.6, **settings), protocol), tensors


def stylegan_picture(
    tensors: Arrays, z: np.ndarray, c: np.ndarray | None, lod: float = 0.0, fused_from: float = 128
) -> np.ndarray:
    w = stylegan_oracle.mapping(tensors, z, c)
    ws = stylegan_oracle.truncate(tensors, w, 6, 0.6, 3)
    return stylegan_oracle.synthesis(tensors, ws, lod=lod, fused_from=fused_from)


@pytest.mark.parametrize(
    ("net", "protocol"), [(net, 2) for net in STYLEGAN] + [("labels", protocol) for protocol in (0, 1, 3, 4, 5)]
)
def test_stylegan(net: str, protocol: int, tmp_path: Path) -> None:
    generator, tensors = stylegan_pair(tmp_path / "net.pkl", protocol, **STYLEGAN[net])
    settings = STYLEGAN[net].get("settings", {})
    z, c = latents(8, STYLEGAN[net].get("c_dim", 0))
    lod = 0.0 if net == "fixed" else settings.get("lod", 0.0)
    expected = stylegan_picture(tensors, z, c, lod, 0 if net == "fused" else 128)
    assert generator.spec.resolution == 16
    assert relative_error(draw(generator, z, c, psi=0.6, cutoff=3)["image"], expected) <= WRITTEN


def test_how_kernels_are_kept_is_not_idle(tmp_path: Path) -> None:
    one, other = (stylegan_pair(tmp_path / net, **STYLEGAN[net])[0] for net in ("fused", "unfused"))
    z, _ = latents(8, 0)
    assert relative_error(draw(one, z)["image"], draw(other, z)["image"]) > 0.01


# ------------------------------------------------------------------------------------------- Progressive GAN

PROGRESSIVE: dict[str, dict[str, Any]] = {
    "plain": {},
    "labels": {"c_dim": 3},
    "unfused": {"fused": False, "settings": {"fused_scale": False}, "c_dim": 2},
    "silent": {"fused": False},
    "grey": {"image_channels": 1, "settings": {"wscale": False}},
    "fading": {"settings": {"lod": 0.4}},
    "lod-2": {"settings": {"lod": 2.0}},
}


@pytest.mark.parametrize("net", PROGRESSIVE)
def test_progressive(net: str, tmp_path: Path) -> None:
    fields = dict(PROGRESSIVE[net])
    settings = fields.pop("settings", {})
    tensors = progressive_tensors(**fields)
    generator = loaded(tmp_path / "net.pkl", progressive(tensors, **settings))
    z, c = latents(8, fields.get("c_dim", 0))
    expected = progressive_oracle.generate(tensors, z, c, lod=settings.get("lod", 0.0))
    assert relative_error(draw(generator, z, c)["image"], expected) <= WRITTEN


# --------------------------------------------------------------------------------------- a lower resolution


@pytest.mark.parametrize("lod", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("resolution", [4, 8, 16])
@pytest.mark.parametrize("family", ["stylegan", "progressive"])
def test_grown_networks_at_a_lower_resolution(family: str, resolution: int, lod: float, tmp_path: Path) -> None:
    """The picture is that of the level of detail at which the block is the last one, if the network got so far."""
    cut = {4: 2, 8: 1, 16: 0}[resolution]
    z, c = latents(8, 3)
    if family == "stylegan":
        tensors = stylegan_tensors(c_dim=3)
        root, expected = stylegan(tensors, lod=lod), stylegan_picture(tensors, z, c, max(lod, cut))
    else:
        tensors = progressive_tensors(c_dim=3)
        root, expected = progressive(tensors, lod=lod), progressive_oracle.generate(tensors, z, c, lod=max(lod, cut))
    generator = loaded(tmp_path / "net.pkl", root, resolution=resolution)
    image = draw(generator, z, c, psi=0.6, cutoff=3)["image"]
    assert image.shape[2:] == (resolution, resolution)
    assert relative_error(doubled(image, cut), expected) <= WRITTEN
    assert f"drawn at {resolution}²" in generator.provenance.importer


@pytest.mark.parametrize("wanted", [0, 12, 32, -4])
@pytest.mark.parametrize("family", ["stylegan", "progressive"])
def test_no_block_of_that_resolution(family: str, wanted: int, tmp_path: Path) -> None:
    root = stylegan(stylegan_tensors()) if family == "stylegan" else progressive(progressive_tensors())
    with pytest.raises(OptionError, match="choose from: 4, 8, 16"):
        loaded(tmp_path / "net.pkl", root, resolution=wanted)


def test_a_resolution_has_no_meaning_for_others(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="choose from: 16"):
        loaded(tmp_path / "net.pkl", stylegan(stylegan_tensors(), structure="fixed"), resolution=8)
    spec = stylegan2_spec(c_dim=0)
    with pytest.raises(OptionError, match="choose from: 16"):
        loaded(tmp_path / "net.pkl", stylegan2(spec, random_tensors(spec)), resolution=8)


@pytest.mark.parametrize("lod", [-0.5, 2.5, float("nan")])
def test_a_level_of_detail_that_is_none(lod: float, tmp_path: Path) -> None:
    for root in (stylegan(stylegan_tensors(), lod=lod), progressive(progressive_tensors(), lod=lod)):
        with pytest.raises(CheckpointError, match=f"lod {lod:g}"):
            loaded(tmp_path / "net.pkl", root)


# -------------------------------------------------------------------------------------------------- StyleGAN2

STYLEGAN2: dict[str, dict[str, Any]] = {
    "skip": {"c_dim": 0},
    "resnet": {"output": "resnet", "c_dim": 0, "resample_filter": (1.0, 2.0, 1.0)},
    "orig": {"output": "orig", "image_channels": 1, "c_dim": 0},
    "joint-labels": {"joint_norm": True, "embed_dim": 8},
    "ada-labels": {"embed_dim": 5, "conv_clamp": 0.5},
    "quiet": {"noise": False, "c_dim": 0, "resample_filter": NON_SEPARABLE},
}


@pytest.mark.parametrize("net", STYLEGAN2)
def test_stylegan2(net: str, tmp_path: Path) -> None:
    spec = stylegan2_spec(**STYLEGAN2[net])
    weights = random_tensors(spec, seed=3)
    generator = loaded(tmp_path / "net.pkl", stylegan2(spec, weights))
    same = {"resample_filter": generator.spec.resample_filter}  # type: ignore[attr-defined]
    assert generator.spec == spec.model_copy(update=same)
    z, c = latents(spec.z_dim, spec.c_dim)
    assert (
        relative_error(draw(generator, z, c, psi=0.6, cutoff=3)["image"], stylegan2_picture(spec, weights)) <= WRITTEN
    )


def stylegan2_picture(spec: stylegan2_architecture.Spec, weights: Arrays) -> np.ndarray:
    z, c = latents(spec.z_dim, spec.c_dim)
    settings = {"resample_filter": spec.resample_filter, "conv_clamp": spec.conv_clamp, "architecture": spec.output}
    return stylegan2_oracle.generate(weights, z, c, truncation_psi=0.6, truncation_cutoff=3, **settings)


REVISED = stylegan2_spec(output="orig", joint_norm=True, embed_dim=8)


def revised(lod: float) -> tuple[Any, Arrays]:
    """The revised network, and its canonical tensors with a to-RGB of every block."""
    weights = random_tensors(REVISED, seed=3)
    skip = stylegan2_architecture.weight_shapes(REVISED.model_copy(update={"output": "skip"}))
    to_rgbs = random_weights({n: s for n, s in skip.items() if ".torgb." in n and n not in weights}, seed=3)
    return stylegan2(REVISED, weights, to_rgbs=to_rgbs, lod=lod), weights | to_rgbs


@pytest.mark.parametrize(("lod", "resolution"), [(0.0, None), (0.0, 8), (0.0, 4), (0.6, 8), (1.0, 8), (1.3, 4)])
def test_the_revised_network_at_one_of_its_blocks(lod: float, resolution: int | None, tmp_path: Path) -> None:
    root, tensors = revised(lod)
    generator = loaded(tmp_path / "net.pkl", root, resolution=resolution)
    size = resolution or 16
    spec = stylegan2_spec(
        output="orig", joint_norm=True, embed_dim=8, resolution=size, channels=REVISED.channels[: size.bit_length() - 2]
    )
    kept = {name: tensors[name] for name in stylegan2_architecture.weight_shapes(spec)}
    assert generator.spec.num_ws == spec.num_ws
    z, c = latents(spec.z_dim, spec.c_dim)
    assert relative_error(draw(generator, z, c, psi=0.6, cutoff=3)["image"], stylegan2_picture(spec, kept)) <= WRITTEN


@pytest.mark.parametrize(("lod", "resolution", "hint"), [(0.6, None, 8), (1.0, None, 8), (1.3, 8, 4)])
def test_the_revised_network_between_blocks(lod: float, resolution: int | None, hint: int, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"G_synthesis_stylegan_revised\) .*lod {lod:g}.*: {hint} or less"):
        loaded(tmp_path / "net.pkl", revised(lod)[0], resolution=resolution)


# --------------------------------------------------------------------------- one norm over z and the label


def test_a_joint_norm_needs_labels() -> None:
    with pytest.raises(SpecError, match="joint_norm"):
        stylegan2_spec(c_dim=0, joint_norm=True)


def test_a_joint_norm_is_not_idle() -> None:
    spec = stylegan2_spec(joint_norm=True)
    weights = random_tensors(spec)
    z, c = latents(spec.z_dim, spec.c_dim)
    joint = stylegan2_oracle.mapping(weights, z, c)
    each = stylegan2_oracle.mapping({**weights, "mapping.embed.bias": np.zeros(spec.embed_dim)}, z, c)
    assert relative_error(joint, each) > 0.01


def test_a_joint_norm_in_every_runtime(tmp_path: Path) -> None:
    generator = make_generator(stylegan2_spec(joint_norm=True))
    cases = [{**case, "noise_scale": np.ones_like(case["noise_scale"])} for case in random_cases(generator.spec)]
    expected = [oracle_outputs(generator, case) for case in cases]
    outputs = {"onnxruntime-cpu": run_onnxruntime(tmp_path, generator, cases)}
    for backend in ("cpu", "wasm"):
        outputs[f"tfjs-{backend}"] = replay_tfjs(tmp_path / backend, backend, {"net": generator}, {"net": cases})["net"]
    for runtime, got in outputs.items():
        for drawn, wanted in zip(got, expected, strict=True):
            assert_close(drawn, wanted, relative_tolerance(runtime))


@pytest.mark.slow
def test_a_joint_norm_in_tensorflow() -> None:
    generator = make_generator(stylegan2_spec(joint_norm=True))
    cases = [{**case, "noise_scale": np.ones_like(case["noise_scale"])} for case in random_cases(generator.spec)]
    for got, case in zip(run_tensorflow(generator, cases), cases, strict=True):
        assert_close(got, oracle_outputs(generator, case), 1e-5)
