"""The page of a site in a real browser."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Route, expect
from watched import Watched

from ganexport.site import build_site, make_server

pytestmark = pytest.mark.web

PICTURES = 24
FAST = "#runtime=tfjs-wasm"  # starts sooner than the default
LEVELS_OF_ONE = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"


@pytest.fixture(scope="module")
def two_models_url(digits_bundle: Path, dcgan_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    site = build_site([digits_bundle, dcgan_bundle], tmp_path_factory.mktemp("two") / "site")
    with make_server(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def wait_until_drawn(page: Page) -> None:
    expect(page.locator("#status")).to_have_attribute("data-state", "done", timeout=60_000)
    expect(page.locator("#panel")).to_have_attribute("aria-busy", "false")


def pictures(page: Page) -> list[str]:
    """Every picture of the grid, as text."""
    found: list[str] = page.eval_on_selector_all("#grid canvas", "all => all.map(c => c.toDataURL())")
    return found


def test_page_draws_by_itself(open_site: Callable[..., Watched], host_url: str) -> None:
    watched = open_site()
    wait_until_drawn(watched.page)
    assert len(set(pictures(watched.page))) == PICTURES
    assert watched.messages == []
    assert {urlsplit(url).netloc for url in watched.requests} == {urlsplit(host_url).netloc}
    assert watched.page.title() == "digits · ganexport"


@pytest.mark.parametrize(
    ("code", "directive"),
    [
        ("setTimeout('1')", "script-src"),  # a string is evaluated
        ("fetch('https://example.org/')", "connect-src"),
        ("document.body.append(Object.assign(new Image(), {src: 'https://example.org/'}))", "img-src"),
        ("document.body.innerHTML = '<p style=\"color: red\">'", "style-src-attr"),
    ],
)
def test_policy_forbids(open_site: Callable[..., Watched], code: str, directive: str) -> None:
    page = open_site().page
    violated = page.evaluate(
        f"""() => new Promise((resolve) => {{
          document.addEventListener('securitypolicyviolation', (event) => resolve(event.violatedDirective));
          setTimeout(resolve, 5000, 'allowed');
          {code};
        }})"""
    )
    assert violated == directive


@pytest.mark.parametrize("runtime", ["ort-wasm", "tfjs-webgl", "tfjs-wasm", "tfjs-cpu"])
def test_each_runtime_can_be_chosen(open_site: Callable[..., Watched], runtime: str) -> None:
    watched = open_site(f"#runtime={runtime}&grid=2")
    wait_until_drawn(watched.page)
    assert watched.page.locator("select[name=runtime]").input_value() == runtime
    assert watched.messages == []


def test_runtimes_agree_on_the_pictures(open_site: Callable[..., Watched]) -> None:
    page = open_site("#runtime=tfjs-wasm&seed=100&psi=0.7&grid=8").page
    wait_until_drawn(page)
    first = levels(page)
    page.locator("select[name=runtime]").select_option("ort-wasm")
    expect(page.locator("#status")).to_contain_text("ONNX Runtime", timeout=60_000)
    wait_until_drawn(page)
    assert max(abs(a - b) for a, b in zip(first, levels(page), strict=True)) <= 1


def levels(page: Page) -> list[int]:
    found: list[int] = page.eval_on_selector_all(
        "#grid canvas",
        """all => all.flatMap((canvas) => {
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return [...data];
        })""",
    )
    return found


def test_a_link_shows_the_same_pictures(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST).page
    wait_until_drawn(page)
    before = pictures(page)
    page.get_by_role("radio", name="3", exact=True).check()
    page.locator("input[name=seed]").fill("12345")
    expect(page.locator("#grid button").first).to_have_attribute("aria-label", "Seed 12345, class 3")
    wait_until_drawn(page)
    drawn = pictures(page)
    assert drawn != before

    again = open_site("#" + page.url.split("#")[1]).page
    wait_until_drawn(again)
    assert pictures(again) == drawn


def test_a_link_can_be_copied(first_visit: Callable[..., Page]) -> None:
    page = first_visit(FAST + "&seed=7&label=3&grid=2")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    wait_until_drawn(page)
    page.get_by_role("button", name="Copy link").press("Enter")
    expect(page.locator("#status")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.locator("#grid .tile").nth(1).press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Copy link").press("Enter")
    expect(page.locator("#picture-said")).to_have_text("Link copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "seed=8&label=3&runtime=tfjs-wasm" in copied


def test_psi_zero_draws_one_picture(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST + "&psi=0&label=3").page
    wait_until_drawn(page)
    assert len(set(pictures(page))) == 1


def test_everything_works_by_keyboard(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST + "&seed=5&label=3").page
    wait_until_drawn(page)
    tab = page.get_by_role("tab", name="Pictures")
    tab.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    expect(tab).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#grid button").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog = page.locator("#picture")
    expect(page.get_by_role("dialog", name="Seed 6, class 3")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("dialog", name="Seed 7, class 3")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(page.locator("#grid button").nth(1)).to_be_focused()

    page.keyboard.press("Enter")
    page.get_by_role("button", name="Start from here").press("Enter")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("6")
    page.get_by_role("button", name="Roll the dice").press("Enter")
    expect(page.get_by_label("Seed", exact=True)).not_to_have_value("6")


def test_a_saved_picture_says_what_it_is(open_site: Callable[..., Watched], tmp_path: Path) -> None:
    page = open_site(FAST + "&seed=5&label=3&psi=0.5&noise=none").page
    wait_until_drawn(page)
    page.locator("#grid button").nth(1).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save PNG").click()
    assert download.value.suggested_filename == "digits-seed-6-class-3.png"
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as image:
        image.load()
        texts = {name: str(text) for name, text in image.info.items()}
        shown = page.locator("#grid canvas").nth(1).evaluate(LEVELS_OF_ONE)
        assert np.array_equal(np.asarray(image.convert("RGBA")).ravel(), shown)
    assert texts["Title"] == "digits: Seed 6, class 3"
    assert texts["Software"] == "ganexport"
    record = json.loads(texts["ganexport"])
    wanted = {"model": "digits", "seed": 6, "label": 3, "psi": 0.5, "cutoff": None, "noise": "none"}
    assert {name: record[name] for name in wanted} == wanted
    assert record["link"] == texts["Source"]

    again = open_site("#" + record["link"].split("#")[1]).page
    wait_until_drawn(again)
    assert np.array_equal(again.locator("#grid canvas").first.evaluate(LEVELS_OF_ONE), shown)


def test_page_never_scrolls_sideways(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST).page
    wait_until_drawn(page)
    for width in (320, 390, 800, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_seed_that_is_none_changes_nothing(open_site: Callable[..., Watched]) -> None:
    watched = open_site(FAST)
    wait_until_drawn(watched.page)
    before = watched.page.url
    watched.page.locator("input[name=seed]").fill("-3")
    assert watched.page.url == before
    assert watched.messages == []


def test_where_scripts_are_switched_off_it_says_so(open_page: Callable[[str], Watched]) -> None:
    """A document that is only parsed has no scripts, as a page where they are switched off."""
    page = open_page("/").page
    said = page.evaluate(
        """async () => {
             const text = await (await fetch('/sub/site/')).text();
             return new DOMParser().parseFromString(text, 'text/html').querySelector('body > noscript > p').textContent;
           }"""
    )
    assert "JavaScript" in said and "switched off" in said


def test_a_missing_file_is_said(first_visit: Callable[..., Page]) -> None:
    page = first_visit("#runtime=tfjs-wasm", "**/synthesis/model.json", lambda route: route.fulfill(status=404))
    expect(page.locator("#status")).to_have_attribute("data-state", "failed", timeout=60_000)
    expect(page.locator("#status")).to_contain_text("synthesis/model.json: the server answered 404")
    expect(page.locator("#status")).to_contain_text("The site may be incomplete")
    # And what failed once works when it is tried again.
    page.context.unroute_all()
    page.get_by_role("button", name="Try again").click()
    wait_until_drawn(page)
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_a_slow_network_has_something_to_look_at(first_visit: Callable[..., Page]) -> None:
    held: list[Route] = []
    page = first_visit(FAST, "**/*.bin", lambda route: held.append(route))  # noqa: PLW0108 Playwright marks what it calls
    expect(page.locator("#title")).to_have_text("digits")
    expect(page.locator("#grid .poster img")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("Loading", timeout=60_000)
    expect(page.get_by_role("progressbar", name="Download")).to_be_visible()
    assert page.locator("#grid .tile").count() == PICTURES
    for route in held:
        route.continue_()
    page.context.unroute_all()
    wait_until_drawn(page)
    expect(page.locator("#grid .poster")).to_be_hidden()
    expect(page.get_by_role("progressbar", name="Download")).to_be_hidden()


def test_what_is_kept_can_be_forgotten(first_visit: Callable[..., Page]) -> None:
    page = first_visit(FAST)
    wait_until_drawn(page)
    expect(page.locator("#stored")).to_contain_text("1.1 MB of models are kept on this device")
    page.context.set_offline(True)
    expect(page.locator("#stored")).to_contain_text("You are offline")
    page.context.set_offline(False)
    expect(page.locator("#stored")).not_to_contain_text("You are offline")
    page.get_by_role("button", name="Forget them").click()
    expect(page.locator("#stored")).to_be_hidden()


def test_a_runtime_that_gives_way_is_said(first_visit: Callable[..., Page]) -> None:
    page = first_visit("#runtime=ort-wasm&grid=1", "**/ort-wasm*.wasm", lambda route: route.abort())
    wait_until_drawn(page)
    expect(page.locator("#notice")).to_contain_text("ONNX Runtime · Wasm gave up, so TensorFlow.js")


def test_back_and_forward_go_through_the_choices(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST + "&seed=5").page
    wait_until_drawn(page)
    seed = page.get_by_label("Seed", exact=True)
    page.get_by_role("radio", name="3", exact=True).check()
    wait_until_drawn(page)
    seed.fill("12")
    seed.press("0")  # typing is one choice
    wait_until_drawn(page)
    page.get_by_role("tab", name="Check").click()
    expect(page).to_have_url(re.compile("tool=check"))
    page.go_back()
    expect(page.get_by_role("tab", name="Pictures")).to_have_attribute("aria-selected", "true")
    wait_until_drawn(page)
    assert first_title(page) == "Seed 120, class 3"
    page.go_back()
    expect(seed).to_have_value("5")
    wait_until_drawn(page)
    assert first_title(page) == "Seed 5, class 3"
    page.go_back()
    expect(page.get_by_role("radio", name="All")).to_be_checked()
    page.go_forward()
    page.go_forward()
    expect(seed).to_have_value("120")


def first_title(page: Page) -> str | None:
    return page.locator("#grid .tile").first.get_attribute("aria-label")


def test_rows_of_classes_and_more_pictures(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST + "&seed=7").page
    wait_until_drawn(page)
    page.get_by_role("button", name="More pictures").click()
    wait_until_drawn(page)
    assert len(set(pictures(page))) == 2 * PICTURES
    assert "grid=48" in page.url
    page.get_by_role("checkbox", name="A row for each class").check()
    wait_until_drawn(page)
    titles = page.eval_on_selector_all("#grid .tile", "all => all.map((tile) => tile.ariaLabel)")
    assert titles == [f"Seed {7 + column}, class {row}" for row in range(10) for column in range(6)]


def test_two_models_on_one_site(visitor: BrowserContext, two_models_url: str) -> None:
    watched = Watched(visitor.new_page())
    page = watched.page
    page.goto(f"{two_models_url}{FAST}&seed=3&label=2")
    wait_until_drawn(page)
    models = page.get_by_role("navigation", name="Models")
    expect(models.get_by_role("link", name="digits")).to_have_attribute("aria-current", "")
    expect(page.get_by_role("tab", name="Mix")).to_be_visible()
    models.get_by_role("link", name="tiny-dcgan").press("Enter")
    expect(page.locator("#title")).to_have_text("tiny-dcgan")
    wait_until_drawn(page)
    assert first_title(page) == "Seed 3"
    # What this family has not is not offered.
    for control in ("psi", "cutoff", "label", "noise"):
        expect(page.locator(f"[data-control={control}]")).to_be_hidden()
    expect(page.get_by_role("tab", name="Mix")).to_have_count(0)
    page.go_back()
    expect(page.locator("#title")).to_have_text("digits")
    wait_until_drawn(page)
    assert first_title(page) == "Seed 3, class 2"
    assert watched.messages == []
    page.close()


def test_a_class_that_is_none_is_said(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST + "&label=99").page
    expect(page.locator("#status")).to_have_attribute("data-state", "failed", timeout=60_000)
    expect(page.locator("#status")).to_contain_text("no class 99")
