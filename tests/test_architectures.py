"""Every architecture, in every interpreter, against the independent oracles."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import dcgan as dcgan_oracle
from support.generators import (
    NON_SEPARABLE,
    Arrays,
    dcgan_spec,
    make_generator,
    mlp_spec,
    oracle_name,
    oracle_outputs,
    stylegan2_spec,
)
from support.interpreters import (
    assert_all_close,
    random_cases,
    relative_error,
    run_numpy,
    run_onnxruntime,
    run_tensorflow,
    tfjs_fixture,
)
from support.replays import replay_tfjs

from ganexport.architectures import ARCHITECTURES, module_of, spec_from_json, weight_shapes
from ganexport.errors import SpecError
from ganexport.exporters import EXPORTERS
from ganexport.generator import Generator
from ganexport.ops.protocol import fir_taps
from ganexport.parity.tolerances import relative_tolerance
from ganexport.runtimes import RUNTIMES

# max |got - oracle| / max |oracle|. Measured at worst, over all nets and tensors here:
#   NumPy 6e-8, since the package guards a norm by max(x, eps) and the oracle, as published, by x + eps;
#   TensorFlow 1.2e-6, ONNX Runtime 9e-7, TF.js cpu 1.0e-6 and wasm 1.7e-6.
EXACT = 1e-6
TENSORFLOW = 1e-5

FIRS = {"3tap": (1.0, 2.0, 1.0), "asymmetric": (1.0, 2.0, 5.0, 0.5), "2d": NON_SEPARABLE}


# --------------------------------------------------------------------------------------- the nets of these tests


def stylegan2_nets() -> dict[str, Any]:
    """A spec for every choice that changes the arithmetic; the clamp is low enough to cut."""
    specs = {}
    choices = itertools.product(("skip", "resnet", "orig"), FIRS, (0, 3), (None, 0.8), (True, False))
    for output, fir, c_dim, clamp, noise in choices:
        flags = [f"c{c_dim}", "clamp" if clamp else "free", "noise" if noise else "quiet"]
        specs["-".join([output, fir, *flags])] = stylegan2_spec(
            output=output, resample_filter=FIRS[fir], c_dim=c_dim, conv_clamp=clamp, noise=noise, channels=(6, 5, 4)
        )
    for taps in ((1.0, 1.0), (1.0, 4.0, 6.0, 3.0, 2.0), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), (0.0, 1.0, 0.0, 0.0)):
        specs[f"skip-{len(taps)}taps-{taps[-1]:.0f}"] = stylegan2_spec(resample_filter=taps, channels=(6, 5, 4))
    specs["skip-8x8-1layer"] = stylegan2_spec(resolution=8, channels=(3, 2), mapping_layers=1)
    specs["resnet-grey"] = stylegan2_spec(output="resnet", image_channels=1, c_dim=0, channels=(6, 5, 4))
    specs["skip-4x4"] = stylegan2_spec(resolution=4, channels=(3,), image_channels=4)
    return specs


def dcgan_nets() -> dict[str, Any]:
    """Layers as in PyTorch's tutorial, and windows of every other kind."""

    def layer(channels: int, kernel: int, stride: int, padding: int, activation: str = "relu") -> dict[str, Any]:
        window = {"kernel": kernel, "stride": stride, "padding": padding}
        return {"channels": channels, "activation": activation, **window}

    odd = (layer(7, 3, 1, 0), layer(6, 5, 3, 1), layer(5, 3, 2, 0), layer(1, 4, 2, 2, "linear"))  # 3, 9, 19, 36
    first_padded = (layer(7, 6, 2, 1), layer(6, 4, 2, 1), layer(3, 3, 1, 1), layer(3, 2, 2, 0, "tanh"))  # 4, 8, 8, 16
    return {
        "dcgan": dcgan_spec(),
        "dcgan-c3": dcgan_spec(c_dim=3),
        "dcgan-odd-windows": dcgan_spec(layers=odd, resolution=36, image_channels=1),
        "dcgan-first-layer-padded": dcgan_spec(c_dim=2, layers=first_padded),
        "dcgan-c3-every": dcgan_spec(c_dim=3, label_layers="every"),
        "dcgan-odd-windows-c3-every": dcgan_spec(
            c_dim=3, layers=odd, resolution=36, image_channels=1, label_layers="every"
        ),
    }


