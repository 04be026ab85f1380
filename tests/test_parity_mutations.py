"""What the gate must not let through: each mutation of an exporter, in each target, fails and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from support.generators import make_generator, random_tensors
from support.replays import export_to

from ganexport.convert import ConvertOptions, convert, gate_cases
from ganexport.errors import BundleError, ParityError, RuntimeUnavailableError
from ganexport.exporters import EXPORTERS, ExportOptions
from ganexport.exporters import onnx as onnx_exporter
from ganexport.exporters import tfjs as tfjs_exporter
from ganexport.generator import Generator
from ganexport.manifest import Graphs, GraphTensor, ParityResult, TargetName
from ganexport.ops.graph import Weight
from ganexport.ops.onnx_ops import OnnxOps
from ganexport.ops.tfjs_ops import TfjsOps
from ganexport.parity import Oracle, check_target
from ganexport.runtimes import RUNTIMES
from ganexport.runtimes.tfjs import TfjsNode

RANGE = (-1.0, 1.0)


def only(monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[], Any]) -> None:
    """Register this runtime and no other."""
    for other in list(RUNTIMES):
        monkeypatch.delitem(RUNTIMES, other)
    monkeypatch.setitem(RUNTIMES, name, make)


@dataclass(frozen=True)
class Side:
    """What a mutation can reach of one target: the exporter's module and its interpreter."""

    module: ModuleType
    ops: type[Any]
    patch: pytest.MonkeyPatch

    def weight(self, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """The exporter takes one tensor for another."""

        def changed(tensors: dict[str, np.ndarray], *_: Any) -> dict[str, Weight]:
            return {n: Weight(n, change(a) if n == name else a) for n, a in tensors.items()}

        self.patch.setattr(self.module, "named_weights", changed)

    def image(self, change: Callable[[Any, Any], Any]) -> None:
        """The exporter does one more thing with the picture."""
        real = self.module.synthesis

        def changed(ops: Any, *args: Any) -> dict[str, Any]:
            outputs = real(ops, *args)
            return {**outputs, "image": change(ops, outputs["image"])}

        self.patch.setattr(self.module, "synthesis", changed)

    def operation(self, name: str, make: Callable[[Any], Any]) -> None:
        """The interpreter does an operation in another way."""
        self.patch.setattr(self.ops, name, make(getattr(self.ops, name)))


Mutation = Callable[[Side], None]


def flipped_kernel(side: Side) -> None:
    side.weight("synthesis.b16.conv1.weight", lambda kernel: np.ascontiguousarray(kernel[:, :, :, ::-1]))


def flipped_upsampling_kernel(side: Side) -> None:
    side.weight("synthesis.b8.conv0.weight", lambda kernel: np.ascontiguousarray(kernel[:, :, ::-1, ::-1]))


def flipped_filter(side: Side) -> None:
    side.operation("upsample2d", lambda real: lambda ops, x, fir: real(ops, x, fir[::-1, ::-1]))


def dropped_gain(side: Side) -> None:
    """The first gain of each graph."""

    def make(real: Callable[..., Any]) -> Callable[..., Any]:
        def scale(ops: Any, x: Any, factor: float) -> Any:
            if hasattr(ops, "dropped"):
                return real(ops, x, factor)
            ops.dropped = True
            return x

        return scale

    side.operation("scale", make)


def dropped_demodulation(side: Side) -> None:
    side.operation("rsqrt", lambda real: lambda ops, x, floor: ops.scale(ops.add(x, x), 0.5))


def swapped_layers(side: Side) -> None:
    swap = {2: 3, 3: 2}
    side.operation("select_w", lambda real: lambda ops, ws, index: real(ops, ws, swap.get(index, index)))


def swapped_weights(side: Side) -> None:
    def swapped(tensors: dict[str, np.ndarray], *_: Any) -> dict[str, Weight]:
        a, b = "synthesis.b8.torgb.bias", "synthesis.b16.torgb.bias"
        return {n: Weight(n, tensors[{a: b, b: a}.get(n, n)]) for n in tensors}

    side.patch.setattr(side.module, "named_weights", swapped)


def blank_picture(side: Side) -> None:
    side.image(lambda ops, image: ops.scale(image, 0.0))


def not_a_number(side: Side) -> None:
    side.weight("synthesis.b16.torgb.bias", lambda bias: np.asarray([np.nan, *bias[1:]], np.float32))


def wrong_name(side: Side) -> None:
    real = side.module.write_graph

    def renamed(*args: Any, **more: Any) -> Any:
        changed = [{**a, "picture": a["image"]} if isinstance(a, dict) and "image" in a else a for a in args]
        for outputs in (a for a in changed if isinstance(a, dict)):
            outputs.pop("image", None)
        return real(*changed, **more)

    side.patch.setattr(side.module, "write_graph", renamed)


def wrong_shape(side: Side) -> None:
    side.image(lambda ops, image: ops.upsample2d(image, np.full((2, 2), 0.25)))


def transposed_picture(side: Side) -> None:
    def transpose(ops: Any, image: Any) -> Any:
        if isinstance(ops, OnnxOps):
            return ops.node("Transpose", [image], image.shape, perm=[0, 1, 3, 2])
        perm = ops.constant("turn", np.asarray([0, 2, 1, 3], np.int32))
        return ops.node("Transpose", [image, perm], image.shape, Tperm={"type": "DT_INT32"})

    side.image(transpose)


def ignored_noise(side: Side) -> None:
    side.operation("add_noise", lambda real: lambda ops, x, const, strength, scale: x)


def noise_that_cannot_be_turned_off(side: Side) -> None:
    def always(ops: Any, scale: Any) -> Any:
        return ops.node("Exp", [ops.scale(scale, 0.0)], scale.shape)  # e⁰ = 1

    side.operation("add_noise", lambda real: lambda ops, x, c, s, scale: real(ops, x, c, s, always(ops, scale)))


def ignored_psi(side: Side) -> None:
    def ones(ops: Any, psi: Any) -> Any:
        return ops.node("Exp", [ops.scale(psi, 0.0)], psi.shape)

    side.operation("truncate", lambda real: lambda ops, w, w_avg, psi: real(ops, w, w_avg, ones(ops, psi)))


def ignored_labels(side: Side) -> None:
    real = side.module.mapping
    side.patch.setattr(
        side.module, "mapping", lambda ops, w, spec, z, c, psi: real(ops, w, spec, z, ops.scale(c, 0.0), psi)
    )


MUTATIONS: dict[Mutation, tuple[str, str]] = {
    flipped_kernel: ("image", "differs"),
    flipped_upsampling_kernel: ("image", "differs"),
    flipped_filter: ("image", "differs"),
    dropped_gain: ("ws", "differs"),
    dropped_demodulation: ("image", "differs"),
    swapped_layers: ("image", "differs"),
    swapped_weights: ("image", "differs"),
    blank_picture: ("image", "a blank picture"),
    not_a_number: ("image", "not finite"),
    wrong_name: ("image", "no graph gives it"),
    wrong_shape: ("image", "shape [1, 3, 32, 32], expected [1, 3, 16, 16]"),
    transposed_picture: ("image", "differs"),
    ignored_noise: ("image", "differs"),
    noise_that_cannot_be_turned_off: ("image", "differs"),
    ignored_psi: ("ws", "differs"),
    ignored_labels: ("ws", "differs"),
}


@pytest.fixture(scope="module")
def node() -> TfjsNode:
    """One runtime for all, so that its version is asked for once."""
    return TfjsNode("cpu")


@pytest.fixture(params=["onnx", "tfjs"])
def side(request: pytest.FixtureRequest, node: TfjsNode, monkeypatch: pytest.MonkeyPatch) -> Side:
    """One target, and one runtime for it."""
    if request.param == "onnx":
        return Side(onnx_exporter, OnnxOps, monkeypatch)
    only(monkeypatch, "tfjs-cpu", lambda: node)
    return Side(tfjs_exporter, TfjsOps, monkeypatch)


def failures(side: Side, generator: Generator, folder: Path) -> list[ParityResult]:
    """Convert, which must fail and leave nothing; what failed."""
    target: TargetName = "onnx" if side.ops is OnnxOps else "tfjs"
    results: list[ParityResult] = []
    options = ConvertOptions(targets=(target,), allow_unverified=True)
    with pytest.raises(ParityError, match="the export does not draw the same picture"):
        convert(generator, folder / "out", options, on_result=results.append)
    assert list(folder.iterdir()) == []
    failed = [result for result in results if result.status == "failed"]
    assert failed
    return failed


def test_without_a_mutation_it_passes(side: Side, tiny_generator: Generator, tmp_path: Path) -> None:
    target: TargetName = "onnx" if side.ops is OnnxOps else "tfjs"
    convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=(target,)))
    assert (tmp_path / "out").is_dir()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_mutation_fails_the_gate(mutation: Mutation, side: Side, tiny_generator: Generator, tmp_path: Path) -> None:
    mutation(side)
    failed = failures(side, tiny_generator, tmp_path)
    tensor, reason = MUTATIONS[mutation]
    found = [result.reason for result in failed if result.tensor == tensor]
    assert any(reason in (text or "") for text in found), failed
    assert not any(result.tensor == "weights_sha256" for result in failed)  # the pictures alone gave it away


