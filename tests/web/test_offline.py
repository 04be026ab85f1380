"""The service worker of a site: works without a network, one version at a time, and isolates where it is asked to."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from host import Host, serve
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = pytest.mark.web

SITE = "/sub/site/"
FAST = "#runtime=tfjs-wasm&seed=5"
CONTROLLED = "navigator.serviceWorker.controller !== null"


@pytest.fixture
def folder(site_folder: Path, tmp_path: Path) -> Path:
    """A site that a test may change, in a sub-folder of a host."""
    shutil.copytree(site_folder.parents[1], tmp_path / "host")
    return tmp_path / "host" / SITE.strip("/")


@pytest.fixture
def host(folder: Path) -> Iterator[Host]:
    with serve(folder.parents[1]) as host:
        yield host


def visit(context: BrowserContext, host: Host, state: str = FAST) -> Page:
    page = context.new_page()
    page.goto(host.url + SITE + state)
    wait_until_drawn(page)
    return page


def wait_until_drawn(page: Page) -> None:
    expect(page.locator("#status")).to_have_attribute("data-state", "done", timeout=90_000)
    expect(page.locator("#panel")).to_have_attribute("aria-busy", "false")


def pictures(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#grid canvas", "all => all.map((canvas) => canvas.toDataURL())")
    return found


def test_after_one_visit_no_network_is_needed(context: BrowserContext, host: Host) -> None:
    page = visit(context, host)
    drawn = pictures(page)
    assert len(set(drawn)) > 1
    assert page.evaluate(CONTROLLED)
    before = len(host.asked)

    context.set_offline(True)
    page.reload()
    wait_until_drawn(page)
    assert pictures(page) == drawn
    other = context.new_page()
    other.goto(host.url + SITE + "index.html" + FAST)
    wait_until_drawn(other)
    assert pictures(other) == drawn
    assert {asked.path for asked in host.asked[before:]} <= {f"{SITE}sw.js"}  # the browser looks for a new one


def test_a_second_visit_asks_only_whether_something_is_new(context: BrowserContext, host: Host) -> None:
    visit(context, host).close()
    host.asked.clear()
    visit(context, host)
    asked = {asked.path.removeprefix(SITE) for asked in host.asked}
    assert asked <= {"sw.js", "models.json", "models/digits/ganexport.json", "models/digits/preview.webp"}


def test_it_can_be_installed(context: BrowserContext, host: Host) -> None:
    page = visit(context, host)
    session = context.new_cdp_session(page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["url"] == f"{host.url}{SITE}manifest.webmanifest"
    assert manifest["errors"] == []
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert {error["errorId"] for error in errors} <= {"in-incognito"}  # which every browser of a test is
    for icon in page.evaluate("fetch('manifest.webmanifest').then((r) => r.json())")["icons"]:
        size = page.evaluate(SIZE, icon["src"])
        assert icon["sizes"] == f"{size}x{size}"


SIZE = "async (src) => (await createImageBitmap(await (await fetch(src)).blob())).width"


def test_a_new_version_comes_whole(context: BrowserContext, host: Host, folder: Path) -> None:
    page = visit(context, host)
    publish_style(folder, "body { outline-style: dotted }")
    page.goto("about:blank")
    page.goto(host.url + SITE + FAST)
    # Nobody has touched the page, so that it shows the new version as soon as that is there.
    expect(page.locator("body")).to_have_css("outline-style", "dotted", timeout=60_000)
    wait_until_drawn(page)
    context.set_offline(True)
    page.reload()
    wait_until_drawn(page)
    expect(page.locator("body")).to_have_css("outline-style", "dotted")


def test_half_of_a_new_version_is_not_taken(context: BrowserContext, host: Host, folder: Path) -> None:
    page = visit(context, host)
    old = (folder / "index.html").read_text()
    publish_style(folder, "body { outline-style: dotted }")
    (folder / "index.html").write_text(old)  # the host has not got the new page yet
    assert page.evaluate(UPDATE) is True
    page.reload()
    wait_until_drawn(page)
    expect(page.locator("body")).to_have_css("outline-style", "none")


# Looks for a new version; gives whether that failed to install.
UPDATE = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  await registration.update();
  const worker = registration.installing;
  while (worker.state === 'installing') await new Promise((resolve) => setTimeout(resolve, 50));
  return worker.state === 'redundant';
}"""


def publish_style(folder: Path, added: str) -> None:
    """Change the style sheet as a new build would: its name, the page and the list of files change with it."""
    (old,) = (folder / "page").glob("*.css")
    new = old.with_name(re.sub(r"-[\w-]{8}\.css$", "-abcdefgh.css", old.name))
    page, worker = folder / "index.html", folder / "sw.js"
    before = [sha256(old), sha256(page)]
    new.write_text(f"{old.read_text()}\n{added}")
    old.unlink()
    page.write_text(page.read_text().replace(old.name, new.name))
    code = worker.read_text().replace(old.name, new.name)
    for was, now in zip(before, [sha256(new), sha256(page)], strict=True):
        assert was in code
        code = code.replace(was, now)
    (version,) = re.findall(r"\(\w+,\s*[`'\"]([0-9a-f]{16})[`'\"]", code)
    worker.write_text(code.replace(version, "0" * 16))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_threads_where_they_are_asked_for(context: BrowserContext, host: Host) -> None:
    host.isolates = False
    page = visit(context, host)
    assert page.evaluate("crossOriginIsolated") is False

    page.goto(host.url + SITE + "?threads#runtime=ort-wasm&seed=5")
    wait_until_drawn(page)
    assert page.evaluate("crossOriginIsolated") is True
    expect(page.locator("#status")).to_contain_text("ONNX Runtime")
    page.reload()
    wait_until_drawn(page)
    assert page.evaluate("crossOriginIsolated") is True

    page.goto(host.url + SITE + FAST)
    wait_until_drawn(page)
    assert page.evaluate("crossOriginIsolated") is False


@pytest.mark.parametrize(("isolates", "loads"), [(True, 1), (False, 2)])
def test_a_first_visit_may_ask_for_threads(context: BrowserContext, host: Host, isolates: bool, loads: int) -> None:
    host.isolates = isolates
    page = context.new_page()
    loaded: list[str] = []
    page.on("domcontentloaded", lambda: loaded.append(page.url))
    page.goto(f"{host.url}{SITE}?threads{FAST}")
    wait_until_drawn(page)
    assert page.evaluate("crossOriginIsolated") is True
    assert len(loaded) == loads


@pytest.mark.parametrize("isolates", [True, False])
def test_without_a_service_worker_it_works_the_same(context: BrowserContext, host: Host, isolates: bool) -> None:
    host.isolates = isolates
    context.add_init_script("delete Navigator.prototype.serviceWorker")
    page = visit(context, host, f"?threads{FAST}")
    assert page.evaluate("crossOriginIsolated") is isolates
    assert len(host.of(SITE)) == 1  # it does not load itself again and again