def mlp_nets() -> dict[str, Any]:
    """With and without labels, leaky and not, colour and grey."""
    return {
        "mlp": mlp_spec(),
        "mlp-c3": mlp_spec(c_dim=3, slope=0.0),
        "mlp-c3-every": mlp_spec(c_dim=3, label_layers="every"),
        "mlp-grey": mlp_spec(image_channels=1, hidden=(20,)),
    }


SPECS = {**stylegan2_nets(), **dcgan_nets(), **mlp_nets()}


@cache
def generator_of(net: str) -> Generator:
    return make_generator(SPECS[net])


@cache
def cases_of(net: str) -> list[Arrays]:
    """Feeds at batch 3 and at batch 1: another psi for every w, noise in some pictures and not in others."""
    return random_cases(SPECS[net], noise_scale=(1.0, 0.0, 1.0))


@cache
def expected_of(net: str) -> list[Arrays]:
    return [oracle_outputs(generator_of(net), feeds) for feeds in cases_of(net)]


# -------------------------------------------------------------------------------------------- is everything tested?


def test_every_architecture_target_and_runtime_is_tested() -> None:
    """Here, or in a file of its own."""
    elsewhere = {name for name in ARCHITECTURES if (Path(__file__).parent / f"test_{name}.py").exists()}
    assert {spec.architecture for spec in SPECS.values()} | elsewhere == ARCHITECTURES.keys()
    assert set(RUNTIMES) == {"onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm"}
    assert set(EXPORTERS) == {"onnx", "tfjs"}


def test_folder_is_registry() -> None:
    folder = Path(module_of("dcgan").__file__ or "").parent
    assert sorted(p.stem for p in folder.glob("[!_]*.py")) == sorted(ARCHITECTURES)


@pytest.mark.parametrize("net", [n for n in SPECS if "clamp" in n or "noise" in n or "-c3" in n])
def test_no_choice_is_idle(net: str) -> None:
    """Clamp, noise and labels must change the picture, or the tests below would not see them."""
    generator, (feeds, _), (expected, _) = generator_of(net), cases_of(net), expected_of(net)
    others = {}
    if "clamp" in net:
        free = make_generator(generator.spec.model_copy(update={"conv_clamp": None}), generator.weights)
        others["clamp"] = oracle_outputs(free, feeds)
    if "-noise" in net:
        others["noise"] = oracle_outputs(generator, {**feeds, "noise_scale": 1 - feeds["noise_scale"]})
    if "-c3" in net:
        others["labels"] = oracle_outputs(generator, {**feeds, "c": feeds["c"][:, ::-1]})
    for what, other in others.items():
        assert relative_error(other["image"], expected["image"]) > 0.01, what


# ------------------------------------------------------------------------------------------- random weights, oracle


@pytest.mark.parametrize("net", SPECS)
def test_numpy_draws_the_oracles_picture(net: str) -> None:
    assert_all_close(run_numpy(generator_of(net), cases_of(net)), expected_of(net), EXACT)


@pytest.mark.parametrize("net", SPECS)
def test_onnxruntime_draws_the_oracles_picture(net: str, tmp_path: Path) -> None:
    outputs = run_onnxruntime(tmp_path, generator_of(net), cases_of(net))
    assert_all_close(outputs, expected_of(net), relative_tolerance("onnxruntime-cpu"))


