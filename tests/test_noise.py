"""Noise given to the graphs: drawn from each seed after its z, the same in every interpreter, or the caller's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.generators import Arrays, make_generator, oracle_outputs, stylegan2_spec
from support.interpreters import assert_close, relative_error, run_numpy, run_tensorflow

from ganexport.architectures import noise_shapes, stylegan, weight_shapes
from ganexport.bundle import check_files, open_bundle
from ganexport.convert import ConvertOptions, convert
from ganexport.errors import OptionError
from ganexport.exporters import ExportOptions
from ganexport.generator import Generator
from ganexport.latents import noise_from_seeds, one_hot
from ganexport.pictures import to_uint8
from ganexport.play import Studio, walk
from ganexport.runtimes.onnxruntime import OnnxSession
from ganexport.verify import verify
from ganexport.weights import hash_tensors

LAYERS = {"b4.conv1": 4, "b8.conv0": 8, "b8.conv1": 8, "b16.conv0": 16, "b16.conv1": 16}


def stylegan_spec() -> stylegan.Spec:
    return stylegan.Spec(
        resolution=8, image_channels=1, z_dim=6, w_dim=5, channels=(6, 4), mapping_layers=1, mapping_width=5
    )


def with_stored_noise(generator: Generator, noise: Arrays, picture: int) -> Generator:
    """The generator that has one picture's noise as its stored noise."""
    weights = dict(generator.weights)
    for name, array in noise.items():
        weights[f"synthesis.{name.removeprefix('noise.')}.noise_const"] = array[picture, 0].astype(np.float32)
    changed = generator.provenance.model_copy(update={"weights_sha256": hash_tensors(weights)})
    return replace(generator, weights=weights, provenance=changed)


def expected_pictures(generator: Generator, feeds: Arrays, noise: Arrays) -> np.ndarray:
    """By the straight-line oracle, picture by picture, with the noise as stored noise."""
    pictures = []
    for i in range(len(feeds["z"])):
        one = {name: array[i : i + 1] for name, array in feeds.items()} | {"noise_scale": np.ones(1)}
        pictures.append(oracle_outputs(with_stored_noise(generator, noise, i), one)["image"])
    return np.concatenate(pictures)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return make_generator(stylegan2_spec())


