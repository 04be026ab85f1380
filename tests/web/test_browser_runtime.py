"""`ganexport.runtimes.browser`: what `verify --browser` asks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.generators import make_generator, stylegan2_spec

from ganexport.convert import ConvertOptions, convert
from ganexport.errors import BundleError, RuntimeUnavailableError
from ganexport.exporters import ExportOptions, _weight_files
from ganexport.manifest import read_manifest
from ganexport.ops import lowered_onnx_ops
from ganexport.ops.lowered_onnx_ops import Lowering
from ganexport.runtimes import browser
from ganexport.runtimes.browser import browser_results

pytestmark = pytest.mark.web


def test_every_case_on_every_runtime(digits_bundle: Path) -> None:
    runtimes = ("ort-wasm", "tfjs-wasm", "tfjs-webgl")
    results = browser_results(digits_bundle, runtimes)
    cases = [case.name for case in read_manifest(digits_bundle).goldens.cases]
    assert [(r.runtime, r.case) for r in results] == [(r, c) for r in runtimes for c in cases]
    for result in results:
        assert result.reason is None
        assert result.max_grey_levels is not None
        assert result.max_grey_levels <= 1
        assert result.leaked_tensors in (0, None)
        assert result.version is not None
        assert "Chromium" in result.version


def test_noise_drawn_by_the_browser_is_python_s(tmp_path: Path) -> None:
    options = ConvertOptions(export=ExportOptions(noise="random"))
    manifest = convert(make_generator(stylegan2_spec()), tmp_path / "noisy", options)
    results = browser_results(tmp_path / "noisy", ("ort-wasm", "tfjs-wasm", "tfjs-webgl"))
    assert {case.noise_mode for case in manifest.goldens.cases} == {"random", "none"}
    assert len(results) == 3 * len(manifest.goldens.cases)
    for result in results:
        assert result.reason is None
        assert result.max_grey_levels is not None
        assert result.max_grey_levels <= 1


def test_weights_beside_the_graphs_are_fetched_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_weight_files, "SHARD_BYTES", 20_000)
    monkeypatch.setattr(_weight_files, "PAGE", 256)
    generator = make_generator(stylegan2_spec(channels=(32, 24, 8)))
    manifest = convert(generator, tmp_path / "shards", ConvertOptions(targets=("onnx",)))
    assert len(manifest.targets["onnx"].synthesis[0].weight_files) > 2
    results = browser_results(tmp_path / "shards", ("ort-wasm",))
    assert len(results) == len(manifest.goldens.cases)
    for result in results:
        assert result.reason is None
        assert result.max_grey_levels is not None
        assert result.max_grey_levels <= 1


@pytest.mark.parametrize("separable", [False, True])
def test_every_lowered_form_is_right_on_webgpu_too(
    separable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bundle serves processors and graphics cards; here all layers take the forms that are made for processors."""
    everywhere = Lowering(winograd_channels=1, winograd_size=4, phases_size=1, separable_windows=separable)
    monkeypatch.setattr(lowered_onnx_ops, "PROCESSOR", everywhere)
    generator = make_generator(stylegan2_spec(channels=(8, 6, 5)))
    convert(generator, tmp_path / "forms", ConvertOptions(targets=("onnx",)))
    results = browser_results(tmp_path / "forms", ("ort-wasm", "ort-webgpu"))
    assert {result.runtime for result in results} == {"ort-wasm", "ort-webgpu"}
    for result in results:
        assert result.reason is None
        assert result.max_grey_levels is not None
        assert result.max_grey_levels <= 1


def test_a_runtime_that_cannot_start_says_why(digits_bundle: Path) -> None:
    for result in browser_results(digits_bundle, ["abacus"]):
        assert result.max_grey_levels is None
        assert result.reason is not None
        assert f"runs on {', '.join(browser.BROWSER_RUNTIMES)}; not on abacus" in result.reason


def test_what_is_missing_is_said(digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BundleError, match="is no bundle"):
        browser_results(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(browser, "LIBRARY", tmp_path / "none")
        with pytest.raises(RuntimeUnavailableError, match="run `make web`"):
            browser_results(digits_bundle)
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(RuntimeUnavailableError, match=r"install ganexport\[browser\]"):
        browser_results(digits_bundle)
