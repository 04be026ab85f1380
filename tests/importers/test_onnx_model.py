"""Any ONNX generator becomes a bundle that draws what ONNX Runtime draws from the file itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper
from support.onnx_models import (
    CLASSES,
    Z_DIM,
    constants,
    dcgan,
    drawn,
    model,
    node,
    saved,
    value,
    with_branch,
    with_class_index,
    with_one_hot,
)

from ganexport.bundle import check_files, open_bundle
from ganexport.convert import ConvertOptions, convert
from ganexport.describe import describe
from ganexport.errors import BundleError, CheckpointError, OptionError, ParityError, SpecError
from ganexport.exporters import ExportOptions
from ganexport.generator import load, with_labels
from ganexport.graph_model import GraphModel
from ganexport.importers import ImportOptions
from ganexport.importers.graphs.onnx_reference import evaluator, run
from ganexport.latents import z_from_seeds
from ganexport.manifest import read_manifest
from ganexport.source import open_source
from ganexport.verify import verify

SEEDS = (3, 14, 15)
FLOAT = TensorProto.FLOAT


def float_latent(c: int) -> np.ndarray:
    return np.eye(CLASSES, dtype=np.float32)[[c]]


# How each file is made, what the caller has to say, and how its own inputs are made of z [1, z_dim] and a class.
KINDS: dict[str, tuple[Callable[[], onnx.ModelProto], ImportOptions, Callable[[np.ndarray, int], dict[str, Any]]]] = {
    "plain": (dcgan, ImportOptions(), lambda z, c: {"z": z}),
    "channels last": (lambda: dcgan(channels_last=True), ImportOptions(), lambda z, c: {"z": z}),
    "latent as a map": (lambda: dcgan(latent_axes=4), ImportOptions(), lambda z, c: {"z": z[:, :, None, None]}),
    "batch of one": (lambda: dcgan(1), ImportOptions(), lambda z, c: {"z": z}),
    "opset 9": (lambda: dcgan(opset=9), ImportOptions(), lambda z, c: {"z": z}),
    "a branch": (with_branch, ImportOptions(), lambda z, c: {"z": z}),
    "one-hot": (with_one_hot, ImportOptions(), lambda z, c: {"z": z, "labels": float_latent(c)}),
    "one-hot of another name": (
        lambda: with_one_hot("kind"),
        ImportOptions(latent_input="z", label_input="kind"),
        lambda z, c: {"z": z, "kind": float_latent(c)},
    ),
    "class after z": (
        lambda: dcgan(width=Z_DIM + CLASSES),
        ImportOptions(c_dim=CLASSES),
        lambda z, c: {"z": np.concatenate([z, float_latent(c)], axis=1)},
    ),
    "index int64": (
        lambda: with_class_index(TensorProto.INT64),
        ImportOptions(c_dim=CLASSES),
        lambda z, c: {"z": z, "label": np.array([c], np.int64)},
    ),
    "index int32, a column": (
        lambda: with_class_index(TensorProto.INT32, 1),
        ImportOptions(c_dim=CLASSES),
        lambda z, c: {"z": z, "label": np.array([[c]], np.int32)},
    ),
    "index float, one picture": (
        lambda: with_class_index(FLOAT, 1, batch=1),
        ImportOptions(c_dim=CLASSES),
        lambda z, c: {"z": z, "label": np.array([[c]], np.float32)},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_bundle_draws_what_the_file_draws(kind: str, tmp_path: Path) -> None:
    make, options, native = KINDS[kind]
    path = saved(make(), tmp_path / "model.bin")  # told by its content
    source = open_source(path, options)
    assert isinstance(source, GraphModel)
    assert (source.spec.z_dim, source.spec.resolution, source.spec.image_channels) == (Z_DIM, 16, 3)
    manifest = convert(source, tmp_path / "out")
    assert set(manifest.targets) == {"onnx"}
    assert {result.status for result in manifest.parity} == {"ok"}
    z = z_from_seeds(SEEDS, Z_DIM)
    classes = [seed % CLASSES for seed in SEEDS]
    session = onnxruntime.InferenceSession(path)
    images = [session.run(["img"], native(z[i : i + 1], c))[0] for i, c in enumerate(classes)]
    image = np.concatenate(images)
    image = image if image.shape[-1] == 3 else image.transpose(0, 2, 3, 1)
    expected = np.floor(np.clip(image * 127.5 + 128, 0, 255)).astype(int)
    feeds = {"z": z, **({"c": np.eye(CLASSES, dtype=np.float32)[classes]} if source.spec.c_dim else {})}
    graph = onnxruntime.InferenceSession(tmp_path / "out/onnx/synthesis.onnx")
    got = graph.run(["image"], feeds)[0].transpose(0, 2, 3, 1)
    assert np.abs(got - image).max() <= 1e-4 * np.abs(image).max()
    drawn_by = open_bundle(tmp_path / "out").generate(SEEDS, classes if source.spec.c_dim else None)
    assert abs(drawn_by.astype(int) - expected).max() <= 1
    (whole,) = onnxruntime.InferenceSession(tmp_path / "out/onnx/generator.onnx").run(["images"], feeds)
    assert abs(whole.astype(int) - expected).max() <= 1


def test_weights_beside_the_file(tmp_path: Path) -> None:
    plain = saved(dcgan(), tmp_path / "plain.onnx")
    (tmp_path / "weights").mkdir()
    outside = saved(
        dcgan(), tmp_path / "outside.onnx", save_as_external_data=True, location="weights/all.bin", size_threshold=0
    )
    assert outside.stat().st_size < plain.stat().st_size / 2
    a, b = open_source(plain), open_source(outside)
    assert a.provenance.weights_sha256 == b.provenance.weights_sha256
    assert a.provenance.source_sha256 != b.provenance.source_sha256
    feeds = {"z": z_from_seeds(SEEDS, Z_DIM)}
    np.testing.assert_array_equal(a.draw(feeds), b.draw(feeds))


def test_large_weights_lie_beside_the_graphs_that_share_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganexport.exporters._weight_files.SHARD_BYTES", 1000)
    source = open_source(saved(dcgan(), tmp_path / "model.onnx"))
    graphs = convert(source, tmp_path / "shared").targets["onnx"]
    assert graphs.generator is not None
    assert graphs.synthesis[0].weight_files == graphs.generator.weight_files != ()
    single = ConvertOptions(export=ExportOptions(single_file=True))
    assert not convert(source, tmp_path / "single", single).targets["onnx"].synthesis[0].weight_files
    bundles = [open_bundle(tmp_path / name).generate(SEEDS) for name in ("shared", "single")]
    np.testing.assert_array_equal(*bundles)


def test_another_image_range_and_names_of_classes(tmp_path: Path) -> None:
    path = saved(with_one_hot(), tmp_path / "model.onnx")
    (tmp_path / "names.txt").write_text("ash\nbirch\ncedar\ndate\n")
    source = with_labels(open_source(path, ImportOptions(image_range=(-2.0, 3.0))), tmp_path / "names.txt")
    convert(source, tmp_path / "out")
    bundle = open_bundle(tmp_path / "out")
    assert bundle.manifest.labels == ("ash", "birch", "cedar", "date")
    feeds = {"z": z_from_seeds([5], Z_DIM), "c": np.eye(CLASSES, dtype=np.float32)[[2]]}
    image = source.draw(feeds).transpose(0, 2, 3, 1)
    expected = np.floor(np.clip((image + 2) * 51 + 0.5, 0, 255)).astype(int)
    assert abs(bundle.generate([5], "cedar").astype(int) - expected).max() <= 1
    with pytest.raises(SpecError, match="3 label names for 4 classes"):
        replace(source, labels=("a", "b", "c"))


def test_a_bundle_without_a_checkpoint_is_verified_by_its_record(tmp_path: Path) -> None:
    manifest = convert(open_source(saved(dcgan(), tmp_path / "model.onnx")), tmp_path / "out")
    assert manifest == read_manifest(tmp_path / "out")
    check_files(tmp_path / "out", manifest)
    assert "checkpoint.safetensors" not in manifest.files
    assert {result.status for result in verify(tmp_path / "out")} == {"ok"}
    assert "licence" in manifest.provenance.model_dump()
    assert manifest.provenance.licence.startswith("set by whoever trained it")
    whole = tmp_path / "out" / "onnx" / "synthesis.onnx"
    whole.write_bytes(whole.read_bytes()[:-1])
    with pytest.raises(BundleError):
        verify(tmp_path / "out")


def test_what_is_said_of_it(tmp_path: Path) -> None:
    facts = describe(saved(with_one_hot(), tmp_path / "model.onnx"))
    assert (facts["architecture"], facts["c_dim"], facts["z_dim"]) == ("onnx", CLASSES, Z_DIM)
    arrays = [numpy_helper.to_array(t) for t in with_one_hot().graph.initializer]
    assert facts["weights"] == sum(a.size for a in arrays if a.dtype == np.float32)
    assert "labels" in facts["provenance"]["importer"] or "z" in facts["provenance"]["importer"]


def test_it_has_no_other_target(tmp_path: Path) -> None:
    source = open_source(saved(dcgan(), tmp_path / "model.onnx"))
    with pytest.raises(OptionError, match="can only become ONNX"):
        convert(source, tmp_path / "out", ConvertOptions(targets=("onnx", "tfjs")))
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_the_graphs_have_plain_signatures(tmp_path: Path) -> None:
    source = open_source(saved(with_one_hot(), tmp_path / "model.onnx"))
    convert(source, tmp_path / "out", ConvertOptions(export=ExportOptions(truncation_psi=1.0)))
    for name in ("synthesis", "generator"):
        made = onnx.load(tmp_path / "out" / "onnx" / f"{name}.onnx")
        onnx.checker.check_model(made, full_check=True)
        assert [i.name for i in made.graph.input] == ["z", "c"]
        for port in (*made.graph.input, *made.graph.output):
            dims = port.type.tensor_type.shape.dim
            assert dims[0].dim_param == "N" and all(d.dim_value > 0 for d in dims[1:])
        assert {p.key for p in made.metadata_props} >= {"ganexport.weights_sha256", "ganexport.spec"}


# ---------------------------------------------------------------------------------------------- the gate can fail


def flipped(made: onnx.ModelProto) -> None:
    kernel = next(t for t in made.graph.initializer if t.name == "source/w2")
    kernel.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(kernel)[:, :, ::-1].copy(), kernel.name))


def shifted(made: onnx.ModelProto) -> None:
    bias = next(t for t in made.graph.initializer if t.name == "source/b1")
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(0.01), bias.name))


def blank(made: onnx.ModelProto) -> None:
    kernel = next(t for t in made.graph.initializer if t.name == "source/w2")
    kernel.CopyFrom(numpy_helper.from_array(np.zeros_like(numpy_helper.to_array(kernel)), kernel.name))


def not_finite(made: onnx.ModelProto) -> None:
    bias = next(t for t in made.graph.initializer if t.name == "source/b1")
    bias.CopyFrom(numpy_helper.from_array(np.full(6, np.nan, np.float32), bias.name))


@pytest.mark.parametrize("harm", [flipped, shifted, blank, not_finite])
def test_a_graph_that_draws_something_else_fails(harm: Callable[[onnx.ModelProto], None], tmp_path: Path) -> None:
    source = open_source(saved(dcgan(), tmp_path / "model.onnx"))
    made = onnx.ModelProto.FromString(source.onnx)
    harm(made)
    with pytest.raises(ParityError):
        convert(replace(source, onnx=made.SerializeToString()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------------------------ what is refused


def picture(shape: tuple[int, ...], kind: int = FLOAT) -> onnx.ModelProto:
    """A dense layer and a picture of a shape."""
    size = int(np.prod(shape))
    nodes = [node("MatMul", "z w", "a"), node("Reshape", "a shape", "b"), node("Cast", "b", "img", to=kind)]
    arrays = constants(**drawn(5, w=(Z_DIM, size)), shape=np.array([-1, *shape], np.int64))
    return model(nodes, [value("z", FLOAT, "N", Z_DIM)], [value("img", kind, "N", *shape)], arrays)


def two_latents() -> onnx.ModelProto:
    inputs = [value("first", FLOAT, "N", Z_DIM), value("second", FLOAT, "N", Z_DIM)]
    return dcgan(before=[node("Add", "first second", "latent")], inputs=inputs)


def more_inputs() -> onnx.ModelProto:
    inputs = [value("z", FLOAT, "N", Z_DIM), value("psi", FLOAT, 1), value("size", TensorProto.INT64, 2)]
    return dcgan(before=[node("Mul", "z psi", "latent")], inputs=inputs)


def two_pictures() -> onnx.ModelProto:
    made = dcgan()
    made.graph.output.append(value("g", FLOAT, "N", 3, 16, 16))
    return made


def always_one() -> onnx.ModelProto:
    """Made for one picture in a way that no reshape tells: what it adds has a batch of its own."""
    made = dcgan(1)
    made.graph.initializer.extend(constants(first=np.array([0], np.int64)))
    made.graph.node.insert(0, node("Gather", "z first", "only", axis=0))
    made.graph.node[1].input[0] = "only"
    return made


def random_noise() -> onnx.ModelProto:
    return dcgan(before=[node("RandomNormalLike", "z", "noise"), node("Add", "z noise", "latent")])


REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], ImportOptions, type[Exception], str]] = {
    "two latents": (
        two_latents,
        ImportOptions(),
        OptionError,
        r"say which with --input: first float32 \[\?, 10\]; second",
    ),
    "an unknown latent": (dcgan, ImportOptions(latent_input="w"), OptionError, "choose from z float32"),
    "an unknown class": (dcgan, ImportOptions(label_input="w"), OptionError, "choose from z float32"),
    "an unknown picture": (dcgan, ImportOptions(image_output="w"), OptionError, "choose from img float32"),
    "further inputs": (
        more_inputs,
        ImportOptions(),
        OptionError,
        r"cannot fill the inputs psi float32 \[1\]; size int64",
    ),
    "two pictures": (two_pictures, ImportOptions(), OptionError, "--image-output: img float32 .*; g float32"),
    "no count of classes": (lambda: with_class_index(7), ImportOptions(), OptionError, "--c-dim"),
    "another count of classes": (with_one_hot, ImportOptions(c_dim=3), OptionError, "--c-dim is 3, but"),
    "classes without a latent": (dcgan, ImportOptions(c_dim=10), OptionError, "leaves no latent"),
    "a network": (dcgan, ImportOptions(network="G"), OptionError, "--network"),
    "batches of 16": (lambda: dcgan(16), ImportOptions(), CheckpointError, "only batches of 16 pictures"),
    "one picture at a time": (always_one, ImportOptions(), CheckpointError, "batch.* dynamic batch axis"),
    "no square": (lambda: picture((3, 8, 16)), ImportOptions(), CheckpointError, "8×16; only square"),
    "two channels": (lambda: picture((2, 8, 8)), ImportOptions(), CheckpointError, "1, 3 or 4 channels"),
    "a vector": (lambda: picture((64,)), ImportOptions(), CheckpointError, r"\[N, 64\]"),
    "eight bits": (lambda: picture((3, 8, 8), TensorProto.UINT8), ImportOptions(), CheckpointError, "is uint8"),
    "too small": (lambda: picture((3, 2, 2)), ImportOptions(), CheckpointError, "resolution"),
    "noise of its own": (random_noise, ImportOptions(), CheckpointError, "random numbers of its own"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_imported_says_why(kind: str, tmp_path: Path) -> None:
    make, options, error, message = REFUSED[kind]
    path = saved(make(), tmp_path / "model.onnx")
    with pytest.raises(error, match=message) as caught:
        open_source(path, options)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_picture_can_be_named(tmp_path: Path) -> None:
    path = saved(two_pictures(), tmp_path / "model.onnx")
    source = open_source(path, ImportOptions(image_output="g"))
    assert source.spec.resolution == 16


def test_a_checkpoint_has_no_inputs_to_name(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--input"):
        open_source(tiny_checkpoint, ImportOptions(latent_input="z"))
    assert open_source(tiny_checkpoint).provenance.weights_sha256 == load(tiny_checkpoint).provenance.weights_sha256


@pytest.mark.parametrize(
    "settings",
    [
        {"strides": [2, 3], "pads": [1, 0, 2, 1], "output_padding": [1, 0]},
        {"dilations": [2, 1], "group": 2},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    ],
    ids=str,
)
def test_transposed_convolutions_of_the_oracle_are_those_of_a_runtime(settings: dict[str, Any]) -> None:
    arrays = drawn(6, x=(2, 4, 5, 6), w=(4, 3, 3, 4), b=(3 * settings.get("group", 1),))
    inputs = [value(name, FLOAT, *array.shape) for name, array in arrays.items()]
    output = [value("y", FLOAT, "N", "C", "H", "W")]
    made = model([node("ConvTranspose", "x w b", "y", **settings)], inputs, output, [])
    (expected,) = onnxruntime.InferenceSession(made.SerializeToString()).run(["y"], arrays)
    np.testing.assert_allclose(run(evaluator(made), "y", arrays), expected, rtol=0, atol=1e-5)


def test_a_graph_of_ours_comes_back(dcgan_bundle: Path, tmp_path: Path) -> None:
    source = open_source(dcgan_bundle / "onnx" / "synthesis.onnx")
    convert(source, tmp_path / "out")
    first, second = open_bundle(dcgan_bundle).generate(SEEDS), open_bundle(tmp_path / "out").generate(SEEDS)
    assert abs(first.astype(int) - second).max() <= 1
