"""Weights in fewer bytes: the same numbers in every runtime, and a manifest that says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from safetensors.numpy import load_file
from support.generators import dcgan_spec, make_generator, stylegan2_spec

from ganexport.convert import ConvertOptions
from ganexport.errors import OptionError, ParityError
from ganexport.generator import Generator
from ganexport.graph_model import GraphModel
from ganexport.manifest import MANIFEST_NAME, Manifest, PrecisionName, read_manifest
from ganexport.precision import plan_for, read_back, stored_weights, weight_bytes
from ganexport.verify import verify

REDUCED: tuple[PrecisionName, ...] = ("float16", "int16", "int8")


@pytest.fixture(scope="session")
def wide_generator() -> Generator:
    """StyleGAN2, 16² RGB with classes, wide enough that most tensors are reduced."""
    return make_generator(stylegan2_spec(channels=(20, 18, 16), w_dim=24, mapping_width=17))


@pytest.fixture(scope="session")
def reduced_bundles(wide_generator: Generator, bundle_of: Callable[..., Path]) -> dict[str, Path]:
    """`wide_generator` in each precision, both targets, proven."""
    return {name: bundle_of(wide_generator, name, ConvertOptions(precision=name)) for name in REDUCED}


# ----------------------------------------------------------------------------------------- what the files hold


def independent_numbers(tensors: dict[str, np.ndarray], name: str) -> np.ndarray:
    """A weight of an ONNX graph by its stored form alone: codes, and a scale where there is one."""
    if name in tensors:
        return tensors[name].astype(np.float64)
    if f"{name}.low" in tensors:  # 16 bits in two bytes
        high, low = (tensors[f"{name}.{part}"].astype(np.float64) for part in ("int8", "low"))
        return (256 * high + low.reshape(high.shape)) * tensors[f"{name}.scale"].astype(np.float64)
    for kind in ("float16", "int8"):
        if f"{name}.{kind}" in tensors:
            scale = tensors.get(f"{name}.scale", np.ones(1))
            return tensors[f"{name}.{kind}"].astype(np.float64) * scale.astype(np.float64)
    raise KeyError(name)


@pytest.mark.parametrize("precision", REDUCED)
def test_an_onnx_file_holds_the_weights_within_half_a_step(
    precision: str, wide_generator: Generator, reduced_bundles: dict[str, Path]
) -> None:
    model = onnx.load(str(reduced_bundles[precision] / "onnx" / "generator.onnx"))
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    manifest = read_manifest(reduced_bundles[precision])
    assert len(manifest.precision.stored) > 10
    for name, storage in manifest.precision.stored.items():
        weight = wide_generator.weights[name].astype(np.float64)
        got = independent_numbers(tensors, name).reshape(weight.shape)
        if storage == "float16":
            np.testing.assert_array_equal(got, weight.astype(np.float16).astype(np.float64))
            continue
        step = np.abs(weight).reshape(len(weight), -1).max(axis=1) / {"int16": 32767, "int8": 127}[storage]
        errors = np.abs(got - weight).reshape(len(weight), -1) / step[:, None]
        assert errors.max() <= (0.501 if storage == "int16" else 4.0)  # 8 bits make good the errors of others


@pytest.mark.parametrize("precision", REDUCED)
def test_both_targets_hold_the_same_numbers(
    precision: str, wide_generator: Generator, reduced_bundles: dict[str, Path]
) -> None:
    bundle = reduced_bundles[precision]
    expected = read_back(wide_generator.weights, stored_weights(wide_generator, read_manifest(bundle).precision.stored))
    model = json.loads((bundle / "tfjs" / "synthesis" / "model.json").read_text())
    (group,) = model["weightsManifest"]
    data, at, found = (bundle / "tfjs" / "synthesis" / group["paths"][0]).read_bytes(), 0, {}
    for entry in group["weights"]:
        how = entry.get("quantization", {"dtype": entry["dtype"]})
        size = int(np.prod(entry["shape"]))
        raw = np.frombuffer(data, how["dtype"], size, at).reshape(entry["shape"])
        at += raw.nbytes
        found[entry["name"]] = raw.astype(np.float64) * how.get("scale", 1.0) + how.get("min", 0.0)
    assert at == len(data)
    for name in ("synthesis.b8.conv0.weight", "synthesis.b16.conv1.weight"):
        kernel = found[name] * found.get(f"{name}.scale", 1.0)
        np.testing.assert_array_equal(kernel.transpose(3, 2, 0, 1).astype(np.float32), expected[name])
    name = "synthesis.b8.conv0.affine.weight"
    np.testing.assert_array_equal((found[name] * found.get(f"{name}.scale", 1.0)).T.astype(np.float32), expected[name])


def test_the_same_weights_give_the_same_codes(tiny_dcgan: Generator) -> None:
    plan = plan_for(tiny_dcgan.weights, "int8")
    first, second = (stored_weights(tiny_dcgan, plan) for _ in range(2))
    assert {name: one.codes.tobytes() for name, one in first.items()} == {
        name: one.codes.tobytes() for name, one in second.items()
    }


def test_a_plan_leaves_small_tensors_and_keeps_the_mapping_fine(wide_generator: Generator) -> None:
    plan = plan_for(wide_generator.weights, "int8")
    assert plan["synthesis.b8.conv0.weight"] == "int8"
    assert plan["synthesis.b16.conv0.noise_const"] == "int8"
    assert {storage for name, storage in plan.items() if name.startswith("mapping.")} == {"int16"}
    assert not [name for name in plan if name.endswith(("bias", "strength", "w_avg"))]
    assert plan_for(wide_generator.weights, "float32") == {}


def test_numbers_beyond_float16_are_stored_otherwise() -> None:
    weights = {"a": np.full((16, 16), 70000.0, np.float32), "b": np.ones((16, 16), np.float32)}
    assert plan_for(weights, "float16") == {"a": "int16", "b": "float16"}


# -------------------------------------------------------------------------------------------- what is proven


@pytest.mark.parametrize("precision", REDUCED)
def test_a_bundle_is_verified_from_itself_alone(precision: str, reduced_bundles: dict[str, Path]) -> None:
    results = verify(reduced_bundles[precision])
    assert {r.status for r in results} == {"ok"}
    assert {r.runtime for r in results} == {"onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm"}


def test_the_manifest_says_what_it_costs(wide_generator: Generator, reduced_bundles: dict[str, Path]) -> None:
    found = {name: read_manifest(bundle).precision for name, bundle in reduced_bundles.items()}
    shapes = {name: tensor.shape for name, tensor in wide_generator.weights.items()}
    for name, precision in found.items():
        assert precision.weights == name
        assert precision.bytes == weight_bytes(shapes, precision.stored)
        assert precision.float32_bytes == sum(4 * tensor.size for tensor in wide_generator.weights.values())
        assert precision.mean_grey_levels is not None
        assert precision.high_grey_levels is not None
        assert precision.max_grey_levels is not None
        assert 0 < precision.mean_grey_levels < precision.high_grey_levels <= precision.max_grey_levels
    assert found["int16"].max_grey_levels < found["int8"].max_grey_levels  # type: ignore[operator]
    assert found["int8"].bytes < 0.6 * found["int16"].bytes  # type: ignore[operator]


def test_goldens_are_drawn_with_the_weights_as_they_are_stored(
    reduced_bundles: dict[str, Path], wide_generator: Generator, bundle_of: Callable[..., Path]
) -> None:
    images = {n: load_file(b / "goldens.safetensors")["three.images"] for n, b in reduced_bundles.items()}
    assert (images["int8"] != images["int16"]).any()
    # Without the checkpoint only these pictures are left to compare with.
    options = ConvertOptions(targets=("onnx",), precision="int8", checkpoint=False)
    assert {r.status for r in verify(bundle_of(wide_generator, "alone", options))} == {"ok"}


def without_hash_check(bundle: Path) -> None:
    """The manifest of altered files: their sizes and hashes as they are now."""
    from ganexport.convert import _files

    path = bundle / MANIFEST_NAME
    data = json.loads(path.read_text())
    data["files"] = {n: e.model_dump() for n, e in _files(bundle).items() if n != MANIFEST_NAME}
    path.write_text(json.dumps(data))


@pytest.mark.parametrize("target", ["onnx", "tfjs"])
def test_a_wrong_scale_is_found(target: str, reduced_bundles: dict[str, Path], tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(reduced_bundles["int8"], bundle)
    if target == "onnx":
        path = bundle / "onnx" / "synthesis.onnx"
        model = onnx.load(str(path))
        (scale,) = (t for t in model.graph.initializer if t.name == "synthesis.b8.conv1.affine.weight.scale")
        array = numpy_helper.to_array(scale).copy()
        array[3] *= 1.02
        scale.CopyFrom(numpy_helper.from_array(array, scale.name))
        onnx.save(model, str(path))
    else:
        path = bundle / "tfjs" / "synthesis" / "model.json"
        text = path.read_text()
        assert '"dtype":"uint8","scale":1.0,"min":-128.0' in text
        path.write_text(text.replace('"min":-128.0', '"min":-127.0'))
    without_hash_check(bundle)
    with pytest.raises(ParityError, match="differs from the oracle"):
        verify(bundle)


def test_another_plan_in_the_manifest_is_found(reduced_bundles: dict[str, Path], tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(reduced_bundles["int8"], bundle)
    data = json.loads((bundle / MANIFEST_NAME).read_text())
    data["precision"]["stored"]["synthesis.b8.conv1.weight"] = "int16"
    (bundle / MANIFEST_NAME).write_text(json.dumps(data))
    with pytest.raises(ParityError, match="differs from the oracle"):
        verify(bundle)


def test_manifests_of_before_are_read(tiny_bundle: Path) -> None:
    data = json.loads((tiny_bundle / MANIFEST_NAME).read_text())
    for old in ({}, {"weights": "float32", "max_grey_levels": None}):
        manifest = Manifest.model_validate({**data, "precision": old})
        assert manifest.precision.weights == "float32"
        assert manifest.precision.stored == {}


def test_a_graph_is_not_reduced(tmp_path: Path) -> None:
    graph = GraphModel.__new__(GraphModel)
    with pytest.raises(OptionError, match="a graph is written as it is"):
        from ganexport.shrink import shrink

        shrink(graph, "int8")


# --------------------------------------------------------------------------------- every kind of layer, and its cost


def test_a_transposed_convolution_and_its_matrix(bundle_of: Callable[..., Path]) -> None:
    generator = make_generator(dcgan_spec())
    bundle = bundle_of(generator, "dcgan", ConvertOptions(precision="int8"))
    assert set(read_manifest(bundle).precision.stored.values()) == {"int8"}


def onnx_weight_nodes(path: Path, folder: Path) -> dict[str, int]:
    """Operations of a graph as ONNX Runtime has it once it is loaded."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    counts: dict[str, int] = {}
    for node in onnx.load(options.optimized_model_filepath).graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return counts


@pytest.mark.parametrize("precision", REDUCED)
def test_onnx_runtime_folds_all_that_widens_weights(
    precision: str,
    wide_generator: Generator,
    reduced_bundles: dict[str, Path],
    bundle_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    plain = bundle_of(wide_generator, "plain", ConvertOptions(targets=("onnx",)))
    for graph in ("mapping", "synthesis"):
        got = onnx_weight_nodes(reduced_bundles[precision] / "onnx" / f"{graph}.onnx", tmp_path)
        assert got == onnx_weight_nodes(plain / "onnx" / f"{graph}.onnx", tmp_path)
        assert "Cast" not in got


def test_an_unknown_precision_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from ganexport.cli import app

    done: Any = CliRunner().invoke(
        app, ["convert", str(tiny_checkpoint), "-o", str(tmp_path / "out"), "--precision", "int4"]
    )
    assert "--precision is float32, float16, int16 or int8, found 'int4'" in str(done.exception)
