"""A synthesis in stages: a first picture early, then the rest, without work or weights twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.generators import make_generator, oracle_outputs, stylegan2_spec
from support.interpreters import assert_close
from test_lucidrains import lucidrains_spec

from ganexport.architectures import carried
from ganexport.bundle import open_bundle
from ganexport.convert import ConvertOptions, convert
from ganexport.errors import ParityError
from ganexport.exporters import EXPORTERS, ExportOptions, _weight_files
from ganexport.exporters import onnx as onnx_exporter
from ganexport.generator import Generator
from ganexport.manifest import Graph, Graphs, read_manifest
from ganexport.runtimes import RUNTIMES

TOLERANCE = 1e-4
TRIFLE = 4096
"""Bytes of a constant that two graphs may each have: scalars, shapes, filters."""


def staged_outputs(graphs: Graphs) -> list[list[str]]:
    return [[tensor.name for tensor in stage.outputs] for stage in graphs.synthesis]


def constants(folder: Path, graph: Graph) -> dict[bytes, int]:
    """Bytes of each constant of a graph, by what it holds."""
    arrays = [numpy_helper.to_array(tensor) for tensor in onnx.load(folder / graph.file).graph.initializer]
    return {array.tobytes(): array.nbytes for array in arrays}


def nodes(folder: Path, graph: Graph) -> list[str]:
    return [node.op_type for node in onnx.load(folder / graph.file).graph.node if node.op_type != "Identity"]


def test_a_bundle_of_two_stages(staged_bundle: Path) -> None:
    manifest = read_manifest(staged_bundle)
    assert manifest.previews == (4, 8, 16, 32, 64)
    for graphs in manifest.targets.values():
        assert [stage.resolution for stage in graphs.synthesis] == [64, 128]
        pictures = [f"rgb_b{size}" for size in manifest.previews]
        assert staged_outputs(graphs) == [[*pictures, "x_b64"], ["image"]]
        assert [tensor.name for tensor in graphs.synthesis[1].inputs] == ["ws", "noise_scale", "x_b64", "rgb_b64"]
    maps = {name: graphs.synthesis[1].inputs[2].shape for name, graphs in manifest.targets.items()}
    assert maps == {"onnx": ("N", 6, 64, 64), "tfjs": ("N", 64, 64, 6)}
    verified = {(result.runtime, result.tensor) for result in manifest.parity if result.status == "ok"}
    assert {(name, tensor) for name in RUNTIMES for tensor in ("rgb_b64", "image")} <= verified


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_stages_draw_what_the_oracle_draws(staged_generator: Generator, staged_bundle: Path, runtime: str) -> None:
    spec, replay = staged_generator.spec, RUNTIMES[runtime]()
    random = np.random.default_rng(3)
    feeds = {
        "z": random.standard_normal((3, spec.z_dim)).astype(np.float32),
        "c": np.eye(spec.c_dim, dtype=np.float32)[[0, 2, 1]],
        "truncation_psi": random.uniform(0.3, 1, (3, spec.num_ws)).astype(np.float32),
        "noise_scale": np.asarray([1, 0, 1], np.float32),
    }
    (got,) = replay.replay(staged_bundle, read_manifest(staged_bundle).targets[replay.target], [feeds])
    assert_close(got, oracle_outputs(staged_generator, feeds), TOLERANCE)


def test_python_draws_through_the_stages(staged_bundle: Path) -> None:
    pictures = open_bundle(staged_bundle).generate([1, 2], label=[0, 1], psi=0.7)
    manifest = read_manifest(staged_bundle)
    whole = manifest.targets["onnx"].generator
    assert whole is not None
    session = RUNTIMES["onnxruntime-cpu"]()
    z = np.concatenate([np.random.RandomState(seed).randn(1, manifest.spec.z_dim) for seed in (1, 2)])
    feeds = {
        "z": z.astype(np.float32),
        "c": np.eye(3, dtype=np.float32)[[0, 1]],
        "truncation_psi": np.full((2, manifest.spec.num_ws), 0.7, np.float32),
        "noise_scale": np.ones(2, np.float32),
    }
    (got,) = session.replay(staged_bundle, manifest.targets["onnx"], [feeds])
    assert np.abs(got["images"].astype(int) - pictures).max() <= 1


def test_neither_weights_nor_work_twice(staged_bundle: Path) -> None:
    graphs = read_manifest(staged_bundle).targets["onnx"]
    assert graphs.generator is not None
    assert graphs.mapping is not None
    first, rest = (constants(staged_bundle, stage) for stage in graphs.synthesis)
    assert all(first[data] < TRIFLE for data in first.keys() & rest.keys())
    whole = constants(staged_bundle, graphs.generator)
    assert first.keys() | rest.keys() <= whole.keys()
    for op in ("Conv", "ConvTranspose", "Gemm"):
        parts = sum(nodes(staged_bundle, graph).count(op) for graph in (graphs.mapping, *graphs.synthesis))
        assert parts == nodes(staged_bundle, graphs.generator).count(op), op


@pytest.mark.parametrize("noise", ["random", "none"])
def test_each_stage_takes_the_noise_of_its_own_layers(tmp_path: Path, noise: str) -> None:
    generator = make_generator(stylegan2_spec(resolution=128, channels=(4,) * 6))
    options = ConvertOptions(targets=("onnx",), export=ExportOptions(noise=noise))  # type: ignore[arg-type]
    manifest = convert(generator, tmp_path / "out", options)
    early, late = (
        [tensor.name for tensor in stage.inputs if tensor.name.startswith("noise")]
        for stage in manifest.targets["onnx"].synthesis
    )
    assert late == (["noise.b128.conv0", "noise.b128.conv1"] if noise == "random" else [])
    assert len(early) == (9 if noise == "random" else 0)
    assert not set(early) & set(late)


@pytest.mark.parametrize(("noise", "targets"), [("const", ("onnx", "tfjs")), ("random", ("onnx",))])
def test_lucidrains_in_stages(tmp_path: Path, noise: str, targets: tuple[str, ...]) -> None:
    spec = lucidrains_spec(resolution=128, channels=(4, 4, 3, 3, 3, 2), attention=(8,))
    options = ConvertOptions(targets=targets, export=ExportOptions(noise=noise))  # type: ignore[arg-type]
    manifest = convert(make_generator(spec), tmp_path / "out", options)
    for graphs in manifest.targets.values():
        assert [stage.resolution for stage in graphs.synthesis] == [64, 128]
        needed = "noise_scale" if noise == "const" else "noise"
        assert all(needed in [tensor.name for tensor in stage.inputs] for stage in graphs.synthesis)


@pytest.mark.parametrize("changes", [{"output": "resnet"}, {"output": "orig"}], ids=lambda c: c["output"])
def test_what_has_no_picture_on_the_way_is_one_stage(tmp_path: Path, changes: dict[str, str]) -> None:
    spec = stylegan2_spec(resolution=128, channels=(4,) * 6, **changes)
    assert carried(spec, 64) == {}
    graphs = EXPORTERS["onnx"](make_generator(spec), tmp_path, ExportOptions())
    assert [stage.file for stage in graphs.synthesis] == ["onnx/synthesis.onnx"]
    assert graphs.previews == ()


def test_stages_share_weight_files_with_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_weight_files, "SHARD_BYTES", 60_000)
    monkeypatch.setattr(_weight_files, "PAGE", 256)
    generator = make_generator(stylegan2_spec(resolution=128, channels=(24, 24, 16, 8, 4, 4)))
    graphs = EXPORTERS["onnx"](generator, tmp_path, ExportOptions())
    first, rest = graphs.synthesis
    assert graphs.generator is not None
    assert first.weight_files
    assert rest.weight_files, "small alone, but part of what is large"
    loaded = sum((tmp_path / path).stat().st_size for path in first.weight_files)
    own = sum(constants(tmp_path, first).values())
    assert loaded < own + 256 * len(constants(tmp_path, first)), "the first picture waits for nothing of the rest"
    assert {*first.weight_files, *rest.weight_files} <= set(graphs.generator.weight_files)


def test_a_stage_that_loses_the_picture_fails(
    staged_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = onnx_exporter.synthesis

    def forgetful(ops: Any, weights: Any, spec: Any, inputs: dict[str, Any], until: int | None = None) -> Any:
        if "rgb_b64" in inputs:
            inputs = {**inputs, "rgb_b64": ops.scale(inputs["rgb_b64"], 0.9)}
        return real(ops, weights, spec, inputs, until)

    monkeypatch.setattr(onnx_exporter, "synthesis", forgetful)
    with pytest.raises(ParityError, match="image"):
        convert(staged_generator, tmp_path / "out", ConvertOptions(targets=("onnx",)))
    assert not (tmp_path / "out").exists()
