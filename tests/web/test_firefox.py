"""The same pictures in another engine: Firefox, on the runtimes that need WebAssembly or JavaScript alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from authors_page import LISTEN
from bidi import Firefox, find_firefox, open_firefox
from hosting_document import documented, policy
from plain_host import plain_host
from safetensors.numpy import load_file

import ganexport
from ganexport.manifest import read_manifest

pytestmark = pytest.mark.web

MANIFEST = "models/digits/ganexport.json"
VERIFY = """async ([src, runtime]) => {
  const { verifyBundle } = await import('./lib/index.js');
  return await verifyBundle(src, runtime);
}"""
DRAW = """async (attributes) => {
  await import('./lib/gan-generator.js');
  const element = document.createElement('gan-generator');
  Object.assign(element, attributes);
  const drawn = new Promise((resolve, reject) => {
    element.addEventListener('generate', ({ detail }) => resolve([...detail.pictures.data]));
    element.addEventListener('error', ({ message }) => reject(new Error(message)));
  });
  document.body.append(element);
  return await drawn;
}"""

# Waits until so many canvases show different pictures; a page that says what failed ends the wait.
UNTIL_DRAWN = """(wanted) => new Promise((resolve, reject) => {
  const look = () => {
    const pictures = new Set([...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL()));
    const failed = document.querySelector('[data-state=failed]');
    if (failed) reject(new Error(failed.textContent));
    else if (pictures.size >= wanted) resolve(pictures.size);
    else requestAnimationFrame(look);
  };
  look();
})"""

FIRST_SAID = (
    "async () => { const { type, message, detail } = await said; return [type, message ?? [...detail.pictures.data]]; }"
)


@pytest.fixture(scope="module")
def firefox(host_url: str, site_folder: Path) -> Iterator[Firefox]:
    """Firefox on a page of the site."""
    if find_firefox() is None:
        pytest.skip("no Firefox on this machine: `make browser` as root on Debian installs firefox-esr")
    page = site_folder / "blank.html"
    page.write_text('<!doctype html><title>blank</title><link rel="icon" href="data:,">')
    with open_firefox() as firefox:
        firefox.goto(f"{host_url}/sub/site/blank.html")
        yield firefox


@pytest.mark.parametrize("runtime", ["ort-wasm", "tfjs-wasm", "tfjs-cpu"])
def test_pixels_equal_pythons(firefox: Firefox, digits_bundle: Path, runtime: str) -> None:
    firefox.messages.clear()
    found = firefox.evaluate(VERIFY, [MANIFEST, runtime])
    assert found["runtime"] == runtime
    assert [case["case"] for case in found["cases"]] == [c.name for c in read_manifest(digits_bundle).goldens.cases]
    assert max(case["maxGreyLevels"] for case in found["cases"]) <= 1
    assert found["leakedTensors"] in (None, 0)
    assert firefox.messages == []


def test_element_draws(firefox: Firefox, digits_bundle: Path) -> None:
    golden = next(c for c in read_manifest(digits_bundle).goldens.cases if c.truncation_cutoff is None and c.labels)
    expected = load_file(digits_bundle / "goldens.safetensors")[f"{golden.name}.images"][0]  # [H, W, C]
    attributes = {
        "src": MANIFEST,
        "seed": golden.seeds[0],
        "label": str(golden.labels[0]) if golden.labels else None,
        "psi": golden.truncation_psi,
    }
    drawn = np.array(firefox.evaluate(DRAW, attributes), dtype=np.int16).reshape(expected.shape)
    assert np.abs(drawn - expected).max() <= 1
    assert firefox.messages == []


def test_page_draws(firefox: Firefox, host_url: str) -> None:
    firefox.goto(f"{host_url}/sub/site/#runtime=tfjs-wasm")
    assert firefox.evaluate(UNTIL_DRAWN, 16) >= 16
    assert firefox.messages == []


def test_element_draws_on_a_page_of_another_origin(
    firefox: Firefox, site_folder: Path, digits_bundle: Path, tmp_path: Path
) -> None:
    """Under the documented policy, with a worker that comes from the other origin."""
    (tmp_path / "listen.js").write_text(LISTEN)
    (tmp_path / "icon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" />')
    with plain_host(site_folder.parent, headers={"Access-Control-Allow-Origin": "*"}) as site:
        head = '<!doctype html><link rel="icon" href="icon.svg" /><script src="listen.js"></script>'
        (tmp_path / "index.html").write_text(head + documented("element", site))
        headers = {
            name: value.replace("script-src", "script-src 'self'")
            for name, value in policy("other-origin", site).items()
        }
        with plain_host(tmp_path, "localhost", headers) as author:
            firefox.goto(author)
            said, drawn = firefox.evaluate(FIRST_SAID)
            in_page = firefox.evaluate("() => performance.getEntriesByType('resource').map(({ name }) => name)")
    assert said == "generate", drawn
    expected = ganexport.open_bundle(digits_bundle).generate([42], label=3)[0]
    assert np.abs(np.array(drawn, dtype=np.int16).reshape(expected.shape) - expected).max() <= 1
    assert not any(name.endswith((".onnx", ".wasm")) for name in in_page)  # the worker fetched them
    assert firefox.messages == []
