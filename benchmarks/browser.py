"""One picture after another in Chromium, one thread of WebAssembly: ours against the plain graph and a converter's.

The runtimes run bare, as their own documentation starts them, each contestant in a page of its own, so that only the
graphs differ.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from benchmarks import nets
from benchmarks.processes import NotMeasuredError, do, opened
from benchmarks.rounds import Times, interleave, ratio
from benchmarks.synthesis import check_picture
from ganexport.architectures.stylegan2 import Spec
from ganexport.errors import RuntimeUnavailableError
from ganexport.progress import SILENT, Progress
from ganexport.runtimes.browser import open_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["CONTESTANTS", "measure"]

ROOT = Path(__file__).parents[1]
MODULES = ROOT / "web_demo" / "node_modules"
MOUNTS = {"/ort/": MODULES / "onnxruntime-web" / "dist", "/tfjs/": MODULES / "@tensorflow"}
PAGE = '<!doctype html><link rel="icon" href="data:,"><script src="/page.js"></script>'

NATIVE = "native, one thread"
ORT, ORT_DEFAULT, ORT_PLAIN = "ort-wasm, for wasm", "ort-wasm, by default", "ort-wasm, plain"
TFJS, TFJS_DEFAULT, TFJS_CONVERTED = "tfjs-wasm, for wasm", "tfjs-wasm, by default", "tfjs-wasm, as converted"
CONTESTANTS: dict[str, dict[str, str]] = {
    ORT: {"function": "benchmarks.onnx_graphs:export_ours", "optimize_for": "wasm"},
    ORT_DEFAULT: {"function": "benchmarks.onnx_graphs:export_ours"},
    ORT_PLAIN: {"function": "benchmarks.onnx_graphs:export_plain"},
    TFJS: {"function": "benchmarks.browser_graphs:export_ours", "optimize_for": "wasm"},
    TFJS_DEFAULT: {"function": "benchmarks.browser_graphs:export_ours"},
    TFJS_CONVERTED: {"function": "benchmarks.browser_graphs:export_as_converter"},
}
"""The runtime, then whose graphs; and the job that writes them."""

RATIOS = {
    ORT_DEFAULT: ORT,
    ORT_PLAIN: ORT,
    TFJS: ORT,
    TFJS_DEFAULT: TFJS,
    TFJS_CONVERTED: TFJS,
    NATIVE: ORT_PLAIN,
}
"""Who is compared with whom."""


def measure(spec: Spec, folder: Path, runs: int, progress: Progress = SILENT) -> dict[str, Any]:
    """Time all contestants at one size, batch 1.

    Returns:
        The size and a row a contestant, as `synthesis.measure` has them; `bytes` are those of the model's files.

    Raises:
        ParityError: A contestant draws another picture.
        RuntimeUnavailableError: There is no browser.
    """
    if not MODULES.is_dir():
        raise RuntimeUnavailableError("the web runtimes are not installed: run `make web` in the clone")
    resolution = spec.resolution
    checkpoint, feeds = folder / "checkpoint.safetensors", folder / "feeds.npz"
    progress.stage(f"{resolution}²: random weights")
    nets.make_generator(spec).save(checkpoint)
    values = nets.feeds(spec, 1)
    np.savez(feeds, allow_pickle=False, **values)
    rows: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        browser = stack.enter_context(open_browser())
        origin = stack.enter_context(_served(folder))
        plain = folder / ORT_PLAIN
        made = {}
        for name, job in CONTESTANTS.items():
            progress.stage(f"{resolution}²: writing {name}")
            made[name] = do({**job, "checkpoint": str(checkpoint), "folder": str(folder / name)})
        reference = folder / "reference.npy"
        native: dict[str, Any] = {"function": "benchmarks.onnx_graphs:run_plainly", "one_thread": True}
        native |= {"folder": str(plain), "graphs": made[ORT_PLAIN]["graphs"]}
        contestant = stack.enter_context(opened({**native, "feeds": str(feeds), "result": str(reference)}))
        rows[NATIVE] = {"load": contestant.load, "first": contestant.first}
        running = {NATIVE: contestant.run}
        for name in CONTESTANTS:
            progress.stage(f"{resolution}²: {name}")
            page = _open_page(browser, origin)
            told = _page_job(name, made[name]["graphs"], values)
            try:
                rows[name] = _load(page, told, np.load(reference), name)
            except NotMeasuredError as error:
                rows[name] = {"not_measured": str(error)}
                continue
            running[name] = partial(_run, page)
        progress.stage(f"{resolution}² in Chromium {browser.version}", steps=runs * len(running))
        times = interleave(running, runs, progress.step)
        return {"resolution": resolution, "chromium": browser.version, "rows": _rows(rows, times)}


def _rows(rows: dict[str, dict[str, Any]], times: dict[str, Times]) -> list[dict[str, Any]]:
    for name, found in times.items():
        rows[name]["seconds"] = found.as_json()
        if (other := RATIOS.get(name)) in times:
            assert other is not None
            rows[name] |= {"ratio": vars(ratio(found, times[other])), "ratio_to": other}
    return [{"name": name, **row} for name, row in rows.items()]


def _page_job(name: str, graphs: list[dict[str, Any]], values: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    """What the page is told; paths lead from the served folder."""
    placed = [
        {**g, "file": f"{name}/{g['file']}", "weight_files": [f"{name}/{path}" for path in g["weight_files"]]}
        for g in graphs
    ]
    feeds = {name: {"shape": list(array.shape), "data": array.ravel().tolist()} for name, array in values.items()}
    return {"runtime": name.split(",", maxsplit=1)[0], "graphs": placed, "feeds": feeds}


def _open_page(browser: Browser, origin: str) -> Page:
    page = browser.new_context().new_page()  # a process of its own
    page.set_default_timeout(0)
    page.goto(f"{origin}/")
    return page


def _load(page: Page, job: dict[str, Any], reference: NDArray[np.float32], name: str) -> dict[str, Any]:
    from playwright.sync_api import Error

    try:
        found: dict[str, Any] = page.evaluate("job => load(job)", job)
    except Error as error:
        raise NotMeasuredError(error.message.splitlines()[0].removeprefix("Page.evaluate: ")) from None
    picture = np.frombuffer(base64.b64decode(found["data"]), "<f4").reshape(found["shape"])
    check_picture(picture, reference, name)
    return {key: found[key] for key in ("fetch", "load", "first", "bytes")}


def _run(page: Page) -> float:
    return float(page.evaluate("run()"))


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The models, the runtimes and the page on a port of this machine; yields the origin."""
    handler = partial(_Handler, models=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript", ".wasm": "application/wasm"}  # noqa: RUF012

    def __init__(self, *args: Any, models: Path, **kwargs: Any) -> None:
        self._models = models
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        """Answer with the page, or a file."""
        if self.path != "/":
            super().do_GET()
            return
        body = PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def translate_path(self, path: str) -> str:
        path = unquote(path)
        if ".." not in path:
            for prefix, place in {**MOUNTS, "/models/": self._models}.items():
                if path.startswith(prefix):
                    return str(place / path.removeprefix(prefix))
        return str(Path(__file__).parent / "web" / Path(path).name)

    def log_message(self, format: str, *args: Any) -> None:
        pass
