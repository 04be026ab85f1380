"""Large generators: fewer cases and no slow runtime, and the gate says so; at full size, within a machine's memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.generators import dcgan_spec, stylegan2_spec
from support.replays import export_to

from benchmarks import large
from ganexport.convert import convert, gate_cases
from ganexport.cost import multiply_adds
from ganexport.errors import ParityError
from ganexport.generator import Generator
from ganexport.manifest import ParityResult, read_manifest
from ganexport.parity import Oracle, cases_for, check_target, parity_table, require_parity
from ganexport.parity.cases import FEWER_CASES_ABOVE
from ganexport.parity.compare import SLOW
from ganexport.runtimes.browser import BROWSER_RUNTIMES, BrowserResult
from ganexport.runtimes.tfjs import TfjsNode
from ganexport.verify import verify

MOST_MEBIBYTES = 3072
SLOWER = "left out: too slow for 0.0 GMAC a picture"
FEWER = "left out: 0.0 GMAC a picture, so batches of 1 and 2 stand for all"


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch, tiny_generator: Generator, tiny_dcgan: Generator) -> None:
    """As if the tiny ones were large."""
    limit = min(multiply_adds(tiny_generator.spec), multiply_adds(tiny_dcgan.spec)) - 1
    monkeypatch.setattr("ganexport.parity.cases.FEWER_CASES_ABOVE", limit)
    monkeypatch.setitem(SLOW, "tfjs-cpu", limit)


def unverified(results: Sequence[ParityResult]) -> set[tuple[str, str, str, str | None]]:
    return {(r.runtime, r.case, r.tensor, r.reason) for r in results if r.status == "not verified"}


def test_the_limits_are_between_small_and_large() -> None:
    assert multiply_adds(stylegan2_spec()) < SLOW["tfjs-cpu"] < FEWER_CASES_ABOVE == 20e9
    wide = stylegan2_spec(resolution=64, z_dim=512, w_dim=512, c_dim=0, channels=(512,) * 5)
    assert SLOW["tfjs-cpu"] < multiply_adds(wide) < FEWER_CASES_ABOVE
    larger = stylegan2_spec(resolution=256, z_dim=512, w_dim=512, c_dim=0, channels=(512,) * 5 + (256, 128))
    assert multiply_adds(larger) > FEWER_CASES_ABOVE


@pytest.mark.usefixtures("low_limits")
def test_the_few_cases_still_reach_every_input() -> None:
    cases = cases_for(stylegan2_spec(), "const")
    facts = [(len(case.seeds), case.truncation_psi, case.noise_mode) for case in cases]
    assert facts == [(1, 1.0, "const"), (2, 0.7, "none")]
    assert {label for case in cases for label in case.labels or ()} == {0, 1, 2}
    assert [case.noise_mode for case in cases_for(stylegan2_spec(), "input")] == ["random", "none"]
    assert [case.noise_mode for case in cases_for(stylegan2_spec(), "none")] == ["none", "none"]
    plain = cases_for(dcgan_spec(), "none")
    assert [(len(case.seeds), case.truncation_psi) for case in plain] == [(1, 1.0), (2, 1.0)]


@pytest.mark.usefixtures("low_limits")
def test_a_large_generator_is_proven_by_fewer_cases_and_says_so(tiny_generator: Generator, tmp_path: Path) -> None:
    told: list[ParityResult] = []
    convert(tiny_generator, tmp_path / "out", on_result=told.append)
    manifest = read_manifest(tmp_path / "out")
    assert [case.name for case in manifest.goldens.cases] == ["one", "two"]
    missing = {
        ("onnxruntime-cpu", "further cases", "all", FEWER),
        ("tfjs-wasm", "further cases", "all", FEWER),
        ("tfjs-cpu", "all", "all", SLOWER),
    }
    for results in (told, manifest.parity, verify(tmp_path / "out")):
        assert unverified(results) == missing
        assert {r.status for r in results} == {"ok", "not verified"}
        ran = {(r.runtime, r.case) for r in results if r.tensor == "image"}
        assert ran == {(runtime, case) for runtime in ("onnxruntime-cpu", "tfjs-wasm") for case in ("one", "two")}
        assert parity_table(results).row_count
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "allowed; not verified: " + FEWER in card
    assert "| tfjs-cpu | " in card
    assert "| 0 | not verified: " + SLOWER in card


@pytest.mark.usefixtures("low_limits")
def test_a_browser_is_not_asked_for_it_either(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def browser_results(folder: Path, runtimes: Sequence[str]) -> list[BrowserResult]:
        asked.extend(runtimes)
        left_out = BrowserResult("ort-webgpu", None, "all", None, None, "no adapter", left_out=True)
        return [BrowserResult(runtime, "1", "one", 0) for runtime in runtimes if runtime != "ort-webgpu"] + [left_out]

    monkeypatch.setattr("ganexport.runtimes.browser.browser_results", browser_results)
    results = verify(tiny_bundle, browser=True)
    assert asked == [name for name in BROWSER_RUNTIMES if name != "tfjs-cpu"]
    assert ("ort-webgpu in a browser", "all", "all", "no adapter") in unverified(results)
    assert ("tfjs-cpu in a browser", "all", "all", SLOWER) in unverified(results)


@pytest.mark.usefixtures("low_limits")
def test_a_runtime_that_is_left_out_proves_nothing(tiny_dcgan: Generator, tmp_path: Path) -> None:
    graphs = export_to(tmp_path, tiny_dcgan, "tfjs")
    results = check_target(
        tmp_path,
        "tfjs",
        graphs,
        gate_cases(Oracle(tiny_dcgan), "none"),
        weights_sha256=tiny_dcgan.provenance.weights_sha256,
        image_range=tiny_dcgan.spec.image_range,
        multiply_adds=multiply_adds(tiny_dcgan.spec),
        runtimes=[TfjsNode("cpu")],
    )
    assert [r.status for r in results] == ["not verified"]
    with pytest.raises(ParityError, match="no runtime could verify the tfjs target"):
        require_parity(results, ["tfjs"], allow_unverified=False)


def test_at_the_limit_everything_runs(tiny_dcgan: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = multiply_adds(tiny_dcgan.spec)
    monkeypatch.setattr("ganexport.parity.cases.FEWER_CASES_ABOVE", cost)
    monkeypatch.setitem(SLOW, "tfjs-cpu", cost)
    manifest = convert(tiny_dcgan, tmp_path / "out")
    assert {r.status for r in manifest.parity} == {"ok"}
    assert [case.name for case in manifest.goldens.cases] == ["one", "three"]


@pytest.mark.soak
def test_a_generator_of_full_size_fits_into_3_gib(tmp_path: Path) -> None:
    pickle, folder = tmp_path / "f1024.pkl", tmp_path / "f1024"
    large.make(pickle, *large.SIZES["f1024"])
    program = [sys.executable, "-m", "ganexport"]
    info = large.run([*program, "info", str(pickle)])
    assert info["peak MiB"]["ganexport"] <= 600
    for command in (["convert", str(pickle), "-o", str(folder)], ["verify", str(folder)]):
        peaks = large.run([*program, *command])["peak MiB"]
        assert len(peaks) > 1, "Node was not seen"
        assert max(peaks.values()) <= MOST_MEBIBYTES
    manifest = read_manifest(folder)
    assert {(r.runtime, r.status) for r in manifest.parity if r.tensor == "image"} == {
        ("onnxruntime-cpu", "ok"),
        ("tfjs-wasm", "ok"),
    }
    weights = [entry.bytes for path, entry in manifest.files.items() if path.startswith("onnx/weights")]
    assert len(weights) > 5
    assert max(weights) <= 20_000_000
