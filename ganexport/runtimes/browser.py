"""A bundle's golden cases in a real browser, drawn by the library that sites load.

No server is started and no network is used: the browser's requests are answered here, all others are refused.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganexport.errors import RuntimeUnavailableError
from ganexport.manifest import MANIFEST_NAME, Manifest, read_manifest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright, Route

__all__ = ["BROWSER_RUNTIMES", "BrowserResult", "browser_results", "open_browser"]

BROWSER_RUNTIMES = ("ort-webgpu", "ort-wasm", "tfjs-webgpu", "tfjs-webgl", "tfjs-wasm", "tfjs-cpu")

LIBRARY = Path(__file__).parents[1] / "_web" / "site" / "lib"
ORIGIN = "http://localhost"  # one of those where pages may check hashes
MOST_SECONDS = 600
SOFTWARE_WEBGPU_ABOVE = 50_000_000  # multiply-adds a picture; a 64 x 64 generator takes most of a minute in software

FLAGS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",  # WebGL also where there is no graphics card; the pages are our own
    "--enable-unsafe-webgpu",  # and WebGPU
)

TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".json": "application/json",
}

VERIFY = """async ([runtime, seconds]) => {
  const { verifyBundle } = await import('/lib/index.js');
  const signal = AbortSignal.timeout(1000 * seconds);
  return await verifyBundle('/bundle/ganexport.json', runtime, { signal });
}"""

ADAPTER = """async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  return adapter ? (adapter.info.isFallbackAdapter ? 'software' : 'hardware') : 'none';
}"""


@dataclass(frozen=True)
class BrowserResult:
    """How a browser drew one golden case.

    Attributes:
        runtime: Name as the library has it, e.g. `tfjs-webgl`.
        version: Of the runtime, and the browser's; None when it could not start.
        case: Name of the golden case, or `all` where the runtime was left out.
        max_grey_levels: Greatest difference from the recorded pictures; None when nothing was drawn.
        leaked_tensors: Tensors that were not given back; None where the runtime does not count them.
        reason: Why nothing was drawn.
        left_out: Whether the runtime was not asked at all, since this machine has too little for it.
    """

    runtime: str
    version: str | None
    case: str
    max_grey_levels: int | None
    leaked_tensors: int | None = None
    reason: str | None = None
    left_out: bool = False


def browser_results(bundle: Path, runtimes: Sequence[str] = BROWSER_RUNTIMES) -> list[BrowserResult]:
    """Draw a bundle's golden cases on each of these runtimes, in headless Chromium or Chrome.

    Args:
        bundle: Folder of the bundle.
        runtimes: Names from `BROWSER_RUNTIMES`.

    Returns:
        One result a runtime and case; a runtime that cannot start says why in each of its own, and one that is left
        out has a single result. That is WebGPU without an adapter, or in software and too slow for this generator.

    Raises:
        BundleError: The folder is no bundle.
        RuntimeUnavailableError: There is no Playwright, no browser, or the web files were not built.
    """
    manifest = read_manifest(bundle)
    if not LIBRARY.is_dir():
        raise RuntimeUnavailableError("the web files are not built: run `make web` in the clone")
    with open_browser() as browser:
        page = browser.new_page()
        page.route("**/*", lambda route: _answer(route, bundle))
        page.goto(f"{ORIGIN}/bundle/{MANIFEST_NAME}")  # any page of this origin would do
        return [result for runtime in runtimes for result in _run(page, manifest, runtime, browser.version)]


def _run(page: Page, manifest: Manifest, runtime: str, browser: str) -> list[BrowserResult]:
    from playwright.sync_api import Error

    if "webgpu" in runtime and (left_out := _why_without_webgpu(page, manifest.multiply_adds)) is not None:
        return [BrowserResult(runtime, None, "all", None, None, left_out, left_out=True)]
    try:
        found: dict[str, Any] = page.evaluate(VERIFY, [runtime, MOST_SECONDS])
    except Error as error:
        reason = error.message.splitlines()[0].removeprefix("Page.evaluate: ")
        return [BrowserResult(runtime, None, case.name, None, None, reason) for case in manifest.goldens.cases]
    version = f"{found['version']} (Chromium {browser})"
    leaked = found["leakedTensors"]
    return [BrowserResult(runtime, version, case["case"], case["maxGreyLevels"], leaked) for case in found["cases"]]


def _why_without_webgpu(page: Page, multiply_adds: int) -> str | None:
    """Why WebGPU is left out for a generator of this cost; None when it is not."""
    adapter = page.evaluate(ADAPTER)
    if adapter == "none":
        return "left out: this browser has no WebGPU adapter"
    if adapter == "software" and multiply_adds > SOFTWARE_WEBGPU_ABOVE:
        return f"left out: WebGPU in software is too slow for {multiply_adds / 1e9:.2f} GMAC a picture"
    return None


def _answer(route: Route, bundle: Path) -> None:
    """Answer a request from the library's folder or the bundle's."""
    mounts = {f"{ORIGIN}/lib/": LIBRARY, f"{ORIGIN}/bundle/": bundle}
    url = route.request.url
    for prefix, folder in mounts.items():
        path = folder / url.removeprefix(prefix)
        if url.startswith(prefix) and path.is_file():
            route.fulfill(path=path, content_type=TYPES.get(path.suffix, "application/octet-stream"))
            return
    route.abort()


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Headless Chromium of the system, or Chrome, or Playwright's own.

    Raises:
        RuntimeUnavailableError: There is none, or no Playwright to drive it.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise RuntimeUnavailableError("no Playwright here: install ganexport[browser]") from None
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        try:
            yield browser
        finally:
            browser.close()


def _launch(playwright: Playwright) -> Browser:
    from playwright.sync_api import Error

    system = shutil.which("chromium") or shutil.which("chromium-browser")
    choices: list[dict[str, Any]] = [{"executable_path": system}] if system else []
    choices += [{"channel": "chrome"}, {}]
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    flags = [*FLAGS, *(["--no-sandbox"] if root else [])]  # root has no sandbox to be in
    errors = []
    for choice in choices:
        try:
            return playwright.chromium.launch(args=flags, **choice)
        except Error as error:
            errors.append(error.message.splitlines()[0])
    raise RuntimeUnavailableError(f"no browser could be started; install Chromium or Chrome ({errors[0]})")
