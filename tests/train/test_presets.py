"""Every preset at toy size: it trains, is resumed, passes the gate in every runtime, and draws in a browser."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from support.toy_runs import toy

from ganexport.bundle import open_bundle
from ganexport.convert import convert
from ganexport.generator import load
from ganexport.manifest import read_manifest
from ganexport.runtimes.browser import open_browser
from ganexport.site import build_site, make_server
from train.presets import PRESETS

TESTS = Path(__file__).parents[1]
ELSEWHERE = {"digits-tiny", "digits", "emoji-people"}  # a toy itself, in test_run.py, and two like it
NAMES = [name for name in PRESETS if name not in ELSEWHERE]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder a preset; TensorFlow ran in a process of its own."""
    folder = tmp_path_factory.mktemp("runs")
    done = subprocess.run(
        [sys.executable, "-m", "support.toy_runs", str(folder), *NAMES],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def bundles(runs, tmp_path_factory):
    """A bundle a preset, each of which went through the gate."""
    folder = tmp_path_factory.mktemp("bundles")
    for name in NAMES:
        convert(load(max((runs / name / "generators").iterdir())), folder / name)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_it_becomes_a_bundle_that_every_runtime_draws(name, bundles):
    config, manifest = toy(name), read_manifest(bundles / name)
    spec = manifest.spec
    assert (spec.architecture, spec.resolution) == (config.architecture, config.resolution)
    assert (spec.z_dim, spec.z_distribution) == (config.z_dim, config.z_distribution)
    told = config.use_labels
    assert spec.c_dim == (10 if told else config.categories)
    assert manifest.labels == (tuple("0123456789") if told else None)
    assert {result.runtime for result in manifest.parity} == {"onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm"}
    assert all(result.status == "ok" for result in manifest.parity)


DRAW = """async ({ name, seed, label }) => {
  await import('/lib/gan-generator.js');
  const element = document.createElement('gan-generator');
  element.setAttribute('src', `/models/${name}/ganexport.json`);
  document.body.replaceChildren(element);
  const { pictures } = await element.generate(label === null ? { seed } : { seed, label });
  return [...pictures.data];
}"""


@pytest.mark.web
def test_one_site_draws_all_of_them(bundles, tmp_path):
    site = build_site([bundles / name for name in NAMES], tmp_path / "site")
    with make_server(site, 0) as server, open_browser() as browser:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        for name in NAMES:
            bundle = open_bundle(bundles / name)
            label = 3 if bundle.manifest.spec.c_dim else None
            (expected,) = bundle.generate([5], label)
            drawn = page.evaluate(DRAW, {"name": name, "seed": 5, "label": label})
            levels = np.asarray(drawn, np.int16).reshape(*expected.shape[:2], -1)[..., : expected.shape[2]]
            assert np.abs(levels - expected).max() <= 1, name
        server.shutdown()
        thread.join()
