"""A site with the digits on it, a browser, and pages that are watched for what must not happen."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route
from watched import Watched

from ganexport.errors import ExportError
from ganexport.runtimes.browser import open_browser
from ganexport.site import build_site, make_server

SITE = "sub/site"


@pytest.fixture(scope="session")
def site_folder(digits_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site in a sub-folder of a host, with somebody else's page at its root."""
    root = tmp_path_factory.mktemp("host")
    (root / "index.html").write_text('<!doctype html><link rel="icon" href="data:," />')
    try:
        return build_site([digits_bundle], root / SITE)
    except ExportError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def host_url(site_folder: Path) -> Iterator[str]:
    root = site_folder.parents[1]
    with make_server(root, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Gone before the next file, which may open its own."""
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def visitor(browser: Browser) -> BrowserContext:
    """One visitor, whose browser keeps what it has fetched."""
    return browser.new_context()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor who was never here."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def open_page(visitor: BrowserContext, host_url: str) -> Iterator[Callable[[str], Watched]]:
    """Opens an address of the host."""
    pages = []

    def open_page(path: str) -> Watched:
        watched = Watched(visitor.new_page())
        pages.append(watched.page)
        watched.page.goto(host_url + path)
        return watched

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture
def open_site(open_page: Callable[[str], Watched]) -> Callable[..., Watched]:
    """Opens the site's own page, with what stands after the `#`."""
    return lambda state="": open_page(f"/{SITE}/{state}")


@pytest.fixture
def first_visit(visitor: BrowserContext, host_url: str) -> Iterator[Callable[..., Page]]:
    """Opens the page as somebody who has never been here, with an answer of ours to some of its requests."""
    assert visitor.browser is not None
    context = visitor.browser.new_context()

    def first_visit(
        state: str, route: str | re.Pattern[str] = "**/never", answer: Callable[[Route], Any] | None = None
    ) -> Page:
        context.route(route, answer or (lambda route: route.continue_()))
        page = context.new_page()
        page.goto(f"{host_url}/{SITE}/{state}")
        return page

    yield first_visit
    context.close()


@pytest.fixture
def blank(open_page: Callable[[str], Watched]) -> Watched:
    """A page of the site's origin with nothing on it, as another author's would be."""
    return open_page("/")
