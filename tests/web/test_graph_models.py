"""A generator that is known only as a graph draws in a browser, with its weights inside and beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.onnx_models import saved, with_one_hot

from ganexport.convert import convert
from ganexport.manifest import read_manifest
from ganexport.runtimes.browser import browser_results
from ganexport.site import build_site
from ganexport.source import open_source

pytestmark = pytest.mark.web


@pytest.mark.parametrize("beside", [False, True])
def test_a_bundle_of_onnx_alone(beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if beside:
        monkeypatch.setattr("ganexport.exporters._weight_files.SHARD_BYTES", 1000)
    convert(open_source(saved(with_one_hot(), tmp_path / "model.onnx")), tmp_path / "out")
    (graph,) = read_manifest(tmp_path / "out").targets["onnx"].synthesis
    assert bool(graph.weight_files) == beside
    results = browser_results(tmp_path / "out", ("ort-wasm",))
    assert len(results) == 2
    for result in results:
        assert result.reason is None
        assert result.max_grey_levels is not None and result.max_grey_levels <= 1
    site = build_site([tmp_path / "out"], tmp_path / "site")
    files = {path.name for path in (site / "models" / "out").rglob("*") if path.is_file()}
    assert "synthesis.onnx" in files and "generator.onnx" not in files
    assert {Path(name).name for name in graph.weight_files} <= files
