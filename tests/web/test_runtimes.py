"""Every runtime of the web under a strict policy: its pixels, its code, and what comes when its device is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page
from safetensors.numpy import load_file

from ganexport.manifest import read_manifest
from ganexport.runtimes.browser import BROWSER_RUNTIMES
from ganexport.site import build_site, make_server

pytestmark = [pytest.mark.web, pytest.mark.slow]

POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"

# Remembers the devices of the page, so that a test can take them away, as a browser or a driver does.
TAKE_AWAY = """
const devices = [];
const remember = (type, name, keep) => {
  const original = type?.prototype[name];
  if (original === undefined) return;
  type.prototype[name] = function (...args) { return keep(original.apply(this, args)); };
};
remember(globalThis.GPUAdapter, 'requestDevice', async (device) => (devices.push(await device), device));
remember(globalThis.OffscreenCanvas, 'getContext', (context) => (devices.push(context), context));
globalThis.takeAway = () => {
  for (const device of devices.splice(0)) {
    if (device.destroy) device.destroy(); else device.getExtension('WEBGL_lose_context').loseContext();
  }
};
"""

DRAW = """
import { openBundle } from './lib/index.js';

export const src = new URL('./models/tiny/ganexport.json', import.meta.url).href;

export async function draw(runtime, what) {
  const generator = await openBundle(src, { runtime, worker: false, fallback: false });
  const before = await generator.tensorCount();
  const { data } = await generator.generate(what);
  const abort = new AbortController();
  const aborted = generator.generate({ ...what, signal: abort.signal });
  setTimeout(() => abort.abort());
  await aborted.catch(() => undefined);
  const kept = (await generator.tensorCount()) - before;
  await generator.dispose();
  return { data: [...data], kept, left: await generator.tensorCount() };
}
"""

WORKER = """
import { draw } from './draw.js';

onmessage = ({ data }) => draw(...data).then(postMessage, (error) => postMessage({ error: String(error) }));
"""

IN_WORKER = """(given) => new Promise((resolve, reject) => {
  const worker = new Worker('/worker.js', { type: 'module' });
  worker.onmessage = ({ data }) => { worker.terminate(); resolve(data); };
  worker.onerror = (event) => reject(new Error(event.message ?? 'the worker did not start'));
  worker.postMessage(given);
})"""

# Loses the device while drawing, draws again; then starts the same runtime once more.
LOSE = """async ([runtime, what]) => {
  const { openBundle } = await import('/lib/index.js');
  const { src } = await import('/draw.js');
  const changes = [];
  const options = { runtime, worker: false, onFallback: (change) => changes.push(change) };
  const generator = await openBundle(src, options);
  const drawing = generator.generate(what);
  takeAway();
  const pictures = [await drawing, await generator.generate(what)];
  const on = generator.runtime;
  await generator.dispose();
  const again = await openBundle(src, { ...options, fallback: false });
  pictures.push(await again.generate(what));
  await again.dispose();
  return { pictures: pictures.map(({ data }) => [...data]), changes, on };
}"""


MARKS = {
    "ort-webgpu": "ort-wasm-simd-threaded.asyncify",
    "ort-wasm": "ort-wasm-simd-threaded-",
    "tfjs-webgpu": "WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE",
    "tfjs-webgl": "WEBGL_PACK_BINARY_OPERATIONS",
    "tfjs-wasm": "WASM_HAS_SIMD_SUPPORT",
    "tfjs-cpu": "looks like you are running TensorFlow.js in",
}
"""Names of files, or what stands in them, that only this runtime has."""


@pytest.fixture(scope="module")
def site(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, a bundle of 16 x 16 pixels, and a page that is allowed very little."""
    root = build_site([tiny_bundle], tmp_path_factory.mktemp("runtimes") / "site")
    (root / "blank.html").write_text(
        f'<!doctype html><meta http-equiv="Content-Security-Policy" content="{POLICY}">', encoding="ascii"
    )
    (root / "draw.js").write_text(DRAW, encoding="ascii")
    (root / "worker.js").write_text(WORKER, encoding="ascii")
    return root


@pytest.fixture(scope="module")
def host(site: Path) -> Iterator[str]:
    with make_server(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def blank(visitor: BrowserContext, host: str) -> Iterator[Page]:
    page = visitor.new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(TAKE_AWAY)
    page.goto(f"{host}/blank.html")
    yield page
    page.close()


@pytest.fixture(scope="module")
def three(tiny_bundle: Path) -> tuple[dict[str, Any], np.ndarray]:
    """A golden case of three pictures: what to ask for, and what Python recorded."""
    (case,) = [case for case in read_manifest(tiny_bundle).goldens.cases if case.name == "three"]
    what = {"seeds": case.seeds, "label": case.labels, "psi": case.truncation_psi, "noise": case.noise_mode}
    return what, load_file(tiny_bundle / "goldens.safetensors")["three.images"].astype(np.int16).ravel()


def runtimes_in(files: set[Path]) -> set[str]:
    """The runtimes whose code is in these files."""
    text = "".join(path.read_text(encoding="utf-8") for path in files if path.suffix == ".js")
    names = " ".join(path.name for path in files)
    return {name for name, mark in MARKS.items() if mark in names or mark in text}


@pytest.mark.parametrize("runtime", BROWSER_RUNTIMES)
def test_pixels_equal_pythons_in_a_worker(
    blank: Page, site: Path, three: tuple[dict[str, Any], np.ndarray], runtime: str
) -> None:
    fetched: set[Path] = set()
    blank.on("request", lambda request: fetched.add(site / urlsplit(request.url).path[1:]))
    what, recorded = three
    drawn = blank.evaluate(IN_WORKER, [runtime, what])
    assert "error" not in drawn, drawn["error"]
    assert np.abs(np.array(drawn["data"], np.int16) - recorded).max() <= 1
    assert drawn["kept"] == 0
    assert not drawn["left"]
    assert runtimes_in(fetched) == {runtime}


@pytest.mark.parametrize("runtime", ["ort-webgpu", "tfjs-webgpu", "tfjs-webgl"])
def test_a_device_that_is_lost_while_drawing(
    blank: Page, three: tuple[dict[str, Any], np.ndarray], runtime: str
) -> None:
    what, recorded = three
    found = blank.evaluate(LOSE, [runtime, what])
    for picture in found["pictures"]:
        assert np.abs(np.array(picture, np.int16) - recorded).max() <= 1
    (change,) = found["changes"]
    assert (change["from"], change["to"], found["on"]) == (runtime, "ort-wasm", "ort-wasm")
    assert f"{runtime} lost its device: " in change["reason"]
