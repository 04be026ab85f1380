"""The page of a site in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from watched import Watched

pytestmark = pytest.mark.web

PICTURES = 16
FAST = "#runtime=tfjs-wasm"  # starts sooner than the default


def wait_until_drawn(page: Page) -> None:
    expect(page.locator("#status")).to_have_attribute("data-state", "done", timeout=60_000)
    expect(page.locator("#grid")).to_have_attribute("aria-busy", "false")


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
    page.locator("select[name=label]").select_option("3")
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
    page.keyboard.press("Tab")
    expect(page.locator("#grid button").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Seed 6, class 3")
    expect(dialog).to_be_visible()
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Save PNG").press("Enter")
    assert download.value.suggested_filename == "seed-6.png"
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(page.locator("#grid button").nth(1)).to_be_focused()

    page.keyboard.press("Enter")
    page.get_by_role("button", name="Start from here").press("Enter")
    expect(page.get_by_label("First seed")).to_have_value("6")
    page.get_by_role("button", name="Fresh pictures").press("Enter")
    expect(page.get_by_label("First seed")).not_to_have_value("6")


def test_every_control_has_a_name(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST).page
    wait_until_drawn(page)
    names = page.eval_on_selector_all(
        "input, select, button",
        "all => all.map((e) => e.getAttribute('aria-label') ?? e.labels[0]?.innerText ?? e.innerText)",
    )
    assert all(name.strip() for name in names)


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
    page.route("**/synthesis/model.json", lambda route: route.fulfill(status=404))
    page.locator("select[name=runtime]").select_option("tfjs-wasm")
    expect(page.locator("#status")).to_have_attribute("data-state", "failed")
    expect(page.locator("#status")).to_contain_text("synthesis/model.json: the server answered 404")
    # And what failed once works when it is tried again.
    page.unroute("**/synthesis/model.json")
    page.get_by_role("button", name="Fresh pictures").click()
    wait_until_drawn(page)


def test_a_class_that_is_none_is_said(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST + "&label=99").page
    expect(page.locator("#status")).to_have_attribute("data-state", "failed", timeout=60_000)
    expect(page.locator("#status")).to_contain_text("no class 99")