def in_place_of(side: Side, other: Generator) -> None:
    """The exporter takes another generator than the one that it was given."""
    target: TargetName = "onnx" if side.ops is OnnxOps else "tfjs"
    real = EXPORTERS[target]
    side.patch.setitem(EXPORTERS, target, lambda given, folder, options: real(other, folder, options))


def test_untrained_weights_in_place_of_the_given_ones_fail_by_hash_and_by_picture(
    side: Side, tiny_generator: Generator, tmp_path: Path
) -> None:
    in_place_of(side, make_generator(tiny_generator.spec, random_tensors(tiny_generator.spec, seed=2)))
    failed = failures(side, tiny_generator, tmp_path)
    assert {"weights_sha256", "ws", "image", "images"} <= {result.tensor for result in failed}
    assert any("made of other weights" in (result.reason or "") for result in failed)


def test_untrained_weights_under_the_given_hash_fail_by_picture(
    side: Side, tiny_generator: Generator, tmp_path: Path
) -> None:
    other = random_tensors(tiny_generator.spec, seed=2)
    swapped = make_generator(tiny_generator.spec, other)
    object.__setattr__(swapped, "provenance", tiny_generator.provenance)  # which no honest program can do
    in_place_of(side, swapped)
    assert {"ws", "image", "images"} <= {result.tensor for result in failures(side, tiny_generator, tmp_path)}


