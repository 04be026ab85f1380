"""Large weights lie beside the ONNX graphs, in files that the graphs share; here the limits are small instead."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from support.generators import make_generator, stylegan2_spec
from support.replays import export_to

from ganexport.architectures.stylegan2 import Spec
from ganexport.bundle import check_files, open_bundle
from ganexport.convert import ConvertOptions, convert
from ganexport.errors import BundleError, OptionError
from ganexport.exporters import EXPORTERS, ExportOptions, _weight_files
from ganexport.exporters import onnx as onnx_exporter
from ganexport.exporters.graphs import Device
from ganexport.generator import Generator
from ganexport.manifest import Graph, Graphs, read_manifest
from ganexport.site import build_site
from ganexport.verify import verify

LIMIT, PAGE = 20_000, 256
ONNX = ConvertOptions(targets=("onnx",))


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_weight_files, "SHARD_BYTES", LIMIT)
    monkeypatch.setattr(_weight_files, "PAGE", PAGE)


@pytest.fixture(scope="module")
def generator() -> Generator:
    """Its first three kernels, of 3×3 windows, are larger than a file may be; its mapping is not."""
    return make_generator(stylegan2_spec(channels=(48, 24, 8)))


def tensors(folder: Path, graph: Graph) -> dict[str, np.ndarray]:
    model = onnx.load(folder / graph.file)  # with what lies beside it
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def graphs_of(graphs: Graphs) -> tuple[Graph, Graph, Graph]:
    assert graphs.mapping is not None
    assert graphs.generator is not None
    (synthesis,) = graphs.synthesis
    return graphs.mapping, synthesis, graphs.generator


@pytest.mark.usefixtures("small_files")
def test_graphs_share_files_of_limited_size(generator: Generator, tmp_path: Path) -> None:
    mapping, synthesis, whole = graphs_of(export_to(tmp_path, generator, "onnx"))
    assert mapping.weight_files == ()
    assert len(synthesis.weight_files) > 2
    own = set(whole.weight_files) - set(synthesis.weight_files)
    assert set(whole.weight_files) == {*synthesis.weight_files, *own}
    assert len(own) == 1, "the mapping's weights, which pages need not load"
    sizes = {path: (tmp_path / path).stat().st_size for path in whole.weight_files}
    larger = {size for size in sizes.values() if size > LIMIT}
    assert larger == {36 * 48 * 48, 36 * 48 * 24, 36 * 24 * 24}, "a tensor that is too large has a file for itself"
    for graph in (mapping, synthesis, whole):
        assert (tmp_path / graph.file).stat().st_size < 2 * LIMIT


@pytest.mark.usefixtures("small_files")
def test_equal_bytes_lie_there_once(generator: Generator, tmp_path: Path) -> None:
    _, synthesis, whole = graphs_of(export_to(tmp_path, generator, "onnx"))
    places: dict[str, set[tuple[str, str]]] = {}
    for graph in (synthesis, whole):
        for tensor in onnx.load(tmp_path / graph.file, load_external_data=False).graph.initializer:
            facts = {entry.key: entry.value for entry in tensor.external_data}
            if tensor.data_location != TensorProto.EXTERNAL:
                assert len(tensor.raw_data) < PAGE
                continue
            assert int(facts["offset"]) % PAGE == 0
            data = (tmp_path / "onnx" / facts["location"]).read_bytes()
            data = data[int(facts["offset"]) :][: int(facts["length"])]
            assert len(data) == int(facts["length"]) == 4 * np.prod(tensor.dims)
            places.setdefault(hashlib.sha256(data).hexdigest(), set()).add((facts["location"], facts["offset"]))
    assert len(places) > 10
    assert {len(found) for found in places.values()} == {1}
    assert len(set.union(*places.values())) == len(places)


def test_what_lies_beside_is_what_would_lie_inside(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = export_to(tmp_path / "inside", generator, "onnx")
    monkeypatch.setattr(_weight_files, "SHARD_BYTES", LIMIT)
    monkeypatch.setattr(_weight_files, "PAGE", PAGE)
    beside = export_to(tmp_path / "beside", generator, "onnx")
    again = export_to(tmp_path / "again", generator, "onnx")
    assert beside == again
    for path in (tmp_path / "beside").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(tmp_path / "beside")).read_bytes()
    for one, other in zip(graphs_of(inside), graphs_of(beside), strict=True):
        assert one.weight_files == ()
        expected, got = tensors(tmp_path / "inside", one), tensors(tmp_path / "beside", other)
        assert expected.keys() == got.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(got[name], array)
            assert got[name].dtype == array.dtype


@pytest.mark.usefixtures("small_files")
def test_a_single_file_holds_all(generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    single = ExportOptions(single_file=True)
    graphs = graphs_of(EXPORTERS["onnx"](generator, tmp_path, single))
    assert [graph.weight_files for graph in graphs] == [(), (), ()]
    assert {path.name for path in (tmp_path / "onnx").iterdir()} == {
        "mapping.onnx",
        "synthesis.onnx",
        "generator.onnx",
    }
    monkeypatch.setattr(onnx_exporter, "MOST_IN_ONE_FILE", 50_000)
    with pytest.raises(OptionError, match=r"synthesis\.onnx would hold .* at most 2 GB; leave out --single-file"):
        convert(generator, tmp_path / "out", ConvertOptions(targets=("onnx",), export=single))
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("small_files")
def test_such_a_bundle_is_proven_drawn_and_published(generator: Generator, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    manifest = convert(generator, folder, ONNX)
    assert {result.status for result in manifest.parity} == {"ok"}
    assert {result.status for result in verify(folder)} == {"ok"}
    plain = tmp_path / "plain"
    convert(generator, plain, ConvertOptions(targets=("onnx",), export=ExportOptions(single_file=True)))
    pictures = [open_bundle(path).generate(seeds=[1, 2], label=1) for path in (folder, plain)]
    np.testing.assert_array_equal(*pictures)

    graphs = manifest.targets["onnx"]
    _, synthesis, whole = graphs_of(graphs)
    assert set(whole.weight_files) < manifest.files.keys()
    site = build_site([folder], tmp_path / "site")
    published = {path.name for path in site.rglob("weights*.bin")}
    assert published == {Path(path).name for path in synthesis.weight_files}


@pytest.mark.usefixtures("small_files")
def test_weights_that_were_altered_or_lost_are_found(generator: Generator, tmp_path: Path) -> None:
    manifest = convert(generator, tmp_path / "bundle", ONNX)
    name = manifest.targets["onnx"].synthesis[0].weight_files[1]
    path = tmp_path / "bundle" / name
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match=f"{name} was altered"):
        check_files(tmp_path / "bundle", read_manifest(tmp_path / "bundle"))
    path.unlink()
    with pytest.raises(BundleError, match="onnxruntime cannot run"):
        open_bundle(tmp_path / "bundle").generate(seeds=[1], label=1)


def test_the_command_line_says_single_file(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from ganexport.cli import app

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_weight_files, "SHARD_BYTES", 1000)
        patch.setattr(_weight_files, "PAGE", PAGE)
        for name, more in (("one", ["--single-file"]), ("many", [])):
            arguments = ["convert", str(tiny_checkpoint), "-o", str(tmp_path / name), "--to", "onnx", *more]
            assert not app(arguments, standalone_mode=False)
    assert not list((tmp_path / "one" / "onnx").glob("*.bin"))
    assert list((tmp_path / "many" / "onnx").glob("*.bin"))


@pytest.mark.parametrize("device", [None, "wasm"])
def test_what_a_page_loads_is_the_weights_and_little_more(device: Device | None, tmp_path: Path) -> None:
    """What follows from large kernels is not in the files."""
    spec = Spec(resolution=16, image_channels=3, z_dim=64, channels=(512, 512, 512), noise=False)
    generator = make_generator(spec)
    whole = sum(array.nbytes for array in generator.weights.values())
    assert whole > 10e6
    for target, export in EXPORTERS.items():
        graphs = export(generator, tmp_path, ExportOptions(optimize_for=device))
        loaded = [graph for graph in (graphs.mapping, *graphs.synthesis) if graph is not None]
        files = {file for graph in loaded for file in (graph.file, *graph.weight_files)}
        assert sum((tmp_path / file).stat().st_size for file in files) <= 1.02 * whole, target


@pytest.mark.usefixtures("small_files")
def test_weights_in_fewer_bytes_are_shared_too(generator: Generator, tmp_path: Path) -> None:
    manifest = convert(generator, tmp_path / "out", ConvertOptions(targets=("onnx",), precision="int8"))
    _, synthesis, whole = graphs_of(manifest.targets["onnx"])
    assert synthesis.weight_files
    assert set(synthesis.weight_files) <= set(whole.weight_files)
    held = sum(manifest.files[name].bytes for name in synthesis.weight_files)
    codes = {
        n: t for n, t in tensors(tmp_path / "out", synthesis).items() if n.endswith("weight.int8") and t.nbytes >= PAGE
    }
    assert sum(t.nbytes for t in codes.values()) <= held < 2 * sum(t.nbytes for t in codes.values())
    assert {result.status for result in verify(tmp_path / "out")} == {"ok"}
    build_site([tmp_path / "out"], tmp_path / "site")
    loaded = read_manifest(tmp_path / "site" / "models" / "out").files
    assert set(synthesis.weight_files) <= set(loaded)
    assert not (set(whole.weight_files) - set(synthesis.weight_files)) & set(loaded)
    assert "checkpoint.safetensors" not in loaded
