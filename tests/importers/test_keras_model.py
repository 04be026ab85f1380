"""Any Keras generator becomes a bundle whose ONNX and TF.js graphs draw what Keras itself drew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from support.bare_python import run_bare
from support.keras_files import CLASSES, SEEDS, need_keras, written

from ganexport.bundle import check_files, open_bundle
from ganexport.convert import ConvertOptions, convert
from ganexport.describe import describe
from ganexport.errors import CheckpointError, GanExportError, MissingExtraError, OptionError, ParityError
from ganexport.graph_model import TFJS_OPERATIONS, FrozenGraph, GraphModel
from ganexport.importers import ImportOptions
from ganexport.importers.graphs import keras_model
from ganexport.importers.graphs.keras_process import Child
from ganexport.latents import one_hot, z_from_seeds
from ganexport.manifest import read_manifest
from ganexport.source import open_source
from ganexport.verify import verify
from ganexport.weights import hash_tensors

TFJS = Path(__file__).parents[2] / "web_demo" / "node_modules" / "@tensorflow" / "tfjs-converter"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generators of `keras_writer` in every form."""
    return written(tmp_path_factory.mktemp("keras"))


@pytest.fixture(scope="module")
def dense(files: Path) -> GraphModel:
    """The dense one, read once."""
    source = open_source(files / "dense.keras")
    assert isinstance(source, GraphModel)
    return source


# File, which generator it is, whether it has classes, what has to be said.
CASES = {
    "dense.h5": ("dense", ImportOptions()),
    "transposed2.h5": ("transposed", ImportOptions()),
    "transposed": ("transposed", ImportOptions()),
    "conditional.keras": ("conditional", ImportOptions()),
    "varied.keras": ("varied", ImportOptions(c_dim=CLASSES)),
    "conditional": ("conditional", ImportOptions(latent_input="noise", label_input="label", c_dim=CLASSES)),
}


@pytest.mark.slow
@pytest.mark.parametrize("file", CASES)
def test_the_bundle_draws_what_keras_drew(file: str, files: Path, tmp_path: Path) -> None:
    name, options = CASES[file]
    source = open_source(files / file, options)
    recorded = np.load(files / f"{name}.npy")  # [N, H, W, C]
    assert (source.spec.resolution, source.spec.image_channels) == recorded.shape[2:]
    manifest = convert(source, tmp_path / "out")
    assert set(manifest.targets) == {"onnx", "tfjs"}
    assert {(r.runtime, r.status) for r in manifest.parity} == {
        (runtime, "ok") for runtime in ("onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm")
    }
    assert {r.case for r in manifest.parity if r.tensor == "image"} == {"one", "three"}
    classes = [seed % CLASSES for seed in SEEDS] if source.spec.c_dim else None
    feeds = {"z": z_from_seeds(SEEDS, source.spec.z_dim)}
    if classes is not None:
        assert source.spec.c_dim == CLASSES
        feeds["c"] = one_hot(classes, CLASSES)
    (image,) = onnxruntime.InferenceSession(tmp_path / "out/onnx/synthesis.onnx").run(["image"], feeds)
    assert np.abs(image.transpose(0, 2, 3, 1) - recorded).max() <= 1e-4 * np.abs(recorded).max()
    expected = np.floor(np.clip(recorded * 127.5 + 128, 0, 255)).astype(int)
    pictures = open_bundle(tmp_path / "out").generate(SEEDS, classes)
    assert abs(pictures.astype(int) - expected).max() <= 1
    check_files(tmp_path / "out", read_manifest(tmp_path / "out"))
    if file == "dense.h5":
        assert {result.status for result in verify(tmp_path / "out")} == {"ok"}


