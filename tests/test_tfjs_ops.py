"""Forms of TensorFlow.js graphs that the nets of other tests are too small for, and how their weights are written."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from support.generators import make_generator, oracle_outputs, stylegan2_spec
from support.interpreters import assert_all_close, random_cases, relative_error
from support.replays import replay_tfjs

from ganexport.exporters import tfjs as tfjs_exporter
from ganexport.manifest import Graph, Graphs
from ganexport.ops.graph import Value, Weight
from ganexport.ops.numpy_ops import NumpyOps
from ganexport.ops.protocol import fir_taps
from ganexport.ops.tfjs_ops import TfjsOps
from ganexport.parity.tolerances import relative_tolerance
from ganexport.runtimes.tfjs import TfjsNode


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def write(folder: Path, ops: TfjsOps, y: Value) -> Graph:
    return tfjs_exporter.write_graph(folder, "graph", ops, {"y": y}, None, {})


def shards(folder: Path, graph: Graph) -> list[bytes]:
    return [(folder / file).read_bytes() for file in graph.weight_files]


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_fewer_products_give_the_same_map(backend: str, tmp_path: Path) -> None:
    kernel = Weight("kernel", random(40, 32, 3, 3))  # [O, I, kh, kw]
    ops = TfjsOps("wasm")
    x = ops.input("x", (None, 16, 20, 32))
    y = ops.conv2d(ops.conv2d(x, kernel, 1), Weight("other", random(32, 40, 3, 3)), 1)
    twice = ops.add(y, ops.conv2d(x, Weight("third", random(32, 32, 1, 1)), 0))
    assert len(ops.prepared) == 2 * 36
    graphs = Graphs(mapping=None, synthesis=(write(tmp_path, ops, twice),))
    cases = [{"x": random(n, 16, 20, 32)} for n in (3, 1)]
    exact = NumpyOps()
    for case, got in zip(cases, TfjsNode(backend).replay(tmp_path, graphs, cases), strict=True):
        maps = case["x"].transpose(0, 3, 1, 2).astype(np.float64)
        expected = exact.conv2d(exact.conv2d(maps, kernel.array, 1), random(32, 40, 3, 3), 1)
        expected = expected + exact.conv2d(maps, random(32, 32, 1, 1), 0)
        assert relative_error(got["y"], expected) <= 1e-5  # 4e-6 when measured, of two layers


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_fewer_products_give_the_same_map_of_twice_the_size(backend: str, tmp_path: Path) -> None:
    kernel, fir = random(136, 128, 3, 3), fir_taps((1, 2, 5, 0.5))
    ops = TfjsOps("wasm")
    y = ops.upsample_conv2d(ops.input("x", (None, 16, 16, 128)), Weight("kernel", kernel), fir, 3)
    assert len(ops.prepared) == 36
    assert y.shape == (None, 32, 32, 136)
    graphs = Graphs(mapping=None, synthesis=(write(tmp_path, ops, y),))
    cases = [{"x": random(n, 16, 16, 128)} for n in (3, 1)]
    for case, got in zip(cases, TfjsNode(backend).replay(tmp_path, graphs, cases), strict=True):
        maps = case["x"].transpose(0, 3, 1, 2).astype(np.float64)
        assert relative_error(got["y"], NumpyOps().upsample_conv2d(maps, kernel, fir, 3)) <= 2e-5  # 7e-6 when measured


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_a_generator_for_wasm_draws_the_oracles_picture(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tfjs_exporter, "TfjsOps", lambda _: TfjsOps("wasm"))
    spec = stylegan2_spec(resolution=32, channels=(32, 36, 34, 32), conv_clamp=0.8)
    generator, cases = make_generator(spec), random_cases(spec, noise_scale=(1.0, 0.0, 1.0))
    got = replay_tfjs(tmp_path, backend, {"net": generator}, {"net": cases})["net"]
    assert "modelInitializer" in json.loads((tmp_path / "net/tfjs/synthesis/model.json").read_text())
    expected = [oracle_outputs(generator, feeds) for feeds in cases]
    assert_all_close(got, expected, relative_tolerance(f"tfjs-{backend}"))


def test_a_kernel_that_is_used_twice_is_prepared_once_and_stored_as_it_is(tmp_path: Path) -> None:
    kernel, ops = Weight("kernel", random(32, 32, 3, 3)), TfjsOps("wasm")
    once = ops.conv2d(ops.input("x", (None, 16, 16, 32)), kernel, 1)
    size = sum(array.nbytes for array in ops.weights.values())
    twice = ops.conv2d(once, kernel, 1)
    assert len(ops.prepared) == 36
    assert sum(array.nbytes for array in ops.weights.values()) == size
    assert size - kernel.array.nbytes < 20_000  # both bases, and shapes
    assert len(b"".join(shards(tmp_path, write(tmp_path, ops, twice)))) == size


@pytest.mark.parametrize(
    ("size", "channels", "kernel"), [(18, 32, 3), (12, 32, 3), (16, 31, 3), (16, 32, 1), (16, 32, 5)]
)
def test_what_does_not_pay_stays_plain(size: int, channels: int, kernel: int) -> None:
    weight = Weight("kernel", random(32, channels, kernel, kernel))
    for ops, padding in ((TfjsOps("wasm"), kernel // 2), (TfjsOps("webgl"), 1), (TfjsOps(), 1)):
        y = ops.conv2d(ops.input("x", (None, size, size, channels)), weight, padding)
        assert y.shape == (None, *(size + 2 * padding - kernel + 1,) * 2, 32)
        assert [node["op"] for node in ops.nodes] == ["Placeholder", "Const", "Conv2D"]
        assert not ops.prepared


def test_weights_are_written_in_the_order_of_their_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfjs_exporter, "SHARD_BYTES", 100)
    ops = TfjsOps()
    x = ops.input("x", (None, 7))
    for i in range(5):
        x = ops.dense(x, Weight(f"w{i}", random(7, 7)[: 5 if i == 4 else 7]), None)
    graph = write(tmp_path, ops, x)
    parts = shards(tmp_path, graph)
    assert [len(part) for part in parts] == [100] * 9 + [4 * (4 * 49 + 35) - 900]
    assert b"".join(parts) == b"".join(np.ascontiguousarray(array).tobytes() for array in ops.weights.values())
    assert list(ops.weights) == [f"w{i}" for i in range(5)]


def test_a_graph_without_weights_has_an_empty_shard(tmp_path: Path) -> None:
    ops = TfjsOps()
    x = ops.input("x", (None, 7))
    assert shards(tmp_path, write(tmp_path, ops, ops.multiply(x, x))) == [b""]


def test_writing_copies_one_weight_at_a_time(tmp_path: Path) -> None:
    ops, size = TfjsOps(), 1 << 20
    x = ops.input("x", (None, 16, 16, 256))
    arrays = [np.zeros((256, 256, 2, 2), np.float32) for _ in range(8)]
    assert arrays[0].nbytes == size
    for i, array in enumerate(arrays):
        x = ops.resampling.conv_transpose2d(x, Weight(f"k{i}", array), 1, 0)
    tracemalloc.start()
    write(tmp_path, ops, x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * size


def test_phases_of_a_kernel_are_no_copies() -> None:
    kernel = Weight("k", random(4, 4, 4, 4))
    ops = TfjsOps()
    ops.conv_transpose2d(ops.input("x", (None, 8, 8, 4)), kernel, 2, 1)
    phases = [array for name, array in ops.weights.items() if name.startswith("k.phase")]
    assert len(phases) == 4
    assert all(np.shares_memory(array, kernel.array) for array in phases)


@pytest.mark.parametrize(("size", "channels", "optimize_for"), [(18, 128, "wasm"), (16, 127, "wasm"), (16, 128, None)])
def test_what_does_not_pay_when_upsampled_stays_plain(size: int, channels: int, optimize_for: str | None) -> None:
    ops = TfjsOps(optimize_for)
    x = ops.input("x", (None, size, size, channels))
    ops.upsample_conv2d(x, Weight("kernel", random(128, channels, 3, 3)), fir_taps((1, 3, 3, 1)), 3)
    assert sum(node["op"] == "Conv2D" for node in ops.nodes) == 4
    assert not ops.prepared