def test_other_weights_that_draw_the_same_picture_fail_by_hash(
    side: Side, tiny_generator: Generator, tmp_path: Path
) -> None:
    layer = "synthesis.b8.conv1"
    weights = {**tiny_generator.weights}
    weights[f"{layer}.noise_const"] = weights[f"{layer}.noise_const"] * np.float32(2)
    weights[f"{layer}.noise_strength"] = np.asarray(weights[f"{layer}.noise_strength"] / 2, np.float32)
    in_place_of(side, make_generator(tiny_generator.spec, weights))
    assert {result.tensor for result in failures(side, tiny_generator, tmp_path)} == {"weights_sha256"}


def test_a_graph_without_a_hash_fails(
    side: Side, tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side.module, "metadata", lambda generator, options: {})
    failed = failures(side, tiny_generator, tmp_path)
    assert {result.tensor for result in failed} == {"weights_sha256"}
    assert all("no hash" in (result.reason or "") for result in failed)


def listed_as(side: Side, change: Callable[[Graphs], Graphs]) -> None:
    """The manifest says something else of the graphs than what they are."""
    target: TargetName = "onnx" if side.ops is OnnxOps else "tfjs"
    real = EXPORTERS[target]
    side.patch.setitem(EXPORTERS, target, lambda *args: change(real(*args)))