@pytest.fixture(scope="module")
def bundle(generator: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noise") / "random"
    convert(generator, folder, ConvertOptions(export=ExportOptions(noise="random")))
    return folder


def feeds_at(psi: float, seeds: list[int], labels: list[int]) -> Arrays:
    z = np.concatenate([np.random.RandomState(seed).randn(1, 8) for seed in seeds]).astype(np.float32)
    return {"z": z, "c": one_hot(labels, 3), "truncation_psi": np.full((len(seeds), 6), psi, np.float32)}


def test_names_and_shapes_are_in_layer_order() -> None:
    assert noise_shapes(stylegan2_spec()) == {f"noise.{name}": (1, size, size) for name, size in LAYERS.items()}
    assert list(noise_shapes(stylegan2_spec())) == [f"noise.{name}" for name in LAYERS]
    assert noise_shapes(stylegan2_spec(noise=False)) == {}
    v1 = noise_shapes(stylegan_spec())
    assert list(v1.items())[:3] == [
        ("noise.b4.conv0", (1, 4, 4)),
        ("noise.b4.conv1", (1, 4, 4)),
        ("noise.b8.conv0", (1, 8, 8)),
    ]


@pytest.mark.parametrize("spec", [stylegan2_spec(), stylegan_spec()], ids=["stylegan2", "stylegan"])
def test_every_stored_noise_can_be_given(spec: Any) -> None:
    stored = {name for name in weight_shapes(spec) if name.endswith(".noise_const")}
    assert stored == {name.replace("noise.", "synthesis.", 1) + ".noise_const" for name in noise_shapes(spec)}


def test_the_seeds_stream_goes_on_after_z() -> None:
    shapes = {"noise.a": (1, 2, 3), "noise.b": (4,)}
    got = noise_from_seeds([7, 8], 5, "normal", "normal", shapes)
    stream = np.random.RandomState(8).randn(5 + 6 + 4).astype(np.float32)
    np.testing.assert_array_equal(got["noise.a"][1].ravel(), stream[5:11])
    np.testing.assert_array_equal(got["noise.b"][1], stream[11:])
    uniform = noise_from_seeds([8], 5, "uniform", "uniform", {"noise": (3,)})["noise"][0]
    np.testing.assert_array_equal(uniform, np.random.RandomState(8).uniform(size=8)[5:].astype(np.float32))


@pytest.mark.parametrize("run", [run_numpy, run_tensorflow])
def test_interpreters_draw_given_noise(run: Any, generator: Generator) -> None:
    feeds = feeds_at(0.7, [3, 4, 5], [0, 2, 1])
    noise = noise_from_seeds([3, 4, 5], 8, "normal", "normal", noise_shapes(generator.spec))
    expected = expected_pictures(generator, feeds, noise)
    (got,) = run(generator, [feeds | noise])
    assert relative_error(got["image"], expected) <= 1e-4


def test_given_noise_has_a_strength_for_each_channel_in_stylegan() -> None:
    generator = make_generator(stylegan_spec())
    z = np.random.RandomState(1).randn(2, 6).astype(np.float32)
    feeds = {"z": z, "truncation_psi": np.ones((2, 4), np.float32)}
    noise = noise_from_seeds([1, 2], 6, "normal", "normal", noise_shapes(generator.spec))
    stored = [with_stored_noise(generator, noise, i) for i in range(2)]
    halves = [{name: array[i : i + 1] for name, array in feeds.items()} for i in range(2)]
    ones = {"noise_scale": np.ones(1, np.float32)}
    expected = np.concatenate([run_numpy(s, [h | ones])[0]["image"] for s, h in zip(stored, halves, strict=True)])
    for run in (run_numpy, run_tensorflow):
        assert_close(run(generator, [feeds | noise])[0], {"image": expected}, 1e-4)


def test_the_bundle_draws_noise_from_the_seed(bundle: Path, generator: Generator) -> None:
    opened = open_bundle(bundle)
    assert opened.manifest.defaults.noise_mode == "random"
    assert {r.status for r in opened.manifest.parity} == {"ok"}
    assert {r.runtime for r in opened.manifest.parity} == {"onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm"}
    got = opened.generate([3, 4], 1, 0.7)
    noise = noise_from_seeds([3, 4], 8, "normal", "normal", noise_shapes(generator.spec))
    expected = to_uint8(expected_pictures(generator, feeds_at(0.7, [3, 4], [1, 1]), noise), (-1.0, 1.0))
    assert np.abs(got.astype(int) - expected.astype(int)).max() <= 1
    assert (got != opened.generate([3, 4], 1, 0.7, noise="none")).any()
    np.testing.assert_array_equal(got, opened.generate([3, 4], 1, 0.7, noise=noise))


def test_what_is_drawn_from_seeds_is_not_recorded(bundle: Path, tmp_path: Path) -> None:
    check_files(bundle, open_bundle(bundle).manifest)
    assert (bundle / "goldens.safetensors").stat().st_size < 80_000
    assert {r.status for r in verify(bundle)} == {"ok"}


def test_a_bundle_without_its_checkpoint_is_verified_with_the_same_noise(generator: Generator, tmp_path: Path) -> None:
    options = ConvertOptions(targets=("onnx",), export=ExportOptions(noise="input"), checkpoint=False)
    convert(generator, tmp_path / "out", options)
    assert {r.status for r in verify(tmp_path / "out")} == {"ok"}


def test_the_whole_takes_noise_too(bundle: Path) -> None:
    graph = open_bundle(bundle).manifest.targets["onnx"].generator
    assert graph is not None
    noise = [f"noise.{name}" for name in LAYERS]
    assert [t.name for t in graph.inputs] == ["z", "c", "truncation_psi", *noise]
    feeds = feeds_at(0.7, [3, 4], [1, 1])
    feeds["truncation_psi"] = feeds["truncation_psi"][:, 0]
    drawn = noise_from_seeds([3, 4], 8, "normal", "normal", {n: (1, s, s) for n, s in zip(noise, LAYERS.values())})  # noqa: B905
    got = OnnxSession(bundle / graph.file, graph).run(feeds | drawn)["images"]
    assert np.abs(got.astype(int) - open_bundle(bundle).generate([3, 4], 1, 0.7).astype(int)).max() <= 1


def test_noise_that_does_not_fit_is_refused(bundle: Path, generator: Generator, tmp_path: Path) -> None:
    opened = open_bundle(bundle)
    drawn = noise_from_seeds([1], 8, "normal", "normal", noise_shapes(generator.spec))
    with pytest.raises(OptionError, match="made for noise random or none, so const has no meaning"):
        opened.generate([1], 1, noise="const")
    with pytest.raises(OptionError, match=r"noise by name must be noise\.b4\.conv1, .*; found noise"):
        opened.generate([1], 1, noise={"noise": np.zeros(4)})
    with pytest.raises(OptionError, match=r"noise\.b8\.conv0 must be \[1, 8, 8\] or \[1, 1, 8, 8\], found \[4\]"):
        opened.generate([1], 1, noise={**drawn, "noise.b8.conv0": np.zeros(4)})
    with pytest.raises(OptionError, match="not finite"):
        opened.generate([1], 1, noise={**drawn, "noise.b8.conv0": np.full((1, 8, 8), np.nan)})
    with pytest.raises(OptionError, match="unknown input transform; this generator has no further inputs"):
        opened.generate([1], 1, inputs={"transform": np.eye(3)})
    convert(generator, tmp_path / "in", ConvertOptions(targets=("onnx",), export=ExportOptions(noise="input")))
    with pytest.raises(OptionError, match="give it by name, or one of random, none"):
        open_bundle(tmp_path / "in").generate([1], 1)


def test_a_walk_keeps_the_noise_of_its_first_keyframe(bundle: Path) -> None:
    studio = Studio(open_bundle(bundle))
    keyframes = studio.seeds([3, 4], 0)
    np.testing.assert_allclose(
        studio.draw(keyframes).astype(int), studio.bundle.generate([3, 4], 0).astype(int), atol=1
    )
    drawn = studio.draw(walk(studio, keyframes, 1))
    expected = studio.bundle.draw(studio.bundle.latents([3, 4], 0), seeds=[3, 3])
    np.testing.assert_allclose(drawn.astype(int), expected.astype(int), atol=1)
