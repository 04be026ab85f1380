"""NVIDIA's TensorFlow pickles: goldens, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.generators import random_tensors, stylegan2_spec
from support.goldens import GOLDENS, golden_arrays, golden_file
from support.imported import TOLERANCE, draw
from support.interpreters import relative_error
from support.nvidia_tf_writer import (
    NETWORK,
    discriminator,
    network,
    progressive,
    progressive_tensors,
    stylegan,
    stylegan2,
    stylegan_tensors,
    write_pickle,
)
from support.torch_writer import Object

from ganexport.errors import CheckpointError, OptionError, WeightsError
from ganexport.generator import load
from ganexport.importers import ImportOptions

NAMES = [
    "tf_pggan_32",
    "tf_pggan_32_unfused",
    "tf_sg1_128_fused",
    "tf_sg1_32",
    "tf_sg1_32_label",
    "tf_sg2_32",
    "tf_sg2_32_resnet",
]


def test_every_golden_is_listed() -> None:
    golden_file("tf_sg2_32.pkl")
    assert sorted(path.stem for path in GOLDENS.glob("tf_*.pkl")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_goldens(name: str) -> None:
    golden = golden_arrays(name)
    generator = load(golden_file(f"{name}.pkl"))
    c = golden["c"] if golden["c"].shape[1] else None
    assert generator.spec.c_dim == golden["c"].shape[1]
    assert generator.spec.num_ws == golden.get("num_ws", generator.spec.num_ws)
    assert ("source code licence" if "sg2" in name else "CC BY-NC 4.0") in generator.provenance.licence
    recorded = golden.keys() - {"seeds", "z", "c", "num_ws"}
    assert recorded == {"img"} or len(recorded) >= 3
    for key in recorded:
        match = re.fullmatch(r"(w|ws|img)(?:_psi([\d.]+)_cut(None|\d+)(?:_(const|none))?)?", key)
        assert match is not None, key
        kind, psi, cutoff, noise = match.groups()
        cutoff = None if cutoff in ("None", None) else int(cutoff)
        drawn = draw(generator, golden["z"], c, psi=float(psi or 1), cutoff=cutoff, noise=noise != "none")
        got = drawn["image" if kind == "img" else "ws"]
        assert relative_error(got[:, 0] if kind == "w" else got, golden[key]) <= TOLERANCE, key


@pytest.mark.parametrize("name", ["tf_sg2_32", "tf_sg2_32_resnet"])
def test_the_listed_variables_are_those_that_are_read(name: str) -> None:
    with np.load(golden_file(f"{name}.names.npz"), allow_pickle=False) as listed:
        numbers = sum(int(np.prod(listed[key])) for key in listed.files if key != "lod")
    assert load(golden_file(f"{name}.pkl")).parameters == numbers


def test_the_files_own_truncation_is_told() -> None:
    assert "truncation_psi 0.7" in load(golden_file("tf_sg1_32.pkl")).provenance.importer


# ---------------------------------------------------------------------------------------- files of our own

SPEC = stylegan2_spec(c_dim=0)


def stylegan2_of(seed: int = 1, **settings: Any) -> Object:
    return stylegan2(SPEC, random_tensors(SPEC, seed), **settings)


FAMILIES = {
    "stylegan": lambda **settings: stylegan(stylegan_tensors(), **settings),
    "stylegan2": stylegan2_of,
    "progressive": lambda **settings: progressive(progressive_tensors(), **settings),
}


def refuse(path: Path, root: Any, match: str, error: type[Exception] = CheckpointError, **options: Any) -> None:
    path.write_bytes(write_pickle(root))
    with pytest.raises(error, match=match) as caught:
        load(path, ImportOptions(**options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("container", [tuple, list])
def test_networks_are_chosen_by_name(container: type, tmp_path: Path) -> None:
    path = tmp_path / "net.pkl"
    path.write_bytes(write_pickle(container([stylegan2_of(1), discriminator(), stylegan2_of(2)])))
    averages = [random_tensors(SPEC, seed)["mapping.w_avg"] for seed in (1, 2)]
    assert np.array_equal(load(path).weights["mapping.w_avg"], averages[1])
    assert np.array_equal(load(path, ImportOptions(network="G")).weights["mapping.w_avg"], averages[0])
    for wanted in ("D", "H"):
        with pytest.raises(
            CheckpointError if wanted == "D" else OptionError,
            match="built by D_basic" if wanted == "D" else "there are: G, D, Gs",
        ):
            load(path, ImportOptions(network=wanted))
    path.write_bytes(write_pickle(stylegan2_of(1)))
    assert "the file itself" in load(path).provenance.importer
    path.write_bytes(write_pickle(container([stylegan2_of(2)])))
    assert "(Gs)" in load(path).provenance.importer


def test_a_discriminator_is_no_generator(tmp_path: Path) -> None:
    refuse(tmp_path / "a", discriminator(), "the network was built by D_basic")
    refuse(tmp_path / "b", [discriminator()], "D was built by D_basic")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("attention", True),
        ("resolution", 32),
        ("resolution", "16"),
        ("num_channels", 1),
        ("latent_size", 512),
        ("label_size", 3),
        ("label_size", 10**12),
        ("label_size", "three"),
        ("normalize_latents", False),
        ("dtype", "float16"),
        ("structure", "spiral"),
    ],
)
def test_settings_that_mean_another_network(family: str, setting: str, value: Any, tmp_path: Path) -> None:
    # What a Progressive GAN says of its labels is contradicted only by the length of z.
    named = "latent_size" if (family, setting, value) == ("progressive", "label_size", 3) else setting
    refuse(tmp_path / "net.pkl", FAMILIES[family](**{setting: value}), f"{named} = ")


@pytest.mark.parametrize(
    ("family", "setting", "value"),
    [
        ("stylegan", "use_styles", False),
        ("stylegan", "const_input_layer", False),
        ("stylegan", "use_instance_norm", False),
        ("stylegan", "use_pixel_norm", True),
        ("stylegan", "nonlinearity", "relu"),
        ("stylegan", "mapping_nonlinearity", "relu"),
        ("stylegan", "mapping_lrmul", -1.0),
        ("stylegan", "mapping_layers", 8),
        ("stylegan", "dlatent_size", 512),
        ("stylegan", "blur_filter", [1, 3, 3, 1]),
        ("stylegan", "blur_filter", None),
        ("stylegan", "fused_scale", "always"),
        ("stylegan", "dlatent_broadcast", 8),
        ("stylegan2", "nonlinearity", "relu"),
        ("stylegan2", "architecture", "tree"),
        ("stylegan2", "conv_clamp", "much"),
        ("stylegan2", "conv_clamp", -3),
        ("stylegan2", "resample_kernel", "smooth"),
        ("stylegan2", "synthesis_func", "G_synthesis_other"),
        ("stylegan2", "mapping_fmaps", 512),
        ("progressive", "use_pixelnorm", False),
        ("progressive", "use_leakyrelu", False),
        ("progressive", "pixelnorm_epsilon", 1e-4),
        ("progressive", "fused_scale", False),
    ],
)
def test_settings_of_one_family(family: str, setting: str, value: Any, tmp_path: Path) -> None:
    made = FAMILIES[family]()
    for part in (made, *made.state.get("components", {}).values()):
        part.state["static_kwargs"][setting] = value
    refuse(tmp_path / "net.pkl", made, f"{setting} = ")


@pytest.mark.parametrize("family", FAMILIES)
def test_idle_settings_change_nothing(family: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pkl"
    hashes = set()
    for settings in ({}, {"fmap_max": 99, "randomize_noise": False, "style_mixing_prob": 0.5, "num_channels": 3}):
        path.write_bytes(write_pickle(FAMILIES[family](**settings)))
        hashes.add(load(path).provenance.weights_sha256)
    assert len(hashes) == 1


def test_components_must_be_known_and_agree(tmp_path: Path) -> None:
    def changed(part: str, **state: Any) -> Object:
        made = FAMILIES["stylegan2"]()
        made.state["components"][part].state.update(state)
        return made

    path = tmp_path / "net.pkl"
    refuse(path, changed("mapping", static_kwargs={"resample_kernel": [1, 2]}), "do not agree on resample_kernel")
    refuse(path, changed("mapping", build_func_name="G_mapping_fork"), "mapping was built by G_mapping_fork")
    refuse(path, changed("synthesis", version=99), "version 99")
    refuse(path, changed("synthesis", variables=None), "no list of variables")
    refuse(path, changed("synthesis", static_kwargs=[1]), "no record of its settings")
    made = FAMILIES["stylegan2"]()
    made.state["components"]["encoder"] = made.state["components"]["mapping"]
    refuse(path, made, "components .*encoder")
    del made.state["components"]["encoder"], made.state["components"]["mapping"]
    refuse(path, made, "known: mapping, synthesis")
    made.state["components"] |= {"mapping": Object(NETWORK, None)}
    refuse(path, made, "version None")
    made.state["components"]["mapping"] = 3
    refuse(path, made, "mapping of G_main is no network")
    refuse(path, network("Gs", "G_fork", {}, {}), "Gs was built by G_fork|network was built by G_fork")


VICTIMS = {
    "stylegan": [
        ("dlatent_avg", "missing"),
        ("8x8/Conv0_up/weight", "axes"),
        ("8x8/Conv1/Noise/weight", "missing"),
        ("noise3", "shape"),
        ("ToRGB_lod2/weight", "missing"),
        ("ToRGB_lod0/bias", "shape"),
        ("Dense1/bias", "nan"),
    ],
    "stylegan2": [
        ("dlatent_avg", "nan"),
        ("8x8/Conv0_up/mod_weight", "missing"),
        ("16x16/Conv1/noise_strength", "axes"),
        ("16x16/ToRGB/weight", "shape"),
        ("noise2", "axes"),
        ("Dense0/weight", "missing"),
    ],
    "progressive": [
        ("4x4/Dense/weight", "shape"),
        ("4x4/Conv/bias", "nan"),
        ("8x8/Conv0_up/weight", "axes"),
        ("16x16/Conv1/weight", "missing"),
        ("ToRGB_lod0/weight", "missing"),
    ],
}


@pytest.mark.parametrize(("family", "name", "how"), [(f, n, how) for f, cases in VICTIMS.items() for n, how in cases])
def test_variables_that_do_not_fit(family: str, name: str, how: str, tmp_path: Path) -> None:
    made = FAMILIES[family]()
    for part in (made, *made.state.get("components", {}).values()):
        variables = part.state["variables"]
        for i, array in [(i, np.array(array)) for i, (found, array) in enumerate(variables) if found == name]:
            if how == "missing":
                del variables[i]
                break
            if how == "nan":
                array.reshape(-1)[0] = np.nan
            variables[i] = (name, array[None] if how == "axes" else array[:-1] if how == "shape" else array)
    told = {
        "missing": f"no variable .*{name}",
        "axes": f"{name} is .* axes",
        "shape": "is .*expected|not what its names say|variables are for|cannot be drawn",
        "nan": "not finite",
    }
    refuse(tmp_path / "net.pkl", made, told[how], CheckpointError if how == "shape" else WeightsError)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_variable_is_silently_left_over(family: str, tmp_path: Path) -> None:
    made = FAMILIES[family]()
    for part in (made, *made.state.get("components", {}).values()):
        part.state["variables"].append(("8x8/Attention/weight", np.ones((2, 2), np.float32)))
        refuse(tmp_path / "net.pkl", made, "not known: .*8x8/Attention/weight", WeightsError)
        part.state["variables"].pop()
    part.state["variables"].append(part.state["variables"][0])
    refuse(tmp_path / "net.pkl", made, "twice")
    part.state["variables"][-1] = ("text", "numbers")
    refuse(tmp_path / "net.pkl", made, "text is there twice, or is no array")
