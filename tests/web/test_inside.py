"""The page's look inside: pictures out of the bundle, each layer by name, also on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tool_page import part_of_address, wait_until_drawn
from watched import Watched

from ganexport.manifest import read_manifest

pytestmark = pytest.mark.web

Open = Callable[..., Watched]


@pytest.fixture
def layers(digits_bundle: Path) -> list[str]:
    """Names of the layers of the digits' first picture from within."""
    inside = read_manifest(digits_bundle).inside
    return [one.layer for one in inside[0].items if one.layer]


def test_every_layer_of_a_picture_can_be_looked_into(open_site: Open, layers: list[str]) -> None:
    watched = open_site("#tool=inside&inside=9:3/b8.conv1")
    page = watched.page
    wait_until_drawn(page)
    layer = page.locator("#panel").get_by_label("Layer")
    assert layer.locator("option").all_inner_texts() == layers
    expect(layer).to_have_value("b8.conv1")
    picture, together = page.get_by_role("img", name="Layer b8.conv1 of seed 9"), page.get_by_role("img", name="comes")
    expect(together).to_be_visible()
    for image in (picture, together):
        assert image.evaluate("image => image.complete && image.naturalWidth") == 354
    expect(page.locator(".plate figcaption").first).to_contain_text("b8.conv1: modulated convolution 3 x 3")

    layer.focus()
    page.keyboard.press("ArrowDown")
    wait_until_drawn(page)
    assert part_of_address(page, "inside") == "9:3/b8.torgb"
    expect(page.get_by_role("img", name="Layer b8.torgb of seed 9 (3)")).to_be_visible()

    page.locator("#panel").get_by_label("Picture").select_option(index=1)
    wait_until_drawn(page)
    assert part_of_address(page, "inside") == "2:8/b8.torgb"
    expect(page.get_by_role("img", name="Layer b8.torgb of seed 2 (8)")).to_be_visible()
    assert not [url for url in watched.requests if url.endswith((".wasm", ".onnx"))]  # nothing is drawn here

    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