@pytest.mark.slow
def test_equal_files_give_equal_bytes_and_a_changed_graph_fails(dense: GraphModel, files: Path, tmp_path: Path) -> None:
    again = open_source(files / "dense.keras")
    assert isinstance(again, GraphModel)
    assert again.onnx == dense.onnx
    assert again.provenance == dense.provenance
    graph = dense.tensorflow
    assert graph is not None and again.tensorflow is not None
    assert again.tensorflow.nodes == graph.nodes
    assert hash_tensors(again.tensorflow.weights) == hash_tensors(graph.weights)
    kernel = max(graph.weights, key=lambda name: graph.weights[name].size)
    changed = {**graph.weights, kernel: graph.weights[kernel] * np.float32(1.01)}
    harmed = replace(dense, tensorflow=FrozenGraph(graph.nodes, changed))
    with pytest.raises(ParityError, match="tfjs-cpu"):
        convert(harmed, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_operations_that_tfjs_does_not_have_are_named(dense: GraphModel, tmp_path: Path) -> None:
    graph = dense.tensorflow
    assert graph is not None
    strange = FrozenGraph(({"name": "x", "op": "Roll", "input": [], "attr": {}}, *graph.nodes), graph.weights)
    with pytest.raises(OptionError, match=r"does not have Roll; leave this target out with --to onnx"):
        convert(replace(dense, tensorflow=strange), tmp_path / "out", ConvertOptions(targets=("tfjs",)))
    assert list(tmp_path.iterdir()) == []


def test_tfjs_has_every_operation_that_is_said_to_be_known() -> None:
    lists = sorted(TFJS.glob("dist/operations/op_list/*.js"))
    if not lists:
        pytest.skip("not run: the web packages are not installed")
    text = "".join(path.read_text(encoding="utf-8") for path in lists)
    assert not [name for name in TFJS_OPERATIONS if f"'tfOpName': '{name}'" not in text]


def test_info_needs_no_tensorflow(files: Path) -> None:
    program = """
import json
from pathlib import Path
from ganexport.describe import describe
facts = [describe(Path(path)) for path in sys.argv[1:]]
assert not set(sys.modules) & {"tensorflow", "keras", "h5py", "tf2onnx"}
print(json.dumps(facts))
"""
    done = run_bare(program, *(str(files / name) for name in ("dense.keras", "transposed")))
    assert done.returncode == 0, done.stderr
    archive, folder = json.loads(done.stdout)
    assert archive["layers"]["Dense"] == 4 and archive["layers"]["BatchNormalization"] == 3
    assert list(archive["inputs"].values()) == ["float32 [N, 100]"]
    assert folder["kind"] == "SavedModel"
    h5 = describe(files / "transposed2.h5")
    assert h5["layers"]["Conv2DTranspose"] == 3
    assert list(h5["inputs"].values()) == ["float32 [N, 20]"]


def test_without_the_extra_it_says_what_to_install(files: Path) -> None:
    program = """
from pathlib import Path
from ganexport.source import open_source
try:
    open_source(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""
    done = run_bare(program, str(files / "dense.keras"))
    assert done.stdout.startswith(MissingExtraError.__name__), done.stderr
    assert 'install "ganexport[keras]"' in done.stdout


def test_weights_without_a_model_say_so(files: Path) -> None:
    with pytest.raises(CheckpointError, match="weights only"):
        open_source(files / "only.weights.h5")


@pytest.mark.slow
def test_a_class_index_needs_the_number_of_classes(files: Path) -> None:
    with pytest.raises(OptionError, match="--c-dim"):
        open_source(files / "conditional")
    with pytest.raises(OptionError, match="--input"):
        open_source(files / "conditional.keras", ImportOptions(latent_input="z"))


# ------------------------------------------------------------------------------------------------- the child process


def left_over() -> set[str]:
    return {path.name for path in Path(os.environ.get("TMPDIR", "/tmp")).glob("ganexport-keras-*")}


def test_the_child_ends_with_its_owner_and_leaves_nothing() -> None:
    need_keras()
    child = Child(0)
    folder, process = child.folder, child._process
    with pytest.raises(CheckpointError, match="HDF5"):
        (folder / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
        child.ask("inspect", file="model.h5")
    del child
    assert process.poll() is not None
    assert not folder.exists()


def test_a_child_that_dies_is_an_error_of_one_line() -> None:
    need_keras()
    child = Child(0)
    child._process.kill()
    with pytest.raises(CheckpointError, match=r"without an answer \(status -9\)"):
        child.ask("inspect", file="model.h5")
    assert not child.folder.exists()


def test_a_child_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    need_keras()
    monkeypatch.setattr("ganexport.importers.graphs.keras_process.SECONDS", 0)
    child = Child(0)
    with pytest.raises(CheckpointError, match="did not finish"):
        child.ask("inspect", file="model.h5")
    assert child._process.poll() is not None


def test_the_child_sees_nothing_of_the_callers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    need_keras()
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    child = Child(0)
    environment = Path(f"/proc/{child._process.pid}/environ")
    if not environment.exists():
        pytest.skip("not run: no /proc here")
    with pytest.raises(GanExportError):
        child.ask("inspect", file="none.h5")  # it has started by now
    names = {entry.partition(b"=")[0].decode() for entry in environment.read_bytes().split(b"\0")}
    child.close()
    assert not names & {"SECRET_TOKEN", "PYTHONSTARTUP", "USER"}


@pytest.mark.slow
def test_a_model_that_needs_too_much_memory_is_refused(files: Path, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("not run: there are no limits of memory here")
    with zipfile.ZipFile(files / "dense.keras") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    layer = next(item for item in config["config"]["layers"] if item["class_name"] == "Dense")
    layer["config"]["units"] = 200_000_000
    path = tmp_path / "large.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**content, "config.json": json.dumps(config).encode()}.items():
            archive.writestr(name, data)
    before = left_over()
    with pytest.raises(CheckpointError) as caught:
        open_source(path)
    assert "\n" not in str(caught.value)
    assert left_over() <= before


@pytest.mark.slow
def test_the_command_line_goes_the_whole_way(files: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganexport", "site", str(files / "transposed.keras"), "-o", str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "site" / "models" / "transposed")
    assert set(manifest.targets) == {"onnx", "tfjs"}
    assert manifest.provenance.licence == keras_model.LICENCE
