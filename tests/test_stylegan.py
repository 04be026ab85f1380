"""The first StyleGAN in every interpreter, against its oracle and the published networks' pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import stylegan as oracle
from support.generators import Arrays, make_generator
from support.goldens import GOLDENS, golden_arrays, golden_file
from support.interpreters import (
    assert_all_close,
    random_cases,
    relative_error,
    run_numpy,
    run_onnxruntime,
    run_tensorflow,
    tfjs_fixture,
)
from support.nvidia_tf_pickles import read_stylegan
from support.random_weights import random_weights

from ganexport.architectures import spec_from_json, synthesis, weight_shapes
from ganexport.architectures.stylegan import Spec
from ganexport.convert import convert
from ganexport.errors import SpecError
from ganexport.generator import Generator
from ganexport.ops.graph import named_weights
from ganexport.ops.numpy_ops import NumpyOps, float64_weights
from ganexport.ops.tfjs_ops import TfjsOps
from ganexport.parity.tolerances import relative_tolerance

# max |got − expected| / max |expected|. The float64 interpreter against the oracle: 2.4e-8 measured, since the package
# guards z's norm by max(x, eps) and the oracle, as published, by x + eps.
EXACT = 1e-6
# What the goldens' own float32 arithmetic leaves: 6.0e-6 measured (tf_sg1_128_fused, 2.8e-6 the others).
GOLDEN = 1e-5
TENSORFLOW = 1e-5

NAMES = ("tf_sg1_32", "tf_sg1_32_label", "tf_sg1_128_fused")
FUSED_FROM = 128
RECORDED = {"img_psi1_cutNone_const": (1.0, None), "img_psi0.7_cut8_const": (0.7, 8)}


def stylegan_spec(**changes: Any) -> Spec:
    """A 16² net; widths are all different."""
    fields: dict[str, Any] = {
        "resolution": 16,
        "image_channels": 3,
        "z_dim": 8,
        "w_dim": 7,
        "channels": (6, 5, 4),
        "mapping_layers": 2,
        "mapping_width": 9,
    }
    return Spec(**(fields | changes))


SPECS = {
    "plain": stylegan_spec(),
    "labels": stylegan_spec(c_dim=3),
    "quiet": stylegan_spec(noise=False),
    "grey-labels-quiet": stylegan_spec(c_dim=2, image_channels=1, noise=False, mapping_layers=1),
    "fading": stylegan_spec(lod=0.4),
    "lod-1": stylegan_spec(resolution=32, lod=1.0),
    "lod-2.75": stylegan_spec(resolution=64, lod=2.75, c_dim=3),
    "4x4": stylegan_spec(resolution=4, channels=(5,)),
}


# ------------------------------------------------------------------------------------------ random weights, oracle


@cache
def whole_of(net: str) -> tuple[Spec, Arrays]:
    """The net with all the blocks up to its resolution, and canonical tensors with a to-RGB for each of them."""
    spec = SPECS[net]
    channels = (*spec.channels, *[3] * int(spec.lod))
    whole = spec.model_copy(update={"channels": channels, "lod": 0.0, "num_ws": 2 * len(channels)})
    shapes = weight_shapes(whole)
    for i, count in enumerate(channels):
        shapes[f"synthesis.b{4 << i}.torgb.weight"] = (spec.image_channels, count, 1, 1)
        shapes[f"synthesis.b{4 << i}.torgb.bias"] = (spec.image_channels,)
    return whole, random_weights(shapes, seed=1)


@cache
def generator_of(net: str) -> Generator:
    _, tensors = whole_of(net)
    return make_generator(SPECS[net], {name: tensors[name] for name in weight_shapes(SPECS[net])})


def published(spec: Spec, tensors: Arrays, fused_from: int) -> Arrays:
    """Canonical tensors of all blocks as the oracle names and lays them out."""
    names = {"dlatent_avg": tensors["mapping.w_avg"]}
    if spec.c_dim:
        names["mapping/LabelConcat/weight"] = tensors["mapping.embed.weight"].T
    for i in range(spec.mapping_layers):
        names[f"mapping/Dense{i}/weight"] = tensors[f"mapping.fc{i}.weight"].T
        names[f"mapping/Dense{i}/bias"] = tensors[f"mapping.fc{i}.bias"]
    for i in range(len(spec.channels)):
        size = 4 << i
        to_rgb = f"ToRGB_lod{len(spec.channels) - 1 - i}"
        names[f"{to_rgb}/weight"] = tensors[f"synthesis.b{size}.torgb.weight"].transpose(2, 3, 1, 0)
        names[f"{to_rgb}/bias"] = tensors[f"synthesis.b{size}.torgb.bias"]
        for k, layer in enumerate(("Const", "Conv") if i == 0 else ("Conv0_up", "Conv1")):
            to, ours = f"{size}x{size}/{layer}", f"synthesis.b{size}.conv{k}"
            if layer == "Const":
                names[f"{to}/const"] = tensors["synthesis.b4.const"][None]
            else:
                turn = -1 if layer == "Conv0_up" and size >= fused_from else 1
                names[f"{to}/weight"] = tensors[f"{ours}.weight"][:, :, ::turn, ::turn].transpose(2, 3, 1, 0)
            if spec.noise:
                names[f"noise{2 * i + k}"] = tensors[f"{ours}.noise_const"][None, None]
                names[f"{to}/Noise/weight"] = tensors[f"{ours}.noise_strength"]
            names[f"{to}/bias"] = tensors[f"{ours}.bias"]
            scale, shift = ([tensors[f"{ours}.{p}.{q}"].T for q in ("weight", "bias")] for p in ("affine", "shift"))
            names[f"{to}/StyleMod/weight"] = np.concatenate([scale[0], shift[0]], axis=-1)
            names[f"{to}/StyleMod/bias"] = np.concatenate([scale[1].astype(np.float64) - 1.0, shift[1]])
    return names


@cache
def expected_of(net: str, fused_from: int = 8) -> list[Arrays]:
    """`ws` and `image` of the oracle, for each case."""
    spec, (whole, tensors) = SPECS[net], whole_of(net)
    weights = published(whole, tensors, fused_from)
    results = []
    for feeds in random_cases(spec):
        w = oracle.mapping(weights, feeds["z"], feeds.get("c"))
        psi = feeds["truncation_psi"].astype(np.float64)[:, :, None]
        ws = weights["dlatent_avg"] + psi * (w[:, None] - weights["dlatent_avg"])  # [N, num_ws, w_dim]
        results.append({"ws": ws, "image": draw(spec, weights, ws, feeds.get("noise_scale", 0.0), fused_from)})
    return results


def draw(spec: Spec, weights: Arrays, ws: np.ndarray, noise: Any, fused_from: int) -> np.ndarray:
    """The oracle's picture; blocks beyond the level of detail have a w too, of which nothing is seen."""
    unseen = np.zeros((len(ws), 2 * int(spec.lod), spec.w_dim))
    ws = np.concatenate([ws, unseen], axis=1)
    return oracle.synthesis(weights, ws, noise=noise, lod=spec.lod, fused_from=fused_from)


