"""How the weights come to a visitor: whole or not at all, once, and from where a load before has stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from host import Host, altered, html, missing, serve, stalls
from playwright.sync_api import BrowserContext, Page

from ganexport.manifest import read_manifest

pytestmark = pytest.mark.web

SITE = "/sub/site"
WEIGHTS = "/onnx/synthesis.onnx"

# Opens the bundle and draws a picture; gives its bytes, or what went wrong. `stop()` aborts.
DRAW = """([site, worker]) => {
  const stopping = new AbortController();
  window.stop = () => stopping.abort();
  window.progress = [];
  window.drawing = (async () => {
    window.lib = await import(`${site}/lib/index.js`);
    const onProgress = ({ loaded, total }) => window.progress.push(loaded / total);
    const options = { runtime: 'ort-wasm', fallback: false, worker, onProgress, signal: stopping.signal };
    const generator = await window.lib.openBundle(`${site}/models/digits/ganexport.json`, options);
    const { data } = await generator.generate({ seeds: [1], label: 3 });
    await generator.dispose();
    return { data: [...data] };
  })().catch(({ name, code, message }) => ({ name, code, message }));
}"""


@pytest.fixture
def host(site_folder: Path) -> Iterator[Host]:
    with serve(site_folder.parents[1]) as host:
        yield host


@pytest.fixture
def page(context: BrowserContext, host: Host) -> Page:
    page = context.new_page()
    page.goto(host.url)
    return page


def start(page: Page, *, worker: bool = True) -> None:
    page.evaluate(DRAW, [SITE, worker])


def result(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("window.drawing")
    return found


def draw(page: Page, *, worker: bool = True) -> list[int]:
    start(page, worker=worker)
    found = result(page)
    assert "data" in found, found
    progress = page.evaluate("window.progress")
    assert progress == sorted(progress)
    assert progress[-1] == 1
    data: list[int] = found["data"]
    return data


def size_of_weights(site_folder: Path) -> int:
    return read_manifest(site_folder / "models" / "digits").files[WEIGHTS[1:]].bytes


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        (missing, "http", "synthesis.onnx: the server answered 404"),
        (html, "content", "synthesis.onnx is an HTML page, not a file of a bundle"),
        (altered, "content", "synthesis.onnx was altered: its SHA-256 is"),
    ],
)
def test_what_is_wrong_is_said_and_poisons_nothing(
    page: Page, host: Host, fault: Callable[..., None], code: str, message: str
) -> None:
    host.faults[WEIGHTS] = fault
    start(page)
    found = result(page)
    assert found["code"] == code
    assert message in found["message"]
    host.faults.clear()
    assert len(draw(page)) > 0


@pytest.mark.parametrize("worker", [True, False], ids=["in a worker", "in the page"])
def test_a_second_visit_fetches_no_weights(page: Page, host: Host, context: BrowserContext, worker: bool) -> None:
    first = draw(page, worker=worker)
    fetched = len(host.of(".onnx"))
    assert fetched == 2
    again = context.new_page()
    again.goto(host.url)
    assert draw(again, worker=worker) == first
    assert len(host.of(".onnx")) == fetched

    # What is damaged on the device is fetched again.
    assert again.evaluate(DAMAGE) == 2
    again.reload()
    assert draw(again, worker=worker) == first
    assert len(host.of(".onnx")) == 2 * fetched

    kept = again.evaluate("lib.cacheSize()")
    assert kept == sum(asked.sent for asked in host.of(".onnx")[:fetched])
    again.evaluate("lib.clearCache()")
    assert again.evaluate("lib.cacheSize()") == 0


# Flips the last byte of each first piece; gives how many there are.
DAMAGE = """async () => {
  const top = await (await navigator.storage.getDirectory()).getDirectoryHandle('ganexport');
  let damaged = 0;
  for await (const folder of top.values()) {
    for await (const [name, handle] of folder) {
      if (!name.startsWith('0-')) continue;
      const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
      bytes[bytes.length - 1] ^= 1;
      const stream = await handle.createWritable();
      await stream.write(bytes);
      await stream.close();
      damaged++;
    }
  }
  return damaged;
}"""


def test_two_at_once_share_one_download(page: Page, host: Host, context: BrowserContext) -> None:
    other = context.new_page()
    other.goto(host.url)
    start(page)
    start(other)
    assert result(page)["data"] == result(other)["data"]
    assert len(host.of(WEIGHTS)) == 1


# Waits until so many bytes would outlive the page.
UNTIL_KEPT = """async (bytes) => {
  while (!window.lib || (await lib.cacheSize()) < bytes) await new Promise((resolve) => setTimeout(resolve, 50));
}"""


@pytest.mark.parametrize("how", ["reload", "abort"])
def test_a_load_goes_on_where_it_stopped(page: Page, host: Host, site_folder: Path, how: str) -> None:
    size = size_of_weights(site_folder)
    host.faults[WEIGHTS] = stalls(300_000, 100_000, pause=1.2)  # longer than what comes is held back
    start(page)
    if how == "reload":
        page.evaluate(UNTIL_KEPT, 400_000)
        page.reload()
    else:
        page.wait_for_function("window.progress.at(-1) > 0.3")
        page.evaluate("window.stop()")
        assert result(page)["name"] == "AbortError"
    host.faults.clear()
    draw(page)
    whole, rest = host.of(WEIGHTS)
    assert whole.range is None
    assert rest.range is not None
    begin = int(rest.range.removeprefix("bytes=").removesuffix("-"))
    assert 0 < begin <= whole.sent < size
    assert rest.sent == size - begin
    assert whole.sent + rest.sent <= size + 100_000


def test_a_page_that_is_not_isolated_draws(context: BrowserContext, host: Host) -> None:
    host.isolates = False
    page = context.new_page()
    page.goto(host.url)
    assert page.evaluate("crossOriginIsolated") is False
    assert len(draw(page)) > 0
