"""`tfjs_runner.mjs`, which runs TF.js graphs in Node for the gate."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ganexport.manifest import read_manifest
from ganexport.runtimes.tfjs import RUNNER, node_program

pytestmark = pytest.mark.web


def run(folder: Path, job: object) -> subprocess.CompletedProcess[str]:
    (folder / "job.json").write_text(json.dumps(job))
    command = [node_program(), str(RUNNER), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def mapping_job(bundle: Path, model: Path, **changes: Any) -> dict[str, Any]:
    graph = read_manifest(bundle).targets["tfjs"].mapping
    assert graph is not None
    inputs = {tensor.name: tensor.name for tensor in graph.inputs}
    return {"backend": "cpu", "runs": [{"model": str(model), "inputs": inputs, "outputs": {"ws": "ws"}}], **changes}


@pytest.fixture
def model(digits_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the mapping's `model.json`, and inputs for it in the job's folder."""
    graph = read_manifest(digits_bundle).targets["tfjs"].mapping
    assert graph is not None
    sizes = {t.name: tuple(3 if n == "N" else n for n in t.shape) for t in graph.inputs}
    save_file({name: np.full(size, 0.5, np.float32) for name, size in sizes.items()}, tmp_path / "inputs.safetensors")
    shutil.copytree((digits_bundle / graph.file).parent, tmp_path / "mapping")
    return tmp_path / "mapping" / Path(graph.file).name


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_lines_say_what_is_done_and_with_what(digits_bundle: Path, model: Path, tmp_path: Path, backend: str) -> None:
    done = run(tmp_path, mapping_job(digits_bundle, model, backend=backend))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *runs, summary = map(json.loads, done.stdout.splitlines())
    assert runs == [{"run": 0}]
    assert summary.items() >= {"version": "4.22.0", "backend": backend, "leaked_tensors": 0}.items()
    spec = read_manifest(digits_bundle).spec
    ws = load_file(tmp_path / "outputs.safetensors")["ws"]
    assert ws.shape == (3, spec.num_ws, spec.w_dim)
    assert np.isfinite(ws).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"backend": "webgl"}, 'backend must be cpu or wasm, found "webgl"'),
        ({"runs": [{"model": "x"}]}, "runs must be a list of {model, inputs, outputs}"),
        ({"runs": [{"model": "/none/model.json", "inputs": {}, "outputs": {}}]}, "/none/model.json"),
    ],
)
def test_a_bad_job_fails_in_one_line(
    digits_bundle: Path, model: Path, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    done = run(tmp_path, mapping_job(digits_bundle, model, **changes))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert reason in line


def test_a_missing_input_is_named(digits_bundle: Path, model: Path, tmp_path: Path) -> None:
    job = mapping_job(digits_bundle, model)
    job["runs"][0]["inputs"]["z"] = "zed"
    assert run(tmp_path, job).stderr == "neither inputs.safetensors nor an earlier run has zed\n"


@pytest.mark.parametrize("path", ["../secret.bin", "a/../../secret.bin", "/secret.bin"])
def test_shards_stay_in_their_folder(digits_bundle: Path, model: Path, tmp_path: Path, path: str) -> None:
    contents = json.loads(model.read_text())
    contents["weightsManifest"][0]["paths"] = [path]
    model.write_text(json.dumps(contents))
    done = run(tmp_path, mapping_job(digits_bundle, model))
    assert done.returncode == 1
    assert done.stderr == f"a shard must lie in the folder of its model, found {path}\n"
