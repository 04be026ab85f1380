"""StyleGAN3 in every interpreter, against its oracle; the oracle against the published networks' pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import stylegan3 as oracle
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
from support.nvidia_stylegan3_pickles import read_stylegan3
from support.stylegan3 import layer, oracle_outputs, radial, stylegan3_spec, stylegan3_tensors

from ganexport.architectures import extra_inputs, spec_from_json, synthesis, weight_shapes
from ganexport.convert import convert
from ganexport.errors import SpecError
from ganexport.generator import Generator
from ganexport.ops.graph import named_weights
from ganexport.ops.numpy_ops import NumpyOps, float64_weights
from ganexport.ops.tfjs_ops import TfjsOps
from ganexport.parity.tolerances import relative_tolerance
from ganexport.runtimes.browser import browser_results

# max |got − expected| / max |expected|. Measured at worst: NumPy 4.5e-8 (the package guards a norm by max(x, eps) and
# the oracle, as published, by x + eps), ONNX Runtime 1.3e-6, TF.js cpu 7.4e-7 and wasm 1.1e-6, TensorFlow 1.1e-6.
EXACT = 1e-6
# What the goldens' own float32 arithmetic leaves: 1.5e-6 measured (sg3t_32_cond5).
GOLDEN = 5e-6
TENSORFLOW = 1e-5

NAMES = ("sg3t_32", "sg3r_32", "sg3t_32_cond5")
TURNED = ((0.8, -0.6, 0.1), (0.6, 0.8, -0.2), (0.0, 0.0, 1.0))

ODD = (
    layer(10, 13, kernel=2, up=3, down=2, taps=(7, 5)),
    layer(13, 12, kernel=1, up=1, down=1, taps=(1, 1)),
)
FEW_TAPS = (layer(10, 11, up=4, down=3, taps=(2, 3)), layer(11, 12, up=3, down=4, taps=(1, 4), clamp=None))
LONG = (layer(10, 11, taps=(60, 30), clamp=None), layer(11, 12, up=1, down=1, taps=(30, 3), up_radial=True))
SHIFTED = (layer(10, 11, shift=9), layer(11, 12, shift=-9, up_radial=True, down_radial=True))

SPECS = {
    "t": stylegan3_spec(),
    "r": stylegan3_spec(layers=radial()),
    "labels": stylegan3_spec(c_dim=3, transform=TURNED),
    "grey": stylegan3_spec(image_channels=1, mapping_layers=1, rgb_clamp=0.1, layers=radial(up_radial=True)),
    "odd": stylegan3_spec(layers=ODD),
    "few-taps": stylegan3_spec(layers=FEW_TAPS),
    "shifted": stylegan3_spec(layers=SHIFTED),
    "long": stylegan3_spec(layers=LONG),
}


# ------------------------------------------------------------------------------------------ random weights, oracle


@cache
def generator_of(net: str) -> Generator:
    return make_generator(SPECS[net], stylegan3_tensors(SPECS[net]))


@cache
def expected_of(net: str) -> list[Arrays]:
    return [oracle_outputs(generator_of(net), feeds) for feeds in random_cases(SPECS[net])]


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


# ------------------------------------------------------------------------------- what the comparisons would let pass


def drawn(spec: Any, weights: Arrays, feeds: Arrays) -> np.ndarray:
    return run_numpy(make_generator(spec, weights), [feeds])[0]["image"]


@pytest.mark.parametrize("net", ["t", "r"])
def test_a_wrong_tensor_is_seen(net: str) -> None:
    spec, weights = SPECS[net], generator_of(net).weights
    feeds, expected = random_cases(spec)[1], expected_of(net)[1]["image"]
    for name, tensor in weights.items():
        if name == "mapping.w_avg":
            continue
        # Flipped, or where a flip is nothing, doubled.
        wrong = np.ascontiguousarray(np.flip(tensor)) if tensor.size > 1 else 2 * tensor
        assert relative_error(drawn(spec, {**weights, name: wrong}, feeds), expected) > 1e-3, name


@pytest.mark.parametrize(
    "change", [{"input_gain": 1.0}, {"clamp": None}, {"pad_before": 1, "pad_after": -1}], ids=lambda c: next(iter(c))
)
def test_no_setting_of_a_layer_is_idle(change: dict[str, Any]) -> None:
    spec, (_, feeds), (_, expected) = SPECS["t"], random_cases(SPECS["t"]), expected_of("t")
    added = {
        key: value + getattr(spec.layers[0], key) if key.startswith("pad") else value for key, value in change.items()
    }
    layers = (spec.layers[0].model_copy(update=added), *spec.layers[1:])
    other = drawn(spec.model_copy(update={"layers": layers}), generator_of("t").weights, feeds)
    assert relative_error(other, expected["image"]) > 1e-3


def test_no_setting_of_the_whole_is_idle() -> None:
    spec, (_, feeds), (_, expected) = SPECS["t"], random_cases(SPECS["t"]), expected_of("t")
    for change in ({"bandwidth": 0.1}, {"sampling_rate": 5.0}, {"rgb_clamp": 0.1}):
        other = drawn(spec.model_copy(update=change), generator_of("t").weights, feeds)
        assert relative_error(other, expected["image"]) > 1e-3, change
    for row, column in np.ndindex(3, 3):
        moved = feeds["transform"].copy()
        moved[:, row, column] += 0.1
        other = drawn(spec, generator_of("t").weights, {**feeds, "transform": moved})
        assert relative_error(other, expected["image"]) > 1e-4, (row, column)


def test_some_waves_fade_some_vanish_and_some_do_not() -> None:
    """Else the amplitude would go untested."""
    spec, weights = SPECS["t"], generator_of("t").weights
    lengths = np.linalg.norm(weights["synthesis.input.freqs"], axis=1)
    assert (lengths < spec.bandwidth).any()
    assert ((lengths > spec.bandwidth) & (lengths < spec.sampling_rate / 2)).any()
    vanished = spec.model_copy(update={"sampling_rate": 2 * float(np.median(lengths)), "bandwidth": 0.1})
    feeds = random_cases(vanished)[0]
    expected = oracle_outputs(make_generator(vanished, weights), feeds)["image"]
    assert relative_error(drawn(vanished, weights, feeds), expected) <= EXACT


@pytest.mark.parametrize("net", SPECS)
def test_each_layer_takes_its_own_w(net: str) -> None:
    spec, weights = SPECS[net], float64_weights(generator_of(net).weights)
    ws = np.random.default_rng(0).standard_normal((1, spec.num_ws, spec.w_dim))
    transform = np.eye(3)[None]
    images = []
    for index in range(spec.num_ws):
        other = ws.copy()
        other[:, index] += 1
        images.append(synthesis(NumpyOps(), weights, spec, {"ws": other, "transform": transform})["image"])
    assert all(relative_error(a, b) > 1e-4 for i, a in enumerate(images) for b in images[:i])


def test_a_picture_does_not_depend_on_its_neighbours() -> None:
    feeds = random_cases(SPECS["r"])[0]
    whole = run_numpy(generator_of("r"), [feeds])[0]["image"]
    alone = run_numpy(generator_of("r"), [{name: array[1:2] for name, array in feeds.items()}])[0]["image"]
    assert relative_error(alone, whole[1:2]) <= 1e-12


def test_tfjs_graphs_have_no_rank_above_4() -> None:
    for net, spec in SPECS.items():
        ops = TfjsOps()
        inputs = {
            "ws": ops.input("ws", (None, spec.num_ws, spec.w_dim)),
            "transform": ops.input("transform", (None, 3, 3)),
        }
        shape = (None, spec.resolution, spec.resolution, spec.image_channels)
        assert synthesis(ops, named_weights(generator_of(net).weights), spec, inputs)["image"].shape == shape
        assert max(len(array) for name, array in ops.weights.items() if name.startswith("ints_")) == 4  # of a reshape


def test_tfjs_filters_have_as_many_taps_as_wasm_is_fast_at() -> None:
    for net in ("t", "r", "long"):
        spec, ops = SPECS[net], TfjsOps()
        inputs = {
            "ws": ops.input("ws", (None, spec.num_ws, spec.w_dim)),
            "transform": ops.input("transform", (None, 3, 3)),
        }
        synthesis(ops, named_weights(generator_of(net).weights), spec, inputs)
        windows = {array.shape[:2] for name, array in ops.weights.items() if ".tile" in name}
        assert windows
        assert {rows * columns for rows, columns in windows} <= {3, 4, 9, 25}


# --------------------------------------------------------------------------------------------------------- goldens


def test_every_golden_is_listed() -> None:
    golden_file("sg3t_32.pkl")
    assert {p.stem for p in GOLDENS.glob("sg3[rt]_*.pkl")} == set(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_draws_what_the_published_network_drew(name: str) -> None:
    golden, (settings, weights) = golden_arrays(name), read_stylegan3(golden_file(f"{name}.pkl"))
    c = golden["c"] if golden["c"].shape[1] else None
    for key in golden:
        if (match := re.fullmatch(r"ws_psi([\d.]+)_cut(None|\d+)", key)) is None:
            continue
        psi, cutoff = float(match[1]), None if match[2] == "None" else int(match[2])
        ws = oracle.mapping(weights, golden["z"], c, truncation_psi=psi, truncation_cutoff=cutoff)
        assert relative_error(ws, golden[key]) <= GOLDEN, key
        image = oracle.synthesis(weights, ws, **settings)
        assert relative_error(image, golden[f"img{key.removeprefix('ws')}_const"]) <= GOLDEN, key
    ws = oracle.mapping(weights, golden["z"], c)[:1]
    image = oracle.synthesis(weights, ws, transform=golden["transform"], **settings)
    assert relative_error(image, golden["img_transformed"]) <= GOLDEN


# ----------------------------------------------------------------------------------------- the gate, specs and names


@pytest.mark.parametrize("net", ["labels", "r"])
def test_a_bundle_passes_the_gate(net: str, tmp_path: Path) -> None:
    manifest = convert(generator_of(net), tmp_path / net)
    assert {result.status for result in manifest.parity} == {"ok"}
    assert {result.runtime for result in manifest.parity} == {"onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm"}
    assert {result.tensor for result in manifest.parity} == {"weights_sha256", "ws", "image", "images"}


@pytest.mark.web
def test_a_browser_draws_the_oracles_picture(tmp_path: Path) -> None:
    convert(generator_of("r"), tmp_path / "r")
    results = browser_results(tmp_path / "r", ("ort-wasm", "tfjs-wasm", "tfjs-webgl"))
    assert {result.runtime for result in results} == {"ort-wasm", "tfjs-wasm", "tfjs-webgl"}
    for result in results:
        assert result.reason is None
        assert result.max_grey_levels is not None
        assert result.max_grey_levels <= 1


@pytest.mark.parametrize("net", SPECS)
def test_a_spec_survives_json(net: str) -> None:
    assert spec_from_json(SPECS[net].model_dump(mode="json")) == SPECS[net]


def test_the_recorded_transform_is_the_default() -> None:
    (name,), (value,) = zip(*extra_inputs(SPECS["labels"]).items(), strict=True)
    assert name == "transform"
    assert value.dtype == np.float32
    assert np.array_equal(value, np.asarray(TURNED, np.float32))
    assert np.array_equal(extra_inputs(SPECS["t"])["transform"], np.eye(3))


def test_layers_are_called_as_published() -> None:
    names = [name for name in weight_shapes(SPECS["r"]) if re.fullmatch(r"synthesis\.L[\d_]+\.weight", name)]
    assert names == [f"synthesis.{name}.weight" for name in ("L0_10_7", "L1_15_5", "L2_12_4", "L3_12_3")]
    shapes = weight_shapes(SPECS["r"])
    assert shapes["synthesis.L1_15_5.up_filter"] == (12,)
    assert shapes["synthesis.L1_15_5.down_filter"] == (6, 6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 16}, "the layers end at 12², but the resolution is 16²"),
        ({"input_size": 9}, "layer 0 makes 9 rows of 9, not 10"),
        ({"num_ws": 4}, "num_ws must be 5, found 4"),
        ({"bandwidth": 2.0}, "bandwidth 2 must be below half of sampling_rate 4"),
        ({"transform": ((1.0, 0.0, float("nan")), *TURNED[1:])}, "transform must be finite"),
        ({"transform": TURNED[:2]}, "transform"),
        ({"layers": ()}, "layers"),
        ({"layers": ({**layer(10, 12), "input_gain": 0.0},)}, "input_gain"),
        ({"layers": ({**layer(10, 12), "clamp": -1.0},)}, "clamp"),
        ({"layers": ({**layer(10, 12), "pad_before": -8192},)}, "layer 0 makes 0 rows of 10, not 12"),
        ({"embed_dim": 4}, "embed_dim 4 and c_dim 0"),
    ],
)
def test_a_spec_that_fits_nothing_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        stylegan3_spec(**changes)
