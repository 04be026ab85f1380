"""lucidrains/stylegan2-pytorch: the golden, and checkpoints of our own in its layout."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import lucidrains as oracle
from safetensors.numpy import save_file
from support.generators import Arrays
from support.goldens import golden_arrays, golden_file
from support.imported import TOLERANCE
from support.interpreters import relative_error, run_numpy
from support.lucidrains_files import LR_MLP, random_state
from support.torch_writer import Saved

from ganexport.architectures.lucidrains import Spec
from ganexport.errors import CheckpointError, OptionError, UserError, WeightsError
from ganexport.generator import Generator, load
from ganexport.importers import ImportOptions

# Folding rounds once more; 2.5e-7 measured.
CLOSE = 1e-6
SPEC = Spec(resolution=16, image_channels=3, z_dim=7, w_dim=7, channels=(12, 8, 4), mapping_layers=2)
CONFIG = {
    "image_size": 16,
    "network_capacity": 2,
    "lr_mlp": LR_MLP,
    "transparent": False,
    "fq_layers": [],
    "fq_dict_size": 256,
    "attn_layers": [],
    "no_const": False,
}


@pytest.fixture
def state() -> Arrays:
    return stored(SPEC)


def stored(spec: Spec) -> Arrays:
    """Tensors of the whole program: both pairs of networks, which differ, and a discriminator, also as wrapped."""
    averaged = {f"{k[0]}E{k[1:]}": v for k, v in random_state(spec, seed=2).items()}
    other = {f"{name}.blocks.0.net.0.weight": np.ones((4, 3, 3, 3), np.float32) for name in ("D", "D_aug.D")}
    return {**random_state(spec, seed=1), **averaged, **other}


def save(folder: Path, state: Arrays, config: Any = None, name: str = "model_3.pt") -> Path:
    saved = Saved()
    path = folder / name
    path.write_bytes(saved.zip_file({"GAN": saved.state_dict(state), "version": "1.9.0"}))
    if config is not None:
        (folder / ".config.json").write_text(
            config if isinstance(config, str) else json.dumps(config), encoding="utf-8"
        )
    return path


def draw(generator: Generator, z: np.ndarray, noise: np.ndarray, psi: float = 1.0) -> Arrays:
    psis = np.full((len(z), generator.spec.num_ws), psi)
    return run_numpy(generator, [{"z": z, "noise": noise, "truncation_psi": psis}])[0]


def expected_of(spec: Spec, z: np.ndarray, noise: np.ndarray, seed: int = 2, lr_mlp: float = LR_MLP) -> Arrays:
    state = random_state(spec, seed)
    ws = np.repeat(oracle.mapping(state, z, lr_mlp)[:, None], len(spec.channels), axis=1)
    return {"ws": ws, "image": oracle.synthesis(state, ws, noise)[-1]}


def assert_draws(generator: Generator, spec: Spec, **settings: Any) -> None:
    assert generator.spec == spec
    random = np.random.default_rng(4)
    z, noise = random.standard_normal((2, spec.z_dim)), random.random((2, spec.resolution, spec.resolution, 1))
    got, expected = draw(generator, z, noise), expected_of(spec, z, noise, **settings)
    assert relative_error(got["ws"], expected["ws"]) <= CLOSE
    assert relative_error(got["image"], expected["image"]) <= CLOSE


# --------------------------------------------------------------------------------------------------------- golden


@pytest.mark.parametrize("network", ["GE", "G", None])
def test_golden(network: str | None) -> None:
    golden = golden_arrays("lucid_64")
    generator = load(golden_file("lucid_64.pt"), ImportOptions(network=network))
    got = draw(generator, golden["z"], golden["noise"])
    assert relative_error(got["ws"][:, 0], golden["w"]) <= TOLERANCE
    assert relative_error(got["image"], golden["img"]) <= TOLERANCE
    assert "lr_mlp 0.1, as lucid_64.config.json has it" in generator.provenance.importer
    assert "under the terms of whoever trained them" in generator.provenance.licence


def test_golden_without_its_config(tmp_path: Path) -> None:
    alone = tmp_path / "lucid_64.pt"
    shutil.copyfile(golden_file("lucid_64.pt"), alone)
    generator = load(alone)
    assert "there is no config" in generator.provenance.importer
    assert generator.provenance.weights_sha256 == load(golden_file("lucid_64.pt")).provenance.weights_sha256


# -------------------------------------------------------------------------------------------------- what it can read


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"image_channels": 4},
        {"const": False},
        {"blur": False},
        {"resolution": 4, "channels": (4,), "blur": False},
        {"channels": (6, 6, 4)},
        {"mapping_layers": 1},
        {"attention": (4, 16)},
        {"attention": (8,), "const": False},
    ],
)
def test_what_was_written_is_drawn(changes: dict[str, Any], tmp_path: Path) -> None:
    fields = SPEC.model_dump(exclude={"num_ws"}) | {"channels": (8, 8, 4)} | changes
    spec = Spec(**fields)
    sizes = {"image_size": spec.resolution, "transparent": spec.image_channels == 4, "no_const": not spec.const}
    assert_draws(load(save(tmp_path, stored(spec), CONFIG | sizes)), spec)


def test_averaged_networks_are_preferred_and_others_can_be_chosen(state: Arrays, tmp_path: Path) -> None:
    path = save(tmp_path, {k: v for k, v in state.items() if not k.startswith(("SE", "GE"))})
    assert load(path).provenance.importer.startswith("lucidrains (GAN.G;")
    path = save(tmp_path, state)
    assert load(path).provenance.importer.startswith("lucidrains (GAN.GE;")
    random = np.random.default_rng(4)
    z, noise = random.standard_normal((2, 7)), random.random((2, 16, 16, 1))
    for network, seed in (("GE", 2), ("G", 1), ("GAN.G", 1)):
        got = draw(load(path, ImportOptions(network=network)), z, noise)
        assert relative_error(got["image"], expected_of(SPEC, z, noise, seed)["image"]) <= CLOSE
    with pytest.raises(OptionError, match=r"there are: GAN\.G, GAN\.GE"):
        load(path, ImportOptions(network="D"))


def test_mean_and_noise_are_drawn_from_seed_0(state: Arrays, tmp_path: Path) -> None:
    generator = load(save(tmp_path, state))
    z = np.random.RandomState(0).randn(2000, SPEC.z_dim)
    mean = oracle.mapping(random_state(SPEC, 2), z).mean(axis=0)
    assert relative_error(generator.weights["mapping.w_avg"], mean) <= CLOSE
    noise = np.random.RandomState(0).uniform(size=(16, 16))
    assert relative_error(generator.weights["synthesis.noise_const"], noise) <= CLOSE
    assert "w_avg is the mean of 2000 sampled w; noise drawn from seed 0" in generator.provenance.importer
    average = draw(generator, z[:1], noise[None, :, :, None], psi=0.0)["ws"][0]
    assert relative_error(average, np.repeat(mean[None], 3, axis=0)) <= CLOSE


@pytest.mark.parametrize("kind", ["safetensors", "npz", "flattened", "bare", "legacy"])
def test_other_containers(kind: str, state: Arrays, tmp_path: Path) -> None:
    path, saved = tmp_path / "net", Saved()
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "npz":
        with path.open("wb") as file:
            np.savez(file, **state)  # type: ignore[arg-type]  # arrays by name
    elif kind == "flattened":
        save_file({f"GAN.{name}": array for name, array in state.items()}, path)
    elif kind == "bare":
        path.write_bytes(saved.zip_file(saved.state_dict(state)))
    else:
        path.write_bytes(saved.legacy_file({"GAN": saved.state_dict(state), "version": "1.8.1"}))
    assert_draws(load(path), SPEC)


def test_an_image_range_can_be_given(state: Arrays, tmp_path: Path) -> None:
    path = save(tmp_path, state)
    assert load(path).spec.image_range == (0.0, 1.0)
    assert load(path, ImportOptions(image_range=(-1.0, 1.0))).spec.image_range == (-1.0, 1.0)


# ---------------------------------------------------------------------------------------------------- the config file


@pytest.mark.parametrize("name", ["model_3.config.json", ".config.json", "config.json"])
def test_the_config_beside_it_tells_the_rate(name: str, state: Arrays, tmp_path: Path) -> None:
    path = save(tmp_path, state)
    (tmp_path / name).write_text(json.dumps(CONFIG | {"lr_mlp": 0.25}), encoding="utf-8")
    generator = load(path)
    assert f"lr_mlp 0.25, as {name} has it" in generator.provenance.importer
    assert_draws(generator, SPEC, lr_mlp=0.25)


def test_a_config_that_is_a_link_is_refused(state: Arrays, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text(json.dumps(CONFIG))
    (tmp_path / "config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(CheckpointError, match=r"config\.json beside it is a link"):
        load(save(tmp_path, state))


def test_a_path_that_is_no_text_is_told_in_plain_characters(state: Arrays, tmp_path: Path) -> None:
    saved = Saved()
    path = tmp_path / "model.pt"
    path.write_bytes(saved.zip_file({"G\ud800\x1b[2J": saved.state_dict(state)}))
    assert "(G??[2J.GE; " in load(path).provenance.importer


def test_an_old_config_has_no_rate(state: Arrays, tmp_path: Path) -> None:
    config = {k: v for k, v in CONFIG.items() if k in ("image_size", "network_capacity", "transparent")}
    assert_draws(load(save(tmp_path, state, config)), SPEC)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (CONFIG | {"image_size": 32}, "image_size 32, but .* a network with 16"),
        (CONFIG | {"image_size": "16"}, 'image_size "16", but'),
        (CONFIG | {"transparent": True}, "transparent true, but .* with false: it belongs to another model"),
        (CONFIG | {"transparent": 0}, "transparent 0, but"),
        (CONFIG | {"no_const": True}, "no_const true, but"),
        (CONFIG | {"network_capacity": 4}, "network_capacity 4, but the tensors have"),
        (CONFIG | {"network_capacity": None}, "network_capacity null, but"),
        (CONFIG | {"network_capacity": 10**4000}, "network_capacity 1000.*…, but"),
        (CONFIG | {"lr_mlp": 0}, "lr_mlp 0, expected a number above 0"),
        (CONFIG | {"lr_mlp": float("nan")}, "lr_mlp NaN, expected"),
        (CONFIG | {"lr_mlp": True}, "lr_mlp true, expected"),
        ({"architectures": ["Other"]}, "no config of lucidrains/stylegan2-pytorch"),
        ([], "no config of lucidrains/stylegan2-pytorch"),
        ("{", "no config of lucidrains/stylegan2-pytorch"),
        ("[" * 60_000, "no config of lucidrains/stylegan2-pytorch"),
        (json.dumps(CONFIG) + " " * (1 << 16), "no config of lucidrains/stylegan2-pytorch"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(config: Any, message: str, state: Arrays, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message) as refused:
        load(save(tmp_path, state, config))
    assert ".config.json" in str(refused.value)
    assert "\n" not in str(refused.value)


# ----------------------------------------------------------------------------------------------------- what it refuses


@pytest.mark.parametrize(
    "name",
    [
        "SE.net.2.bias",
        "GE.initial_block",
        "GE.initial_conv.bias",
        "GE.blocks.0.to_rgb.upsample.1.f",
        "GE.blocks.1.to_noise2.weight",
        "GE.blocks.2.conv1.weight",
        "GE.blocks.2.to_rgb.conv.weight",
    ],
)
def test_a_missing_tensor_is_named(name: str, state: Arrays, tmp_path: Path) -> None:
    del state[name]
    with pytest.raises(
        WeightsError, match=re.escape(name[0] + name[2:]) if "blocks.2.conv1" not in name else "blocks.2"
    ):
        load(save(tmp_path, state))


@pytest.mark.parametrize("name", ["GE.blocks.1.extra", "SE.net.1.weight", "encoder.0.weight"])
def test_a_surplus_tensor_is_named(name: str, state: Arrays, tmp_path: Path) -> None:
    state[name] = np.ones(3, np.float32)
    with pytest.raises(WeightsError, match=r"1 tensors are not known to this generator: \w.*" + name.partition(".")[2]):
        load(save(tmp_path, state))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("GE.blocks.1.to_style1.weight", (12, 6), r"to_style1\.weight is \[12, 6\], expected \[12, 7\]"),
        ("GE.blocks.1.to_noise1.weight", (8, 3), r"to_noise1\.weight is \[8, 3\], expected \[8, 1\]"),
        ("GE.initial_block", (12, 4, 4), r"initial_block is \[12, 4, 4\], expected 4 axes"),
        ("GE.blocks.2.to_rgb.conv.weight", (2, 4, 1, 1), "image_channels"),
        ("SE.net.0.weight", (9, 0), r"net\.0\.weight is \[9, 0\]"),
    ],
)
def test_a_wrong_shape_is_named(name: str, shape: tuple[int, ...], message: str, state: Arrays, tmp_path: Path) -> None:
    state[name] = np.ones(shape, np.float32)
    with pytest.raises(CheckpointError, match=message):
        load(save(tmp_path, state))


def test_attention_of_early_versions_is_refused_by_name(state: Arrays, tmp_path: Path) -> None:
    state["GE.attns.2.0.fn.g"] = np.ones(1, np.float32)
    with pytest.raises(CheckpointError, match=r"early version \(G\.attns\.2\.0\.fn\.g …\): .* before 1\.8"):
        load(save(tmp_path, state))


@pytest.mark.parametrize("name", ["0.fn.norm.b", "0.fn.fn.to_kv.net.1.weight", "1.fn.fn.2.bias", "0.fn.norm.g"])
def test_a_missing_tensor_of_attention_is_named(name: str, tmp_path: Path) -> None:
    state = stored(SPEC.model_copy(update={"attention": (8, 16)}))
    del state[f"GE.attns.2.{name}"]
    with pytest.raises(WeightsError, match=r"G\.attns\.2\." + (r"0\.fn" if name == "0.fn.norm.g" else re.escape(name))):
        load(save(tmp_path, state))


def test_another_blur_is_refused(state: Arrays, tmp_path: Path) -> None:
    state["GE.blocks.1.to_rgb.upsample.1.f"] = np.asarray([1, 3, 1], np.float32)
    with pytest.raises(CheckpointError, match=r"blurred with \[1\.0, 3\.0, 1\.0\], expected \[1, 2, 1\]"):
        load(save(tmp_path, state))


def test_versions_that_calculate_otherwise_are_refused(state: Arrays, tmp_path: Path) -> None:
    early = {k: v for k, v in state.items() if "initial_conv" not in k}
    with pytest.raises(UserError, match=r"before 0\.20"):
        load(save(tmp_path, early))
