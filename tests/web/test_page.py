"""The page of a site in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from watched import Watched, forget_weights

pytestmark = pytest.mark.web

PICTURES = 24
FAST = "#runtime=tfjs-wasm"  # starts sooner than the default
LEVELS_OF_ONE = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"


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
    watched = open_site(f"#runtime={runtime}")
    wait_until_drawn(watched.page)
    assert watched.page.locator("select[name=runtime]").input_value() == runtime
    assert watched.messages == []


def test_runtimes_agree_on_the_pictures(open_site: Callable[..., Watched]) -> None:
    page = open_site("#runtime=tfjs-wasm&seed=100&psi=0.7").page
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
        shown = page.eval_on_selector("#grid button:nth-child(2) canvas", LEVELS_OF_ONE)
        assert np.array_equal(np.asarray(image.convert("RGBA")).ravel(), shown)
    assert texts["Title"] == "digits: Seed 6, class 3"
    assert texts["Software"] == "ganexport"
    record = json.loads(texts["ganexport"])
    wanted = {"model": "digits", "seed": 6, "label": 3, "psi": 0.5, "cutoff": None, "noise": "none"}
    assert {name: record[name] for name in wanted} == wanted
    assert record["link"] == texts["Source"]

    again = open_site("#" + record["link"].split("#")[1]).page
    wait_until_drawn(again)
    assert np.array_equal(again.eval_on_selector("#grid button:first-child canvas", LEVELS_OF_ONE), shown)


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_page_never_scrolls_sideways(open_site: Callable[..., Watched], width: int) -> None:
    page = open_site(FAST).page
    page.set_viewport_size({"width": width, "height": 800})
    wait_until_drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_seed_that_is_none_changes_nothing(open_site: Callable[..., Watched]) -> None:
    watched = open_site(FAST)
    wait_until_drawn(watched.page)
    before = watched.page.url
    watched.page.locator("input[name=seed]").fill("-3")
    assert watched.page.url == before
    assert watched.messages == []


def test_a_missing_file_is_said(open_site: Callable[..., Watched]) -> None:
    page = open_site("#runtime=tfjs-cpu").page
    wait_until_drawn(page)
    forget_weights(page)
    page.route("**/synthesis/model.json", lambda route: route.fulfill(status=404))
    page.locator("select[name=runtime]").select_option("tfjs-wasm")
    expect(page.locator("#status")).to_have_attribute("data-state", "failed")
    expect(page.locator("#status")).to_contain_text("synthesis/model.json: the server answered 404")
    # And what failed once works when it is tried again.
    page.unroute("**/synthesis/model.json")
    page.get_by_role("button", name="Try again").click()
    wait_until_drawn(page)


def test_a_class_that_is_none_is_said(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST + "&label=99").page
    expect(page.locator("#status")).to_have_attribute("data-state", "failed", timeout=60_000)
    expect(page.locator("#status")).to_contain_text("no class 99")
