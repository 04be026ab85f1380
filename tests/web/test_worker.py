"""The library's worker: the page stays free, memory comes back, and nothing that ends or fails poisons what follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from heap import WorkerHeap
from playwright.sync_api import Page, Route, Worker
from safetensors.numpy import load_file
from traced import traced
from watched import Watched

from ganexport.manifest import read_manifest

pytestmark = pytest.mark.web

OPEN = """async (options) => {
  const library = await import('/sub/site/lib/index.js');
  window.fallbacks = [];
  window.open_ = (more) => library.openBundle('/sub/site/models/digits/ganexport.json', { ...options, ...more });
  window.generator = await window.open_({ onFallback: (fallback) => window.fallbacks.push(fallback) });
  window.draw = (seed, resolution) => generator.generate({ seeds: [seed], label: 3, resolution });
}"""

# Loads and draws 64 pictures; gives the long tasks of the page's own thread, and the longest wait for a frame.
WATCH = """async (options) => {
  const tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries())).observe({ type: 'longtask' });
  let last = performance.now();
  let gap = 0;
  let watching = true;
  const frame = () => {
    gap = Math.max(gap, performance.now() - last);
    last = performance.now();
    if (watching) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const { openBundle } = await import('/sub/site/lib/index.js');
  const generator = await openBundle('/sub/site/models/digits/ganexport.json', options);
  const { count } = await generator.generate({ seeds: Array.from({ length: 64 }, (_, i) => i), label: 3 });
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 60))); // the last tasks are told late
  watching = false;
  await generator.dispose();
  return { count, longest: Math.max(0, ...tasks.map((task) => task.duration)), gap };
}"""

REJECTION = "(promise) => promise.then(() => null, ({ name, code, message }) => ({ name, code, message }))"


@pytest.fixture
def blank(open_page: Callable[[str], Watched]) -> Page:
    """A page of somebody else."""
    return open_page("/").page


@pytest.mark.parametrize("runtime", ["ort-wasm", "tfjs-wasm"])
def test_no_task_of_the_page_is_long(open_page: Callable[[str], Watched], runtime: str) -> None:
    """By the Performance API; where another program had the processor meanwhile, by what the trace says of it."""
    page = open_page("/").page
    with traced(page) as trace:
        beside = page.evaluate(WATCH, {"runtime": runtime})
    in_place = open_page("/").page.evaluate(WATCH, {"runtime": runtime, "worker": False})
    assert beside["count"] == in_place["count"] == 64
    assert min(beside["longest"], trace.longest_task()) < 50
    assert in_place["longest"] > 50  # what is measured can be seen
    assert beside["gap"] < in_place["gap"] / 3


@pytest.mark.parametrize("runtime", ["ort-wasm", "tfjs-webgl"])
def test_memory_returns_to_its_base(blank: Page, runtime: str) -> None:
    heap = WorkerHeap(blank)
    blank.evaluate(OPEN, {"runtime": runtime})
    small = "undefined" if runtime == "ort-wasm" else "seed % 20 ? 8 : undefined"  # a software adapter takes its time
    draw = f"async ([from, to]) => {{ for (let seed = from; seed < to; seed++) await draw(seed, {small}); }}"
    blank.evaluate(draw, [0, 100])  # until the browser has compiled what it compiles
    base, tensors = heap.measure(), blank.evaluate("generator.tensorCount()")
    blank.evaluate(draw, [100, 300])
    after = heap.measure()
    assert blank.evaluate("generator.tensorCount()") == tensors
    assert after.buffers <= base.buffers
    assert after.wasm == base.wasm
    assert after.objects - base.objects < 500_000  # 200 pictures and their latents would be 3 MB
    assert (base.wasm > 0) == (runtime == "ort-wasm")


def test_an_abort_while_it_loads_leaves_nothing_behind(blank: Page, digits_bundle: Path) -> None:
    error = blank.evaluate(
        f"""async () => {{
          const {{ openBundle }} = await import('/sub/site/lib/index.js');
          const abort = new AbortController();
          const options = {{ runtime: 'ort-wasm', signal: abort.signal, onProgress: () => abort.abort() }};
          return await ({REJECTION})(openBundle('/sub/site/models/digits/ganexport.json', options));
        }}"""
    )
    assert error["name"] == "AbortError"
    blank.evaluate(OPEN, {"runtime": "ort-wasm"})
    assert_golden(blank, digits_bundle)
    assert len(workers(blank)) == 1


def test_an_abort_while_it_draws_leaves_nothing_behind(blank: Page, digits_bundle: Path) -> None:
    blank.evaluate(OPEN, {"runtime": "ort-wasm"})
    errors = blank.evaluate(
        f"""async () => {{
          const abort = new AbortController();
          const seeds = Array.from({{ length: 400 }}, (_, i) => i);
          const options = {{ label: 3, signal: abort.signal }};
          const running = [seeds, [1]].map((some) => generator.generate({{ seeds: some, ...options }}));
          setTimeout(() => abort.abort(), 50);
          return await Promise.all(running.map({REJECTION}));
        }}"""
    )
    assert [error["name"] for error in errors] == ["AbortError", "AbortError"]
    assert_golden(blank, digits_bundle)


@pytest.mark.parametrize("end", ["setTimeout(() => { throw new Error('boom'); })", "self.close()"])
def test_a_worker_that_died_is_replaced(blank: Page, digits_bundle: Path, end: str) -> None:
    blank.evaluate(OPEN, {"runtime": "ort-wasm"})
    (before,) = workers(blank)
    blank.evaluate(
        f"""() => {{
          const drawing = Array.from({{ length: 200 }}, (_, seed) => draw(seed)); // one after the other
          window.lost = Promise.all(drawing.map({REJECTION}));
        }}"""
    )
    before.evaluate(end)
    error = blank.evaluate("lost")[-1]
    assert error["code"] == "broken"
    assert "the next call starts another" in error["message"]
    assert_golden(blank, digits_bundle)
    (after,) = {*workers(blank)} - {before}  # Playwright may hear late of the end of the one before
    assert after.evaluate("self.name").startswith("ganexport-")


def test_a_runtime_that_cannot_start_gives_way(blank: Page, digits_bundle: Path) -> None:
    blank.route("**/ort-wasm*.wasm", lambda route: route.abort())
    blank.evaluate(OPEN, {"runtime": "ort-wasm"})
    (fallback,) = blank.evaluate("fallbacks")
    assert fallback["from"] == "ort-wasm"
    assert fallback["to"] == blank.evaluate("generator.runtime") == "tfjs-webgl"
    assert "ort-wasm could not" in fallback["reason"]
    assert_golden(blank, digits_bundle)
    error = blank.evaluate(f"async () => await ({REJECTION})(open_({{ fallback: false }}))")
    assert "ort-wasm could not" in error["message"]


def test_one_worker_for_all(blank: Page, digits_bundle: Path) -> None:
    blank.evaluate(OPEN, {"runtime": "ort-wasm"})
    same = blank.evaluate(
        """async () => {
          const others = await Promise.all(['tfjs-cpu', 'tfjs-wasm', 'ort-wasm'].map((runtime) => open_({ runtime })));
          const options = { seeds: [5], label: 3 };
          const drawn = await Promise.all([generator, ...others].map((one) => one.generate(options)));
          await Promise.all(others.map((other) => other.dispose()));
          return drawn.map(({ data }) => [...data]);
        }"""
    )
    pictures = np.array(same, dtype=np.int16)
    assert np.abs(pictures - pictures[0]).max() <= 1
    assert len(workers(blank)) == 1
    assert_golden(blank, digits_bundle)


def test_where_no_worker_may_start_it_draws_in_place(open_page: Callable[[str], Watched], digits_bundle: Path) -> None:
    page = open_page("/").page

    def forbid(route: Route) -> None:
        response = route.fetch()
        policy = "worker-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'"  # the last for this test
        route.fulfill(response=response, headers={**response.headers, "content-security-policy": policy})

    page.route("**/", forbid)
    page.reload()
    page.evaluate(OPEN, {"runtime": "tfjs-wasm"})
    assert page.workers == []
    assert_golden(page, digits_bundle)


def workers(page: Page) -> list[Worker]:
    """The library's workers; ONNX Runtime has some of its own where it may use threads."""
    return [worker for worker in page.workers if worker.url.endswith("/lib/worker.js")]


def assert_golden(page: Page, bundle: Path) -> None:
    """What the page draws now equals what Python recorded, within one grey level."""
    case = next(case for case in read_manifest(bundle).goldens.cases if case.truncation_cutoff is None)
    expected = load_file(bundle / "goldens.safetensors")[f"{case.name}.images"]  # [N, H, W, C]
    options: dict[str, Any] = {"seeds": case.seeds, "label": case.labels, "psi": case.truncation_psi}
    options["noise"] = case.noise_mode
    drawn = page.evaluate("async (options) => [...(await generator.generate(options)).data]", options)
    assert np.abs(np.array(drawn, dtype=np.int16).reshape(expected.shape) - expected).max() <= 1
