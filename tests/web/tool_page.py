"""What tests of the page's tools share: one tool opened, and its pictures as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

FAST = "#runtime=tfjs-wasm"  # starts sooner than the default

LEVELS = """all => all.map((canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.height, canvas.width, ...data.filter((_, i) => i % 4 === 0)];
})"""


def wait_until_drawn(page: Page) -> None:
    """Until the open tool shows what its state says."""
    expect(page.locator("#panel")).to_have_attribute("aria-busy", "false", timeout=120_000)
    expect(page.locator("#status")).to_have_attribute("data-state", "done")


def levels(tiles: Locator) -> NDArray[np.int16]:
    """The grey pictures in these tiles: [N, H, W]."""
    found: list[list[Any]] = tiles.locator("canvas").evaluate_all(LEVELS)
    return np.array([np.reshape(rest, (height, width)) for height, width, *rest in found], np.int16)


def assert_same(shown: NDArray[np.int16], wanted: NDArray[np.uint8]) -> None:
    """Within one grey level. `wanted`: [N, H, W, 1], as Python draws it."""
    assert shown.shape == wanted.shape[:3]
    assert np.abs(shown - wanted[..., 0].astype(np.int16)).max() <= 1
    assert len({one.tobytes() for one in wanted}) > 1 or len(wanted) == 1  # else any order would do


def part_of_address(page: Page, name: str) -> str:
    """A tool's own part of the address."""
    found: str = page.evaluate("name => new URLSearchParams(location.hash.slice(1)).get(name) ?? ''", name)
    return found