tfjs_outputs = tfjs_fixture(SPECS, generator_of, cases_of)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("net", SPECS)
def test_tfjs_draws_the_oracles_picture(
    net: str, backend: str, tfjs_outputs: Callable[[str], dict[str, list[Arrays]]]
) -> None:
    assert_all_close(tfjs_outputs(backend)[net], expected_of(net), relative_tolerance(f"tfjs-{backend}"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "net", [n for n in SPECS if n.endswith(("c3-clamp-noise", "c0-free-quiet", "every")) or n.count("-") < 4]
)
def test_tensorflow_draws_the_oracles_picture(net: str) -> None:
    assert_all_close(run_tensorflow(generator_of(net), cases_of(net)), expected_of(net), TENSORFLOW)


def test_dcgan_leaky_relu_has_the_slope_of_its_layer(tmp_path: Path) -> None:
    layers = [layer.model_dump() for layer in dcgan_spec().layers]
    layers[0] |= {"activation": "leaky_relu", "slope": 0.3}
    layers[1] |= {"activation": "leaky_relu", "slope": 0.05}
    generator = make_generator(dcgan_spec(layers=layers))
    z = np.random.default_rng(0).standard_normal((2, 10)).astype(np.float32)
    x = z[:, :, None, None].astype(np.float64)
    for i, layer in enumerate(layers):
        kernel = generator.weights[f"synthesis.layer{i}.weight"].transpose(1, 0, 2, 3)  # [I, O, k, k]
        x = dcgan_oracle.conv_transpose(x, kernel, layer["stride"], layer["padding"])
        x = x + generator.weights[f"synthesis.layer{i}.bias"][:, None, None]
        x = np.tanh(x) if i == 2 else np.where(x > 0, x, layer["slope"] * x)
    assert relative_error(run_numpy(generator, [{"z": z}])[0]["image"], x) <= EXACT
    assert relative_error(run_onnxruntime(tmp_path / "o", generator, [{"z": z}])[0]["image"], x) <= 1e-4
    got = replay_tfjs(tmp_path / "t", "cpu", {"net": generator}, {"net": [{"z": z}]})["net"][0]["image"]
    assert relative_error(got, x) <= 1e-4


def test_labels_in_every_layer_change_it() -> None:
    """A label that only the last layer hears of must change the picture, or its maps were lost on the way."""
    for net in ("dcgan-c3-every", "mlp-c3-every"):
        generator, feeds = generator_of(net), cases_of(net)[0]
        deaf = dict(generator.weights)
        for name in list(deaf)[:-2:2]:
            deaf[name] = deaf[name].copy()
            deaf[name][:, -3:] = 0
        (first,), (other,) = (
            run_numpy(make_generator(generator.spec, deaf), [{**feeds, "c": np.eye(3, dtype=np.float32)[order]}])
            for order in ([0, 1, 2], [1, 2, 0])
        )
        assert relative_error(first["image"], other["image"]) > 0.01, net


def test_kernels_of_transposed_convolutions_are_outputs_first() -> None:
    shapes = weight_shapes(dcgan_spec(c_dim=2))
    assert shapes["synthesis.layer0.weight"] == (12, 12, 4, 4)  # 10 + 2 in
    assert shapes["synthesis.layer1.weight"] == (8, 12, 4, 4)
    assert oracle_name("synthesis.layer1.weight") == "layers.1.weight"


# ------------------------------------------------------------------------------------------------- names and specs


def test_an_unknown_architecture_lists_the_known_ones() -> None:
    with pytest.raises(SpecError, match=r"unknown architecture 'biggan'; known are: dcgan, .*stylegan2"):
        spec_from_json({"architecture": "biggan"})


@pytest.mark.parametrize("net", ["skip-2d-c3-clamp-noise", "resnet-grey", "dcgan-c3", "mlp-c3-every"])
def test_a_spec_survives_json(net: str) -> None:
    spec = SPECS[net]
    assert spec_from_json(spec.model_dump(mode="json")) == spec
    assert type(spec).model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("output", ["skip", "resnet", "orig"])
def test_tensors_follow_the_output(output: str) -> None:
    names = weight_shapes(stylegan2_spec(output=output)).keys()
    to_rgb = {name.split(".")[1] for name in names if name.endswith("torgb.weight")}
    assert to_rgb == ({"b4", "b8", "b16"} if output == "skip" else {"b16"})
    assert {n for n in names if ".skip." in n} == (
        {"synthesis.b8.skip.weight", "synthesis.b16.skip.weight"} if output == "resnet" else set()
    )
    assert not any("conv0" in n for n in names if ".b4." in n)


def test_filters_are_used_as_they_are_and_scaled() -> None:
    np.testing.assert_allclose(fir_taps((1, 3)), [[1 / 16, 3 / 16], [3 / 16, 9 / 16]])
    np.testing.assert_allclose(fir_taps(NON_SEPARABLE), np.asarray(NON_SEPARABLE) / 25)
