"""`<gan-generator>` in a page of somebody else, against the pictures that Python recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from elements import MANIFEST, change, make
from playwright.sync_api import Route
from safetensors.numpy import load_file
from watched import Watched, forget_weights

from ganexport.manifest import GoldenCase, read_manifest

pytestmark = pytest.mark.web

RUNTIMES = ("ort-wasm", "tfjs-wasm", "tfjs-webgl")


def element_cases(bundle: Path) -> list[GoldenCase]:
    """The golden cases that the element's attributes can say."""
    manifest = read_manifest(bundle)
    noise = manifest.defaults.noise_mode
    return [c for c in manifest.goldens.cases if c.truncation_cutoff is None and c.noise_mode == noise]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_pixels_equal_pythons(blank: Watched, digits_bundle: Path, runtime: str) -> None:
    goldens = load_file(digits_bundle / "goldens.safetensors")
    make(blank.page, runtime=runtime)
    cases = element_cases(digits_bundle)
    assert cases
    for case in cases:
        expected = goldens[f"{case.name}.images"]  # [N, H, W, C]
        for i, seed in enumerate(case.seeds):
            label = case.labels[i] if case.labels else None
            drawn = change(blank.page, src=MANIFEST, seed=seed, label=label, psi=case.truncation_psi)
            rgba = np.array(drawn["rgba"], dtype=np.int16).reshape(*drawn["size"], 4)
            assert np.abs(rgba[..., :3] - expected[i]).max() <= 1, f"{runtime}, {case.name}, seed {seed}"
            assert (rgba[..., 3] == 255).all()
    assert blank.messages == []


def test_events_and_name(blank: Watched) -> None:
    make(blank.page)
    drawn = change(blank.page, src=MANIFEST, seed=42, label=3)
    assert drawn["name"] == "digits, class 3, seed 42"
    types = blank.page.evaluate("events.map((event) => event.type)")
    assert types[-2:] == ["load", "generate"]
    assert set(types[:-2]) == {"progress"}
    loaded = blank.page.evaluate("events.filter((e) => e.type === 'progress').map((e) => [e.loaded, e.total])")
    assert loaded == sorted(loaded)
    assert loaded[-1][0] == loaded[-1][1] > 0


def test_attributes_are_properties(blank: Watched) -> None:
    make(blank.page, src=MANIFEST, seed=7, psi=0.5)
    read = "[element.src, element.seed, element.label, element.psi, element.runtime]"
    assert blank.page.evaluate(read) == [MANIFEST, 7, None, 0.5, None]
    blank.page.evaluate("Object.assign(element, {seed: 8, label: 3, psi: null, runtime: 'tfjs-cpu'})")
    assert blank.page.evaluate(read) == [MANIFEST, 8, "3", None, "tfjs-cpu"]
    assert blank.page.evaluate("element.getAttribute('seed')") == "8"


def test_only_the_last_of_many_changes_is_shown(blank: Watched) -> None:
    make(blank.page, src=MANIFEST, label=3, runtime="tfjs-wasm")
    change(blank.page, seed=0)
    blank.page.evaluate("events.length = 0")
    blank.page.evaluate(
        """async () => {
          for (let seed = 1; seed <= 20; seed++) { element.seed = seed; await null; }
          while (!events.some((e) => e.type === 'generate' && e.detail.seed === 20)) {
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }"""
    )
    assert blank.page.evaluate("events.filter((e) => e.type === 'error').length") == 0
    assert blank.page.evaluate("events.filter((e) => e.type === 'generate').length") < 20


def test_a_move_in_the_page_keeps_the_generator(blank: Watched) -> None:
    make(blank.page, src=MANIFEST, label=3, runtime="tfjs-wasm")
    change(blank.page, seed=1)
    before = len(blank.requests)
    blank.page.evaluate("document.body.append(document.createElement('p'), element)")
    assert change(blank.page, seed=2)["seed"] == 2
    assert len(blank.requests) == before


