"""Progressive GAN in every interpreter, against its oracle and the published networks' pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from oracles import progressive as oracle
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
from support.nvidia_tf_pickles import read_progressive
from support.random_weights import random_weights

from ganexport.architectures import spec_from_json, weight_shapes
from ganexport.architectures.progressive import Spec
from ganexport.convert import convert
from ganexport.errors import SpecError
from ganexport.generator import Generator
from ganexport.parity.tolerances import relative_tolerance

# max |got − expected| / max |expected|. The float64 interpreter against the oracle: 2.2e-7 measured, since the package
# guards z's norm by max(x, eps) and the oracle, as published, by x + eps.
EXACT = 1e-6
# What the goldens' own float32 arithmetic leaves: 2e-6 measured.
GOLDEN = 5e-6
# Measured: 6.5e-6 on random weights, 3e-6 on the goldens.
TENSORFLOW = 2e-5

NAMES = ("tf_pggan_32", "tf_pggan_32_unfused")


def progressive_spec(**changes: Any) -> Spec:
    """A 16² net; widths are all different."""
    fields: dict[str, Any] = {"resolution": 16, "image_channels": 3, "z_dim": 8, "channels": (6, 5, 4)}
    return Spec(**(fields | changes))


SPECS = {
    "plain": progressive_spec(),
    "labels": progressive_spec(c_dim=3),
    "grey": progressive_spec(image_channels=1, channels=(3, 5, 7)),
    "fading": progressive_spec(lod=0.4),
    "lod-1": progressive_spec(resolution=32, lod=1.0),
    "lod-2.75": progressive_spec(resolution=64, lod=2.75, c_dim=3),
    "4x4": progressive_spec(resolution=4, channels=(5,)),
}


# ------------------------------------------------------------------------------------------ random weights, oracle


@cache
def whole_of(net: str) -> tuple[Spec, Arrays]:
    """The net with all the blocks up to its resolution, and canonical tensors with a to-RGB for each of them."""
    spec = SPECS[net]
    channels = (*spec.channels, *[3] * int(spec.lod))
    whole = spec.model_copy(update={"channels": channels, "lod": 0.0})
    shapes = weight_shapes(whole)
    for i, count in enumerate(channels):
        shapes[f"synthesis.b{4 << i}.torgb.weight"] = (spec.image_channels, count, 1, 1)
        shapes[f"synthesis.b{4 << i}.torgb.bias"] = (spec.image_channels,)
    return whole, random_weights(shapes, seed=1)


@cache
def generator_of(net: str) -> Generator:
    _, tensors = whole_of(net)
    return make_generator(SPECS[net], {name: tensors[name] for name in weight_shapes(SPECS[net])})


def published(spec: Spec, tensors: Arrays, *, fused: bool) -> Arrays:
    """Canonical tensors of all blocks as the oracle names and lays them out."""
    names = {}
    for i in range(len(spec.channels)):
        size = 4 << i
        to_rgb = f"ToRGB_lod{len(spec.channels) - 1 - i}"
        names[f"{to_rgb}/weight"] = tensors[f"synthesis.b{size}.torgb.weight"].transpose(2, 3, 1, 0)
        names[f"{to_rgb}/bias"] = tensors[f"synthesis.b{size}.torgb.bias"]
        up = "Conv0_up" if fused else "Conv0"
        for k, layer in enumerate(("Dense", "Conv") if i == 0 else (up, "Conv1")):
            to, ours = f"{size}x{size}/{layer}", f"synthesis.b{size}.conv{k}"
            kernel = tensors[f"{ours}.weight"]  # [O, I, k, k]
            if layer == "Dense":
                kernel = kernel.transpose(1, 0, 2, 3).reshape(spec.z_dim + spec.c_dim, -1)
            elif layer == "Conv0_up":
                kernel = kernel[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)  # [k, k, O, I]
            else:
                kernel = kernel.transpose(2, 3, 1, 0)
            names[f"{to}/weight"] = kernel
            names[f"{to}/bias"] = tensors[f"{ours}.bias"]
    return names


@cache
def expected_of(net: str, fused: bool = True) -> list[Arrays]:
    """`image` of the oracle, for each case."""
    weights = published(*whole_of(net), fused=fused)
    lod = SPECS[net].lod
    cases = random_cases(SPECS[net])
    return [{"image": oracle.generate(weights, feeds["z"], feeds.get("c"), lod=lod)} for feeds in cases]


@pytest.mark.parametrize("net", SPECS)
def test_fused_and_unfused_kernels_draw_one_picture(net: str) -> None:
    """The claim on which the canonical form rests: a fused kernel is an unfused one, turned."""
    assert_all_close(expected_of(net, True), expected_of(net, False), 1e-12)


def test_no_choice_is_idle() -> None:
    feeds = random_cases(SPECS["labels"])[0]
    drawn, other = run_numpy(generator_of("labels"), [feeds, {**feeds, "c": feeds["c"][:, ::-1]}])
    assert relative_error(other["image"], drawn["image"]) > 0.01
    sharp = generator_of("fading").spec.model_copy(update={"lod": 0.9})
    [other] = run_numpy(make_generator(sharp, generator_of("fading").weights), random_cases(sharp)[:1])
    assert relative_error(other["image"], expected_of("fading")[0]["image"]) > 0.01


@pytest.mark.parametrize("net", SPECS)
def test_numpy_draws_the_oracles_picture(net: str) -> None:
    assert_all_close(run_numpy(generator_of(net), random_cases(SPECS[net])), expected_of(net), EXACT)


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


# --------------------------------------------------------------------------------------------------------- goldens


def test_every_golden_is_listed() -> None:
    golden_file("tf_pggan_32.pkl")
    assert {p.stem for p in GOLDENS.glob("tf_pggan*.pkl")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_draws_what_the_published_network_drew(name: str) -> None:
    golden, weights = golden_arrays(name), read_progressive(golden_file(f"{name}.pkl"))
    assert golden.keys() == {"z", "c", "img"}
    assert any("Conv0_up" in key for key in weights) == ("unfused" not in name)
    assert relative_error(oracle.generate(weights, golden["z"]), golden["img"]) <= GOLDEN


# ----------------------------------------------------------------------------------------- the gate, specs and names


@pytest.mark.parametrize("net", ["labels", "fading"])
def test_a_bundle_passes_the_gate(net: str, tmp_path: Path) -> None:
    manifest = convert(generator_of(net), tmp_path / net)
    assert {result.status for result in manifest.parity} == {"ok"}
    assert {result.runtime for result in manifest.parity} == {"onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm"}
    assert {result.tensor for result in manifest.parity} == {"weights_sha256", "image", "images"}
    assert all(graphs.mapping is None for graphs in manifest.targets.values())


@pytest.mark.parametrize("net", SPECS)
def test_a_spec_survives_json(net: str) -> None:
    assert spec_from_json(SPECS[net].model_dump(mode="json")) == SPECS[net]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lod": 1.0}, "3 blocks at lod 1 end at 32², but the resolution is 16²"),
        ({"w_dim": 8, "num_ws": 6}, "no w space"),
        ({"channels": ()}, "channels"),
    ],
)
def test_a_spec_that_fits_nothing_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        progressive_spec(**changes)
