"""Sites and elements where they were not built to stand: in frames, on other origins, under strict policies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest
from authors_page import error, listen, picture
from hosting_document import documented, policy
from plain_host import plain_host
from playwright.sync_api import BrowserContext, Page, expect
from watched import Watched

import ganexport

pytestmark = pytest.mark.web

CORS = {"Access-Control-Allow-Origin": "*"}
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
PAGE = '<!doctype html><title>an author</title><link rel="icon" href="/icon.svg" />{}'


def with_runtime(element: str, runtime: str) -> str:
    return element.replace("<gan-generator", f'<gan-generator runtime="{runtime}"')


def only_loaded(watched: Watched, runtime: str) -> bool:
    """Whether the graphs of this runtime were fetched and no others: none had to stand in for it."""
    fetched = {target for target in ("onnx", "tfjs") if any(f"/digits/{target}/" in url for url in watched.requests)}
    return fetched == {"onnx" if runtime.startswith("ort") else "tfjs"}


@pytest.fixture(scope="module")
def expected(digits_bundle: Path) -> np.ndarray:
    """The picture of the document's element, uint8 [H, W, 1]."""
    return ganexport.open_bundle(digits_bundle).generate([42], label=3)[0]


class Author:
    """Hosts of an author, and pages on them."""

    def __init__(self, folder: Path, visitor: BrowserContext, opened: ExitStack) -> None:
        self._folder, self._visitor, self._opened = folder, visitor, opened
        self.reports: Queue[str] = Queue()

    def host(self, folder: Path, **options: Any) -> str:
        return self._opened.enter_context(plain_host(folder, **options))

    def open(self, html: str, *, site: Path | None = None, headers: Mapping[str, str] | None = None) -> Watched:
        """A page with this on it, beside this site if one is given, on a host of its own."""
        (self._folder / "index.html").write_text(PAGE.format(html))
        (self._folder / "icon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" />')
        if site is not None:
            (self._folder / "site").symlink_to(site)
        url = self.host(self._folder, name="localhost", headers=headers, reports=self.reports)
        watched = Watched(self._visitor.new_page())
        self._opened.callback(watched.page.close)
        listen(watched.page)
        watched.page.goto(url)
        return watched

    def violations(self, page: Page) -> list[str]:
        """The directives that were violated so far, in the page or in its worker, as the browser reported them."""
        page.evaluate("void fetch('https://example.org/last').catch(() => undefined)")
        found = []
        while True:
            report = json.loads(self.reports.get(timeout=60))["csp-report"]
            if report["blocked-uri"].startswith("https://example.org"):
                return found
            found.append(report["effective-directive"])


@pytest.fixture
def author(tmp_path: Path, visitor: BrowserContext) -> Iterator[Author]:
    with ExitStack() as opened:
        yield Author(tmp_path, visitor, opened)


@pytest.fixture
def root(site_folder: Path) -> Path:
    """What a host serves: the site is in its folder `site`."""
    return site_folder.parent


@pytest.mark.parametrize("sandbox", ["", "allow-scripts"])
def test_the_page_draws_in_a_frame_of_another_site(author: Author, root: Path, sandbox: str) -> None:
    """Also in a sandbox, where it has no origin: no storage, no service worker, no worker."""
    frame = documented("frame", author.host(root, headers=CORS if sandbox else {}))
    if sandbox:
        frame = frame.replace("<iframe", f'<iframe sandbox="{sandbox}"')
    watched = author.open(frame)
    inside = watched.page.frame_locator("iframe")
    expect(inside.locator("#status")).to_have_attribute("data-state", "done", timeout=60_000)
    expect(inside.locator("#grid canvas").first).to_be_visible()
    assert "seed=7" in inside.locator(":root").evaluate("() => location.hash")
    assert [text for text in watched.messages if not (sandbox and "Creating a worker" in text)] == []


@pytest.mark.parametrize(
    ("runtime", "isolated"), [("ort-wasm", False), ("ort-wasm", True), ("tfjs-wasm", False)], ids=str
)
def test_the_element_draws_on_a_page_of_another_origin(
    author: Author, root: Path, expected: np.ndarray, runtime: str, isolated: bool
) -> None:
    """Also under the documented policy, and with the threads of an isolated page."""
    site = author.host(root, headers=CORS)
    headers = policy("other-origin", site)
    if isolated:
        headers = {name: value.replace("script-src", "script-src blob:") for name, value in headers.items()} | ISOLATED
    watched = author.open(with_runtime(documented("element", site), runtime), headers=headers)
    assert np.abs(picture(watched.page)[..., :3] - expected).max() <= 1
    assert only_loaded(watched, runtime)
    assert watched.page.workers
    assert watched.page.evaluate("crossOriginIsolated") == isolated
    assert watched.messages == []
    assert author.violations(watched.page) == []


def test_without_the_header_the_error_says_what_to_do(author: Author, root: Path) -> None:
    allowed, forbidden = author.host(root, headers=CORS), author.host(root)
    element = documented("element", allowed).replace(f"{allowed}/site/models", f"{forbidden}/site/models")
    watched = author.open(element)
    said = error(watched.page)
    assert f"{forbidden}/site/models/digits/ganexport.json could not be reached" in said
    assert "Access-Control-Allow-Origin" in said


@pytest.mark.parametrize("runtime", ["ort-wasm", "tfjs-wasm", "tfjs-webgl", "tfjs-cpu"])
def test_a_strict_policy_lets_every_runtime_draw(
    author: Author, site_folder: Path, expected: np.ndarray, runtime: str
) -> None:
    element = with_runtime(documented("element", ""), runtime)
    watched = author.open(element, site=site_folder, headers=policy("same-origin"))
    assert np.abs(picture(watched.page)[..., :3] - expected).max() <= 1
    assert only_loaded(watched, runtime)
    assert watched.page.workers
    assert watched.messages == []
    assert author.violations(watched.page) == []


def test_where_workers_are_forbidden_the_page_itself_draws(
    author: Author, site_folder: Path, expected: np.ndarray
) -> None:
    strict = {
        name: value.replace("worker-src 'self'", "worker-src 'none'") for name, value in policy("same-origin").items()
    }
    watched = author.open(documented("element", ""), site=site_folder, headers=strict)
    assert np.abs(picture(watched.page)[..., :3] - expected).max() <= 1
    assert not watched.page.workers
    assert set(author.violations(watched.page)) == {"worker-src"}