def test_a_manifest_that_names_an_output_otherwise_fails(side: Side, tiny_generator: Generator, tmp_path: Path) -> None:
    def renamed(graphs: Graphs) -> Graphs:
        graph = graphs.synthesis[0]
        picture = GraphTensor(name="picture", shape=("N", 3, 16, 16), dtype="float32")
        outputs = tuple(picture if t.name == "image" else t for t in graph.outputs)
        return graphs.model_copy(update={"synthesis": (graph.model_copy(update={"outputs": outputs}),)})

    listed_as(side, renamed)
    failures(side, tiny_generator, tmp_path)


def test_a_manifest_that_forgets_an_input_fails(side: Side, tiny_generator: Generator, tmp_path: Path) -> None:
    def without_noise(graphs: Graphs) -> Graphs:
        graph = graphs.synthesis[0]
        inputs = tuple(t for t in graph.inputs if t.name != "noise_scale")
        return graphs.model_copy(update={"synthesis": (graph.model_copy(update={"inputs": inputs}),)})

    listed_as(side, without_noise)
    failures(side, tiny_generator, tmp_path)


@pytest.mark.parametrize("file", ["mapping", "synthesis", "generator"])
def test_an_onnx_file_that_is_cut_short_fails(
    file: str, tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = Side(onnx_exporter, OnnxOps, monkeypatch)
    real = EXPORTERS["onnx"]

    def cut(generator: Generator, folder: Path, options: ExportOptions) -> Graphs:
        graphs = real(generator, folder, options)
        path = folder / "onnx" / f"{file}.onnx"
        path.write_bytes(path.read_bytes()[:-100])
        return graphs

    monkeypatch.setitem(EXPORTERS, "onnx", cut)
    assert any("onnxruntime cannot run" in (r.reason or "") for r in failures(side, tiny_generator, tmp_path))


def test_a_tfjs_shard_that_is_cut_short_fails(
    node: TfjsNode, tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "tfjs-cpu", lambda: node)
    real = EXPORTERS["tfjs"]

    def cut(generator: Generator, folder: Path, options: ExportOptions) -> Graphs:
        graphs = real(generator, folder, options)
        path = folder / graphs.synthesis[0].weight_files[0]
        path.write_bytes(path.read_bytes()[:-4])
        return graphs

    monkeypatch.setitem(EXPORTERS, "tfjs", cut)
    failures(Side(tfjs_exporter, TfjsOps, monkeypatch), tiny_generator, tmp_path)


# -- generator.onnx, of which the gate sees 8-bit pictures only --


def swapped_colours(ops: Any, image: Any) -> Any:
    turn = ops.constant("turn", np.asarray([2, 1, 0], np.int64))
    return ops.node("Gather", [image, turn], image.shape, axis=1)


def twice_as_bright(ops: Any, image: Any) -> Any:
    return ops.scale(image, 2.0)


def slightly_darker(ops: Any, image: Any) -> Any:
    return ops.scale(image, 0.97)


@pytest.mark.parametrize("change", [swapped_colours, twice_as_bright, slightly_darker])
def test_a_change_of_generator_onnx_alone_fails(
    change: Callable[[Any, Any], Any], tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = onnx_exporter.to_pixels
    monkeypatch.setattr(onnx_exporter, "to_pixels", lambda ops, image, span: real(ops, change(ops, image), span))
    failed = failures(Side(onnx_exporter, OnnxOps, monkeypatch), tiny_generator, tmp_path)
    assert {result.tensor for result in failed} == {"images"}


@pytest.mark.parametrize("what", ["psi", "noise", "channels last"])
def test_generator_onnx_that_leaves_something_out_fails(
    what: str, tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = Side(onnx_exporter, OnnxOps, monkeypatch)
    if what == "psi":
        real = onnx_exporter.mapping

        def mapping(ops: Any, w: Any, spec: Any, z: Any, c: Any, psi: Any) -> Any:
            if psi.name != "truncation_psi":  # made of the one psi of a picture
                psi = ops.node("Exp", [ops.scale(psi, 0.0)], psi.shape)
            return real(ops, w, spec, z, c, psi)

        monkeypatch.setattr(onnx_exporter, "mapping", mapping)
    elif what == "noise":
        real_synthesis = onnx_exporter.synthesis

        def synthesis(ops: Any, w: Any, spec: Any, inputs: dict[str, Any], until: int | None = None) -> Any:
            whole = inputs["ws"].name != "ws"
            return real_synthesis(ops, w, spec, {"ws": inputs["ws"]} if whole else inputs, until)

        monkeypatch.setattr(onnx_exporter, "synthesis", synthesis)
    else:
        real_pixels = onnx_exporter.to_pixels

        def channels_first(ops: Any, image: Any, span: tuple[float, float]) -> Any:
            return ops.node("Transpose", [real_pixels(ops, image, span)], (None, 3, 16, 16), perm=[0, 3, 1, 2])

        monkeypatch.setattr(onnx_exporter, "to_pixels", channels_first)
    failed = failures(side, tiny_generator, tmp_path)
    assert {result.tensor for result in failed} == {"images"}


# -- a runtime that misbehaves --


class Mistaken:
    """A runtime that draws what it is told to."""

    name = "onnxruntime-cpu"
    target: TargetName = "onnx"

    def __init__(self, outputs: Callable[[Sequence[Any]], Any], fingerprint: str | None) -> None:
        self.outputs, self.found = outputs, fingerprint

    def version(self) -> str:
        return "0"

    def replay(self, folder: Path, graphs: Graphs, cases: Sequence[Any], on_case: Any) -> Any:
        return self.outputs(cases)

    def fingerprint(self, path: Path) -> str | None:
        return self.found


def raising(error: Exception) -> Callable[[Sequence[Any]], Any]:
    def replay(cases: Sequence[Any]) -> Any:
        raise error

    return replay


@pytest.mark.parametrize(
    ("error", "status"),
    [(BundleError("it fell over"), "failed"), (RuntimeUnavailableError("gone"), "not verified")],
)
def test_what_a_runtime_says_of_itself(
    error: Exception, status: str, tiny_generator: Generator, tmp_path: Path
) -> None:
    graphs = export_to(tmp_path, tiny_generator, "onnx")
    cases = gate_cases(Oracle(tiny_generator), "const")
    sha = tiny_generator.provenance.weights_sha256
    runtime = Mistaken(raising(error), sha)
    seen: list[ParityResult] = []
    results = check_target(
        tmp_path,
        "onnx",
        graphs,
        cases,
        weights_sha256=sha,
        image_range=RANGE,
        runtimes=[runtime],
        on_result=seen.append,
    )
    assert seen == results
    assert results[-1].status == status
    assert str(error) in (results[-1].reason or "")
    if status == "not verified":  # a matching hash alone is no proof
        assert len(results) == 1


def test_a_runtime_that_answers_too_few_cases_fails(tiny_generator: Generator, tmp_path: Path) -> None:
    graphs = export_to(tmp_path, tiny_generator, "onnx")
    cases = gate_cases(Oracle(tiny_generator), "const")
    sha = tiny_generator.provenance.weights_sha256
    runtime = Mistaken(lambda feeds: [dict(cases[0].expected)], sha)
    with pytest.raises(ValueError, match="shorter"):
        check_target(tmp_path, "onnx", graphs, cases, weights_sha256=sha, image_range=RANGE, runtimes=[runtime])
