"""The page's tools on models of other kinds than the digits: in z and without classes, and large with stages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, expect
from tool_page import FAST, part_of_address, wait_until_drawn
from watched import Watched

from ganexport.bundle import open_bundle
from ganexport.directions import DirectionOptions, update_directions
from ganexport.latents import arithmetic, move_along, walk
from ganexport.site import build_site

pytestmark = pytest.mark.web

Open = Callable[[str], Watched]

COLOURS = """all => all.map((canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return [...data.filter((_, i) => i % 4 < 3)];
})"""


def colours(tiles: Locator, side: int) -> NDArray[np.int16]:
    """The pictures in these tiles: [N, side, side, 3]."""
    found = np.array(tiles.locator("canvas").evaluate_all(COLOURS), np.int16)
    return found.reshape(-1, side, side, 3)


def assert_same(shown: NDArray[np.int16], wanted: NDArray[np.uint8]) -> None:
    assert np.abs(shown - wanted.astype(np.int16)).max() <= 1


@pytest.fixture(scope="module")
def staged(staged_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """128² in two stages, with directions."""
    folder = tmp_path_factory.mktemp("bundle") / "staged"
    shutil.copytree(staged_bundle, folder)
    update_directions(folder, DirectionOptions(methods=("pca",), count=1, samples=100, previews=False))
    return folder


@pytest.fixture(scope="module")
def other_site(site_folder: Path, dcgan_bundle: Path, staged: Path) -> str:
    """A site of two other models on the same host; returns its address there."""
    build_site([dcgan_bundle, staged], site_folder.parents[1] / "others")
    return "/others/"


def test_a_model_in_z(open_page: Open, other_site: str, dcgan_bundle: Path) -> None:
    page = open_page(f"{other_site}{FAST}&model=tiny-dcgan&seed=5&tool=arithmetic").page
    wait_until_drawn(page)
    tabs = page.get_by_role("tab")
    assert tabs.all_inner_texts() == ["Pictures", "Morph", "Arithmetic", "Sweep", "Check"]
    bundle = open_bundle(dcgan_bundle)
    a, b, c = (bundle.latents([seed]) for seed in (5, 6, 7))
    assert_same(colours(page.locator(".sum .result"), 16), bundle.draw(arithmetic(a, b, c)))

    page.get_by_role("tab", name="Sweep").click()
    wait_until_drawn(page)
    expect(page.get_by_role("radiogroup", name="What changes")).not_to_be_visible()  # there are no classes
    z = np.repeat(a, 9, axis=0)
    z[:, 0] = np.linspace(-1, 1, 9, dtype=np.float32)
    assert_same(colours(page.locator(".sweep .tile"), 16), bundle.draw(z))

    page = open_page(f"{other_site}{FAST}&model=tiny-dcgan&tool=morph&morph=5,6/4").page
    wait_until_drawn(page)
    position = page.get_by_role("slider", name="Picture", exact=True)
    position.press("Home")
    position.press("ArrowRight")
    way = walk(np.concatenate([a, b]), 4)  # on an arc
    assert_same(colours(page.locator(".player .tile"), 16), bundle.draw(way[1:2]))


def test_a_large_model_is_seen_small_while_a_slider_moves(open_page: Open, other_site: str, staged: Path) -> None:
    page = open_page(f"{other_site}{FAST}&model={open_bundle(staged).manifest.name}&seed=5&tool=directions").page
    wait_until_drawn(page)
    after = page.locator(".pair .tile").first
    assert side_of(after) == 128
    slider = page.get_by_role("slider", name="pca-0")
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2, steps=3)
    expect(after).to_have_accessible_name(re.compile(r"pca-0 \+\d"))
    assert side_of(after) == 64
    page.mouse.up()
    wait_until_drawn(page)
    assert side_of(after) == 128
    bundle = open_bundle(staged)
    amount = float(part_of_address(page, "directions").split(":")[1])
    moved = move_along(bundle.latents([5], 0), bundle.moves({"pca-0": amount}))
    assert_same(colours(after, 128), bundle.draw(moved))


def side_of(tile: Locator) -> int:
    side: int = tile.locator("canvas").evaluate("canvas => canvas.width")
    return side