def test_elements_on_different_backends_share_a_page(blank: Watched) -> None:
    """TF.js has one backend at a time; each picture must come from the right one all the same."""
    drawn = blank.page.evaluate(
        """async ([src, runtimes]) => {
          await import('/sub/site/lib/gan-generator.js');
          const drawOne = (runtime, seed) => new Promise((resolve, reject) => {
            const element = document.createElement('gan-generator');
            Object.assign(element, { src, runtime, seed, label: 3 });
            element.addEventListener('generate', ({ detail }) => resolve([...detail.pictures.data]));
            element.addEventListener('error', (event) => reject(event.error));
            document.body.append(element);
          });
          return await Promise.all(runtimes.map((runtime) => drawOne(runtime, 7)));
        }""",
        [MANIFEST, ["tfjs-wasm", "tfjs-cpu", "tfjs-wasm", "tfjs-cpu", "ort-wasm"]],
    )
    pictures = np.array(drawn, dtype=np.int16)
    assert np.abs(pictures - pictures[0]).max() <= 1


def test_what_was_removed_comes_back(blank: Watched) -> None:
    make(blank.page, src=MANIFEST, label=3, runtime="tfjs-cpu")
    change(blank.page, seed=1)
    blank.page.evaluate("async () => { element.remove(); await new Promise((r) => setTimeout(r, 50)); }")
    blank.page.evaluate("document.body.append(element)")
    assert change(blank.page, seed=2)["seed"] == 2


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"psi": "much"}, "psi must be a number"),
        ({"seed": "-1"}, "seed must be an integer"),
        ({"label": "cat"}, "no class cat"),
        ({"label": None}, "digits has 10 classes: say which"),
        ({"runtime": "abacus"}, "not on abacus"),
        ({"src": "nowhere/ganexport.json"}, "nowhere/ganexport.json: the server answered 404"),
        ({"src": "index.html"}, "index.html is an HTML page"),
        ({"src": "sub/site/models.json"}, "is no ganexport.json"),
    ],
)
def test_a_mistake_is_said_and_poisons_nothing(blank: Watched, attributes: dict[str, str | None], message: str) -> None:
    make(blank.page, src=MANIFEST, runtime="tfjs-wasm")
    change(blank.page, seed=1, label=3)
    assert message in change(blank.page, **attributes)["error"]
    mended = {"src": MANIFEST, "psi": None, "label": "3", "runtime": "tfjs-wasm", "seed": "2"}
    assert change(blank.page, **mended)["seed"] == 2


def test_an_altered_file_is_refused(blank: Watched, site_folder: Path) -> None:
    forget_weights(blank.page)
    one_file = "**/tfjs/mapping/*.bin"  # of two at once, one would still be on its way when the route is taken back
    blank.page.route(one_file, _flip_first_byte)
    make(blank.page, label=3, runtime="tfjs-cpu")
    assert "was altered: its SHA-256 is" in change(blank.page, src=MANIFEST)["error"]
    blank.page.unroute(one_file)
    assert change(blank.page, seed=3)["seed"] == 3


def _flip_first_byte(route: Route) -> None:
    body = bytearray(route.fetch().body())
    body[0] ^= 1
    route.fulfill(body=bytes(body))


def test_a_later_schema_is_refused(blank: Watched, site_folder: Path) -> None:
    manifest = json.loads((site_folder.parents[1] / MANIFEST).read_text())
    later = json.dumps({**manifest, "schema_version": 9})
    blank.page.route("**/ganexport.json", lambda route: route.fulfill(body=later))
    make(blank.page)
    assert "schema version 9; this library reads version 1" in change(blank.page, src=MANIFEST)["error"]


def test_without_a_secure_page_files_cannot_be_checked(blank: Watched, host_url: str) -> None:
    insecure = "http://insecure.test"  # not localhost, not https

    def answer(route: Route) -> None:
        route.fulfill(response=route.fetch(url=route.request.url.replace(insecure, host_url)))

    blank.page.route(f"{insecure}/**", answer)
    blank.page.goto(f"{insecure}/")
    make(blank.page)
    assert "crypto.subtle only on https://" in change(blank.page, src=MANIFEST)["error"]
