"""A model repository for Triton: read with Triton's own schema, and run as Triton's documents say that it runs it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from safetensors.numpy import load_file
from support.generators import make_generator, stylegan2_spec
from support.stylegan3 import stylegan3_spec, stylegan3_tensors
from support.trees import files_of, tree
from support.triton_model import TritonModel, type_name
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from ganexport import cli
from ganexport.convert import ConvertOptions
from ganexport.errors import BundleError, OptionError, OutputExistsError
from ganexport.exporters import ExportOptions, _weight_files
from ganexport.manifest import MANIFEST_NAME, Graph, GraphTensor, read_manifest
from ganexport.triton import TritonOptions, write_repository
from ganexport.triton.config import Warmup, config_text

ONNX = {"tensor(float)": "TYPE_FP32", "tensor(uint8)": "TYPE_UINT8"}


@pytest.fixture
def bundle(request: pytest.FixtureRequest, bundle_of: Callable[..., Path]) -> Path:
    """A bundle by name: what goes in differs between them."""
    only_onnx = {"targets": ("onnx",)}
    match request.param:
        case "noise":
            options = ConvertOptions(export=ExportOptions(noise="random"), **only_onnx)
            return bundle_of(make_generator(stylegan2_spec()), "noise", options)
        case "stylegan3":
            spec = stylegan3_spec()
            return bundle_of(make_generator(spec, stylegan3_tensors(spec)), "stylegan3", ConvertOptions(**only_onnx))
        case name:
            return request.getfixturevalue(name)  # type: ignore[no-any-return]


EVERY = ("digits_bundle", "tiny_bundle", "dcgan_bundle", "conditional_dcgan_bundle", "noise", "stylegan3")


@pytest.mark.parametrize("bundle", EVERY, indirect=True)
def test_its_configuration_is_that_of_the_graph(bundle: Path, tmp_path: Path) -> None:
    (placed,) = write_repository([bundle], tmp_path / "repository")
    model = TritonModel(placed.folder)
    config = model.config
    assert config.name == placed.folder.name == placed.name
    assert (config.backend, config.platform) == ("onnxruntime", "onnxruntime_onnx")
    graphs = ((config.input, model.session.get_inputs()), (config.output, model.session.get_outputs()))
    for tensors, real in graphs:
        assert [one.name for one in tensors] == [one.name for one in real]
        for one, other in zip(tensors, real, strict=True):
            assert type_name(one.data_type) == ONNX[other.type]
            assert len(one.dims) > 0, "Triton refuses an empty list"
            shape = one.reshape.shape if one.HasField("reshape") else one.dims
            assert [str(other.shape[0]), *shape] == ["N", *other.shape[1:]]
            assert np.prod(one.dims) == np.prod(shape)
    (group,) = config.instance_group
    assert (group.kind, group.count) == (ModelInstanceGroup.KIND_AUTO, 1)
    assert config.version_policy.latest.num_versions == 1
    assert config.dynamic_batching.max_queue_delay_microseconds == 1000
    assert not config.dynamic_batching.preferred_batch_size


@pytest.mark.parametrize("bundle", EVERY, indirect=True)
def test_the_runs_before_it_is_ready_draw_the_recorded_picture(bundle: Path, tmp_path: Path) -> None:
    (placed,) = write_repository([bundle], tmp_path / "repository", TritonOptions(max_batch=5))
    model = TritonModel(placed.folder)
    samples = model.config.model_warmup
    assert [sample.batch_size for sample in samples] == [1, 5]
    assert len({sample.name for sample in samples}) == 2
    expected = load_file(bundle / "goldens.safetensors")["one.images"][0]
    for sample in samples:
        images = model.warm_up(sample)
        assert (images.dtype, images.shape) == (np.uint8, (sample.batch_size, *expected.shape))
        assert np.abs(images.astype(int) - expected).max() <= 1


def test_what_lies_where(digits_bundle: Path, dcgan_bundle: Path, tmp_path: Path) -> None:
    repository = tmp_path / "new" / "repository"
    placed = write_repository([digits_bundle, dcgan_bundle], repository, TritonOptions(version=7))
    assert [one.folder for one in placed] == [repository / "digits", repository / "tiny-dcgan"]
    own = {"config.pbtxt", "7/model.onnx", "7/ganexport.json"}
    warmups = {"warmup/one.z", "warmup/one.c", "warmup/one.truncation_psi"}
    assert files_of(repository / "digits") == {*own, "labels.txt", *warmups}
    assert files_of(repository / "tiny-dcgan") == {*own, "warmup/one.z"}
    assert (repository / "digits" / "7" / "ganexport.json").read_bytes() == (digits_bundle / MANIFEST_NAME).read_bytes()
    names = (repository / "digits" / "labels.txt").read_text(encoding="utf-8").splitlines()
    parameters = TritonModel(repository / "digits").config.parameters
    assert names == json.loads(parameters["labels"].string_value) == [str(i) for i in range(10)]
    assert parameters["z_distribution"].string_value == "normal"
    assert float(parameters["default_truncation_psi"].string_value) == 1.0
    assert set(TritonModel(repository / "tiny-dcgan").config.parameters) == {"z_distribution"}
    assert {path.name for path in repository.parent.iterdir()} == {"repository"}, "nothing temporary is left"


def test_weight_files_lie_beside_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganexport.convert import convert

    monkeypatch.setattr(_weight_files, "SHARD_BYTES", 20_000)
    monkeypatch.setattr(_weight_files, "PAGE", 256)
    bundle = tmp_path / "large"
    manifest = convert(make_generator(stylegan2_spec(channels=(48, 24, 8))), bundle, ConvertOptions(targets=("onnx",)))
    graph = manifest.targets["onnx"].generator
    assert graph is not None
    (placed,) = write_repository([bundle], tmp_path / "repository")
    beside = {Path(path).name for path in graph.weight_files}
    assert len(beside) > 2
    assert files_of(placed.folder / "1") == {"model.onnx", "ganexport.json", *beside}
    shutil.rmtree(bundle / "onnx")  # what it draws comes from the repository alone
    model = TritonModel(placed.folder)
    expected = load_file(bundle / "goldens.safetensors")["one.images"]
    assert np.abs(model.warm_up(model.config.model_warmup[0]).astype(int) - expected).max() <= 1


def test_a_batch_of_one_is_not_waited_for(digits_bundle: Path, tmp_path: Path) -> None:
    options = TritonOptions(max_batch=1, queue_delay=250)
    (placed,) = write_repository([digits_bundle], tmp_path / "one", options)
    config = TritonModel(placed.folder).config
    assert config.max_batch_size == 1
    assert not config.HasField("dynamic_batching")
    assert [sample.batch_size for sample in config.model_warmup] == [1]
    (placed,) = write_repository([digits_bundle], tmp_path / "some", TritonOptions(max_batch=4, queue_delay=250))
    assert TritonModel(placed.folder).config.dynamic_batching.max_queue_delay_microseconds == 250


def test_any_name_is_written_so_that_it_is_read_again() -> None:
    graph = Graph(
        file="onnx/generator.onnx",
        resolution=4,
        inputs=(GraphTensor(name="z", shape=("N", 2), dtype="float32"),),
        outputs=(GraphTensor(name="images", shape=("N", 4, 4, 1), dtype="uint8"),),
    )
    odd = 'a "quoted" \\ back\\slash, ünïcode 😀, tab\t, line\nand \x07 \u2028 end\\'
    warmup = Warmup({"z": odd})
    text = config_text("x", graph, max_batch=2, queue_delay=0, warmup=warmup, parameters={"odd": odd, odd: "1"})
    config = text_format.Parse(text, ModelConfig())
    assert {key: one.string_value for key, one in config.parameters.items()} == {"odd": odd, odd: "1"}
    assert config.model_warmup[0].inputs["z"].input_data_file == odd


# ------------------------------------------------------------------------------------------------------- versions


@pytest.fixture
def repository(digits_bundle: Path, tmp_path: Path) -> Path:
    """With the digits as version 1, whose configuration its owner has changed since."""
    write_repository([digits_bundle], tmp_path / "repository")
    config = tmp_path / "repository" / "digits" / "config.pbtxt"
    text = config.read_text(encoding="utf-8").replace("KIND_AUTO", "KIND_CPU").replace("dims: [64]", "dims: [ 64 ]")
    config.write_text(f"# mine\n{text}", encoding="utf-8")
    return tmp_path / "repository"


def test_another_version_leaves_the_rest_alone(repository: Path, digits_bundle: Path) -> None:
    before = tree(repository)
    (placed,) = write_repository([digits_bundle], repository, TritonOptions(version=12))
    after = tree(repository)
    added = {"digits/12", "digits/12/model.onnx", "digits/12/ganexport.json"}
    assert after.keys() - before.keys() == added
    assert {name: after[name] for name in before} == before
    model = TritonModel(placed.folder)
    assert model.version == 12
    expected = load_file(digits_bundle / "goldens.safetensors")["one.images"]
    assert np.abs(model.warm_up(model.config.model_warmup[0]).astype(int) - expected).max() <= 1


def test_another_model_leaves_the_rest_alone(repository: Path, dcgan_bundle: Path) -> None:
    before = tree(repository)
    write_repository([dcgan_bundle], repository, name="faces of 2026")
    after = tree(repository)
    assert {name: after[name] for name in before} == before
    assert {name.partition("/")[0] for name in after.keys() - before.keys()} == {"faces-of-2026"}


def test_a_version_is_replaced_by_force_alone(repository: Path, digits_bundle: Path, tmp_path: Path) -> None:
    before = tree(repository)
    with pytest.raises(OutputExistsError, match=r"digits/1 exists; choose another --version or pass --force"):
        write_repository([digits_bundle], repository)
    assert tree(repository) == before
    write_repository([digits_bundle], repository, TritonOptions(version=2))
    (repository / "digits" / "2" / "model.onnx").write_bytes(b"old")
    write_repository([digits_bundle], repository, TritonOptions(version=2, force=True))
    assert TritonModel(repository / "digits").session.get_inputs()
    assert tree(repository)["digits/config.pbtxt"] == before["digits/config.pbtxt"]
    shutil.rmtree(repository / "digits" / "2")
    write_repository([digits_bundle], repository, TritonOptions(force=True))
    write_repository([digits_bundle], tmp_path / "fresh")
    assert tree(repository) == tree(tmp_path / "fresh"), "an only version takes its configuration with it"


def test_versions_share_what_goes_in_and_out(repository: Path, digits_bundle: Path, dcgan_bundle: Path) -> None:
    before = tree(repository)
    with pytest.raises(OptionError, match=r"config.pbtxt is for other inputs or outputs, as version 1 of digits: give"):
        write_repository([dcgan_bundle], repository, TritonOptions(version=2), name="digits")
    (repository / "digits" / "labels.txt").write_text("nought\n")
    with pytest.raises(OptionError, match=r"labels.txt names other classes, as version 1 of digits"):
        write_repository([digits_bundle], repository, TritonOptions(version=2))
    (repository / "digits" / "labels.txt").write_bytes(before["digits/labels.txt"])
    assert tree(repository) == before


# ------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "name", "count", "message"),
    [
        (TritonOptions(), None, 0, "at least one bundle"),
        (TritonOptions(), None, 2, "need different names; two bundles are called digits"),
        (TritonOptions(), "one", 2, "one name for 2 bundles"),
        (TritonOptions(version=0), None, 1, "the version must be a whole number from 1, found 0"),
        (TritonOptions(queue_delay=-1), None, 1, "the queue delay must be a whole number from 0, found -1"),
        (TritonOptions(max_batch=0), None, 1, "the greatest batch must be a whole number from 1, found 0"),
    ],
)
def test_options_that_mean_nothing(
    options: TritonOptions, name: str | None, count: int, message: str, digits_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        write_repository([digits_bundle] * count, tmp_path / "repository", options, name=name)
    assert not list(tmp_path.iterdir())


def test_what_is_in_the_way_stays(digits_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="is no Triton model that could be replaced"):
        write_repository([digits_bundle], tmp_path, TritonOptions(force=True))
    assert files_of(tmp_path) == {"digits/thesis.txt"}
    (tmp_path / MANIFEST_NAME).touch()
    with pytest.raises(OutputExistsError, match="is a bundle: a repository inside it would spoil it"):
        write_repository([digits_bundle], tmp_path, name="other")
    assert files_of(tmp_path) == {"digits/thesis.txt", MANIFEST_NAME}


def test_a_bundle_that_was_altered_leaves_nothing(digits_bundle: Path, dcgan_bundle: Path, tmp_path: Path) -> None:
    bad, repository = tmp_path / "bad", tmp_path / "repository"
    shutil.copytree(digits_bundle, bad)
    with (bad / "onnx" / "generator.onnx").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    with pytest.raises(BundleError, match=r"generator\.onnx was altered: its SHA-256"):
        write_repository([bad], repository)
    assert not repository.exists()
    write_repository([dcgan_bundle], repository)
    before = tree(repository)
    (bad / "onnx" / "generator.onnx").unlink()
    with pytest.raises(BundleError, match=r"generator\.onnx is missing"):
        write_repository([bad], repository)
    assert tree(repository) == before
    assert {path.name for path in tmp_path.iterdir()} == {"bad", "repository"}


def test_a_bundle_for_pages_alone_says_what_to_do(digits_bundle: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "page"
    shutil.copytree(digits_bundle, bundle)
    data = json.loads((bundle / MANIFEST_NAME).read_text(encoding="utf-8"))
    data["targets"]["onnx"]["generator"] = None
    (bundle / MANIFEST_NAME).write_text(json.dumps(data))
    with pytest.raises(BundleError, match=r"has no onnx/generator\.onnx \(sites leave it out\); use the bundle of"):
        write_repository([bundle], tmp_path / "repository")


def test_stopped_midway_it_leaves_nothing(digits_bundle: Path, dcgan_bundle: Path, tmp_path: Path) -> None:
    class Stop:
        def stage(self, text: str, steps: int | None = None) -> None:
            pass

        def step(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_repository([digits_bundle, dcgan_bundle], tmp_path / "new" / "repository", progress=Stop())
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_it_put_where(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "repository"
    arguments = ["ganexport", "triton", str(digits_bundle), "-o", str(output), "--max-batch", "8", "--json"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert not stopped.value.code
    (said,) = json.loads(capsys.readouterr().out)
    assert said == {
        "name": "digits",
        "version": 1,
        "folder": str(output / "digits"),
        "max_batch": 8,
        "inputs": {"z": ["N", 64], "c": ["N", 10], "truncation_psi": ["N"]},
        "outputs": {"images": ["N", 32, 32, 1]},
    }
    assert read_manifest(output / "digits" / "1").name == "digits"
    monkeypatch.setattr(sys, "argv", [*arguments[:5], "--version", "2"])
    with pytest.raises(SystemExit):
        cli.main()
    assert f"tritonserver --model-repository={output}" in capsys.readouterr().out