@pytest.mark.parametrize("net", SPECS)
def test_fused_and_unfused_kernels_draw_one_picture(net: str) -> None:
    """The claim on which the canonical form rests: a fused kernel is an unfused one, turned."""
    assert_all_close(expected_of(net, 8), expected_of(net, 1 << 20), 1e-12)


def test_no_choice_is_idle() -> None:
    feeds = random_cases(SPECS["labels"])[0]
    [drawn] = run_numpy(generator_of("labels"), [feeds])
    for changed in (
        {"noise_scale": 1 - feeds["noise_scale"]},
        {"c": feeds["c"][:, ::-1]},
        {"truncation_psi": feeds["truncation_psi"][:, ::-1]},
    ):
        [other] = run_numpy(generator_of("labels"), [{**feeds, **changed}])
        assert relative_error(other["image"], drawn["image"]) > 0.01, changed.keys()
    sharp = generator_of("fading").spec.model_copy(update={"lod": 0.9})
    [other] = run_numpy(make_generator(sharp, generator_of("fading").weights), random_cases(sharp)[:1])
    assert relative_error(other["image"], expected_of("fading")[0]["image"]) > 0.01


@pytest.mark.parametrize("net", SPECS)
def test_numpy_draws_the_oracles_picture(net: str) -> None:
    assert_all_close(run_numpy(generator_of(net), random_cases(SPECS[net])), expected_of(net), EXACT)


@pytest.mark.parametrize("net", SPECS)
def test_each_layer_takes_its_own_w(net: str) -> None:
    spec, (whole, tensors) = SPECS[net], whole_of(net)
    ws = np.random.default_rng(9).standard_normal((3, spec.num_ws, spec.w_dim))
    weights = float64_weights(generator_of(net).weights)
    got = synthesis(NumpyOps(), weights, spec, {"ws": ws, "noise_scale": np.ones(3)})
    expected = draw(spec, published(whole, tensors, 8), ws, 1.0, 8)
    assert relative_error(got["image"], expected) <= 1e-10


