"""The page for people who do not see it, or not well: axe-core finds nothing serious in any tab, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect
from watched import Watched

pytestmark = pytest.mark.web

AXE = Path(__file__).parents[2] / "web_demo" / "node_modules" / "axe-core" / "axe.min.js"
FAST = "#runtime=tfjs-wasm"
SERIOUS = """async () => (await axe.run()).violations
  .filter(({ impact }) => impact === 'serious' || impact === 'critical')
  .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`)"""

SMALL_TARGETS = """() => [...document.querySelectorAll('button, select, input, label:has(input)')]
  .filter((e) => e.offsetParent && !e.matches('label > input, .field > label'))
  .map((e) => [e.outerHTML.slice(0, 120), e.getBoundingClientRect()])
  .filter(([, { width, height }]) => width < 44 || height < 44)
  .map(([html, { width, height }]) => `${width} x ${height}: ${html}`)"""

# What has the focus, and whether something else lies over its middle.
FOCUSED = """() => {
  const focused = document.activeElement;
  const { left, top, width, height } = focused.getBoundingClientRect();
  const over = document.elementFromPoint(left + width / 2, top + height / 2);
  return {
    name: focused.outerHTML.slice(0, 120),
    isBody: focused === document.body,
    isSeen: focused.matches(':focus-visible') && over !== null && (focused.contains(over) || over.contains(focused)),
  };
}"""


def serious_issues(page: Page) -> list[str]:
    """What axe-core calls serious or critical, with the elements."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(SERIOUS)
    return found


def wait_until_drawn(page: Page) -> None:
    expect(page.locator("#panel")).to_have_attribute("aria-busy", "false", timeout=120_000)
    expect(page.locator("#status")).to_have_attribute("data-state", "done")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_site: Callable[..., Watched], scheme: Literal["light", "dark"]) -> None:
    page = open_site(FAST).page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    wait_until_drawn(page)
    issues: list[str] = []
    tabs = page.get_by_role("tab").all()
    assert len(tabs) > 1
    for tab in tabs:
        tab.click()
        wait_until_drawn(page)
        issues += [f"{tab.inner_text()}: {issue}" for issue in serious_issues(page)]
    page.get_by_role("tab", name="Pictures").click()
    wait_until_drawn(page)
    page.locator("#grid button").first.click()
    issues += [f"dialog: {issue}" for issue in serious_issues(page)]
    assert issues == []


def test_axe_would_find_something(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST).page
    wait_until_drawn(page)
    page.evaluate("document.querySelector('#share').textContent = ''")
    assert any(issue.startswith("button-name") for issue in serious_issues(page))


def test_motion_is_reduced_for_those_who_ask(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST).page
    page.emulate_media(reduced_motion="reduce")
    moving = page.evaluate(
        """() => [...document.querySelectorAll('*')].filter((e) => {
             const { transitionDuration, animationName } = getComputedStyle(e);
             return animationName !== 'none' || parseFloat(transitionDuration) > 0;
           }).length"""
    )
    assert moving == 0


def test_every_tab_is_made_for_a_phone(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST).page
    page.set_viewport_size({"width": 360, "height": 800})
    wait_until_drawn(page)
    for tab in page.get_by_role("tab").all():
        tab.click()
        wait_until_drawn(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 360, tab.inner_text()
        assert page.evaluate(SMALL_TARGETS) == [], tab.inner_text()


@pytest.mark.parametrize(("tool", "key", "width"), [("morph", "Tab", 1100), ("directions", "Shift+Tab", 360)])
def test_what_has_the_focus_is_seen(open_site: Callable[..., Watched], tool: str, key: str, width: int) -> None:
    """Nothing that stays in the window while the page scrolls lies over it, downwards nor upwards."""
    page = open_site(f"{FAST}&tool={tool}").page
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 800})
    wait_until_drawn(page)
    hidden, stops = [], 0
    for stops in range(100):  # noqa: B007
        page.keyboard.press(key)
        focused = page.evaluate(FOCUSED)
        if focused["isBody"]:
            break
        hidden += [] if focused["isSeen"] else [focused["name"]]
    assert 20 < stops < 99
    assert hidden == []


def test_nothing_jumps_while_pictures_come(open_site: Callable[..., Watched]) -> None:
    page = open_site(FAST).page
    wait_until_drawn(page)
    page.get_by_role("button", name="Roll the dice").click()
    wait_until_drawn(page)
    shift = page.evaluate(
        """() => new Promise((resolve) => {
             new PerformanceObserver((list) => resolve(list.getEntries()
               .filter((entry) => !entry.hadRecentInput).reduce((sum, { value }) => sum + value, 0)))
               .observe({ type: 'layout-shift', buffered: true });
             setTimeout(resolve, 1000, 0);
           })"""
    )
    assert shift < 0.1