@pytest.mark.parametrize("net", SPECS)
def test_onnxruntime_draws_the_oracles_picture(net: str, tmp_path: Path) -> None:
    outputs = run_onnxruntime(tmp_path, generator_of(net), random_cases(SPECS[net]))
    assert_all_close(outputs, expected_of(net), relative_tolerance("onnxruntime-cpu"))


tfjs_outputs = tfjs_fixture(SPECS, generator_of, lambda net: random_cases(SPECS[net]))


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("net", SPECS)
def test_tfjs_draws_the_oracles_picture(
    net: str, backend: str, tfjs_outputs: Callable[[str], dict[str, list[Arrays]]]
) -> None:
    assert_all_close(tfjs_outputs(backend)[net], expected_of(net), relative_tolerance(f"tfjs-{backend}"))


@pytest.mark.slow
@pytest.mark.parametrize("net", SPECS)
def test_tensorflow_draws_the_oracles_picture(net: str) -> None:
    outputs = run_tensorflow(generator_of(net), random_cases(SPECS[net]))
    assert_all_close(outputs, expected_of(net), TENSORFLOW)


def test_tfjs_graphs_have_no_rank_above_4() -> None:
    generator, ops = generator_of("lod-2.75"), TfjsOps()
    spec = generator.spec
    inputs = {"ws": ops.input("ws", (None, spec.num_ws, spec.w_dim)), "noise_scale": ops.input("noise_scale", (None,))}
    assert synthesis(ops, named_weights(generator.weights), spec, inputs)["image"].shape == (None, 64, 64, 3)
    assert max(len(array) for name, array in ops.weights.items() if name.startswith("ints_")) == 4  # of a reshape


# --------------------------------------------------------------------------------------------------------- goldens


def test_every_golden_is_listed() -> None:
    golden_file("tf_sg1_32.pkl")
    assert {p.stem for p in GOLDENS.glob("tf_sg1*.pkl")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_draws_what_the_published_network_drew(name: str) -> None:
    golden, weights = golden_arrays(name), read_stylegan(golden_file(f"{name}.pkl"))
    assert golden.keys() == {"z", "c", "w", *RECORDED}
    w = oracle.mapping(weights, golden["z"], golden["c"] if golden["c"].shape[1] else None)
    assert relative_error(w, golden["w"]) <= GOLDEN
    layers = sum(key.startswith("noise") for key in weights)
    for key, (psi, cutoff) in RECORDED.items():
        image = oracle.synthesis(weights, oracle.truncate(weights, w, layers, psi, cutoff), fused_from=FUSED_FROM)
        assert relative_error(image, golden[key]) <= GOLDEN, key


# ----------------------------------------------------------------------------------------- the gate, specs and names


@pytest.mark.parametrize("net", ["labels", "quiet", "fading"])
def test_a_bundle_passes_the_gate(net: str, tmp_path: Path) -> None:
    manifest = convert(generator_of(net), tmp_path / net)
    assert {result.status for result in manifest.parity} == {"ok"}
    assert {result.runtime for result in manifest.parity} == {"onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm"}
    assert {result.tensor for result in manifest.parity} == {"weights_sha256", "ws", "image", "images"}
    cases = {case.name for case in manifest.goldens.cases}
    assert ("no-noise" in cases) == SPECS[net].noise


@pytest.mark.parametrize("net", SPECS)
def test_a_spec_survives_json(net: str) -> None:
    assert spec_from_json(SPECS[net].model_dump(mode="json")) == SPECS[net]


def test_only_blocks_that_are_seen_have_to_rgb() -> None:
    def to_rgb(net: str) -> set[str]:
        return {name.split(".")[1] for name in weight_shapes(SPECS[net]) if ".torgb.weight" in name}

    assert to_rgb("plain") == to_rgb("lod-1") == {"b16"}
    assert to_rgb("fading") == to_rgb("lod-2.75") == {"b8", "b16"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lod": 1.0}, "3 blocks at lod 1 end at 32², but the resolution is 16²"),
        ({"resolution": 4, "channels": (3,), "lod": 0.5}, "fades between two blocks, but there is only one"),
        ({"num_ws": 5}, "num_ws must be 6, found 5"),
        ({"channels": (3, 0, 3)}, "channels must be positive"),
        ({"lod": -0.5}, "lod"),
    ],
)
def test_a_spec_that_fits_nothing_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        stylegan_spec(**changes)
