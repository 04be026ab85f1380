"""The tools of the page, by mouse and by keyboard, against what Python draws from the same bundle."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect
from tool_page import FAST, assert_same, levels, part_of_address, wait_until_drawn
from watched import Watched

from ganexport.bundle import Bundle, open_bundle
from ganexport.inspect import look_inside, open_subject
from ganexport.inspect.panel import signed_colours
from ganexport.latents import arithmetic, mix_styles, move_along, one_hot, z_from_seed
from ganexport.pictures import to_uint8

pytestmark = pytest.mark.web

Open = Callable[..., Watched]
CLASSES = 10


@pytest.fixture(scope="module")
def digits(digits_bundle: Path) -> Bundle:
    return open_bundle(digits_bundle)


def test_mix(open_site: Open, digits: Bundle) -> None:
    page = open_site(FAST + "&tool=mix&label=3&mix=1,2,3,4/1,2,3,4/3").page
    wait_until_drawn(page)
    ws = digits.latents([1, 2, 3, 4], 3)

    def mixed(boundary: int) -> NDArray[np.uint8]:
        cells = [mix_styles(column[None], row[None], (boundary, 8)) for row in ws for column in ws]
        return digits.draw(np.concatenate(cells))

    cells = page.locator(".mix td .tile")
    assert_same(levels(cells), mixed(3))
    assert_same(levels(cells)[::5], digits.generate([1, 2, 3, 4], 3))  # each seed mixed with itself

    page.get_by_role("slider", name="Coarse layers").press("ArrowRight")
    wait_until_drawn(page)
    assert_same(levels(cells), mixed(4))
    assert part_of_address(page, "mix") == "1:3,2:3,3:3,4:3/1:3,2:3,3:3,4:3/4"

    page.get_by_label("Seed of row 2").fill("77")
    page.keyboard.press("Tab")
    wait_until_drawn(page)
    other = mix_styles(ws[:1], digits.latents([77], 3), (4, 8))
    assert_same(levels(cells)[4:5], digits.draw(other))

    page.get_by_role("button", name="New columns").click()
    wait_until_drawn(page)
    assert "1:3,2:3" not in part_of_address(page, "mix")
    cells.nth(4).press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("fine styles of seed 77 (3)")
    page.keyboard.press("Escape")
    expect(cells.nth(4)).to_be_focused()

    again = open_site("#" + page.url.split("#")[1]).page
    wait_until_drawn(again)
    assert np.array_equal(levels(again.locator(".mix .tile")), levels(page.locator(".mix .tile")))


def test_arithmetic(open_site: Open, digits: Bundle) -> None:
    page = open_site(FAST + "&tool=arithmetic&seed=5").page
    wait_until_drawn(page)
    plain = [digits.latents([5 + i], i) for i in range(8)]
    wells = page.locator(".well")
    tray = page.locator(".tray .tile")
    result = page.locator(".sum .result")
    assert_same(levels(tray), digits.draw(np.concatenate(plain)))
    assert_same(levels(result), digits.draw(arithmetic(*plain[:3])))

    tray.nth(0).drag_to(wells.nth(1))  # a − a + c is c
    wait_until_drawn(page)
    assert_same(levels(result), digits.draw(plain[2]))
    assert part_of_address(page, "arithmetic") == "5:0,5:0,7:2"
    expect(page.get_by_role("dialog")).not_to_be_visible()  # what was dragged was not clicked

    tray.nth(6).press("Enter")
    expect(tray.nth(6)).to_have_attribute("aria-pressed", "true")
    wells.nth(2).get_by_role("button").press("Enter")
    wait_until_drawn(page)
    assert_same(levels(result), digits.draw(plain[6]))
    expect(wells.nth(2).get_by_role("button")).to_have_accessible_name("c: Seed 11, class 6")

    tray.nth(1).click()
    wells.nth(0).click()
    wait_until_drawn(page)
    assert_same(levels(result), digits.draw(arithmetic(plain[1], plain[0], plain[6])))
    result.click()
    expect(page.get_by_role("dialog", name="seed 6 (1) − seed 5 (0) + seed 11 (6)")).to_be_visible()


def test_a_picture_of_the_grid_goes_to_the_tools(open_site: Open) -> None:
    page = open_site(FAST + "&seed=5").page
    wait_until_drawn(page)
    for title, part, text in (
        ("Mix its coarse styles", "mix", "7:2"),
        ("Add as a keyframe", "morph", "7:2/24/loop"),
        ("Use in arithmetic", "arithmetic", "/7:2"),
    ):
        page.get_by_role("tab", name="Pictures").click()
        wait_until_drawn(page)
        page.locator("#grid .tile").nth(2).click()
        page.get_by_role("dialog").get_by_role("button", name=title).click()
        wait_until_drawn(page)
        assert part_of_address(page, part) == text
        assert page.locator("#panel .tile").first.is_visible()


def test_sweeps(open_site: Open, digits: Bundle, digits_bundle: Path) -> None:
    from onnxruntime import InferenceSession

    page = open_site(FAST + "&tool=sweep&seed=5").page
    wait_until_drawn(page)
    tiles = page.locator(".sweep .tile")
    assert_same(levels(tiles), digits.generate([5] * CLASSES, range(CLASSES)))

    page.get_by_role("radio", name="The class, seed by seed").check()
    wait_until_drawn(page)
    seeds = [seed for seed in (5, 6, 7, 8) for _ in range(CLASSES)]
    assert_same(levels(tiles), digits.generate(seeds, [*range(CLASSES)] * 4))

    page.keyboard.press("ArrowRight")  # the focus is on the chosen one
    wait_until_drawn(page)
    page.get_by_label("Which number, 0 to 63").fill("12")
    page.keyboard.press("Tab")
    page.get_by_label("Its values").select_option("3")
    wait_until_drawn(page)
    assert part_of_address(page, "sweep") == "z/12/3"
    values = np.linspace(-3, 3, 9, dtype=np.float32)
    z = np.repeat(z_from_seed(5, 64), 9, axis=0)
    z[:, 12] = values
    whole = InferenceSession(str(digits_bundle / "onnx" / "generator.onnx"), providers=["CPUExecutionProvider"])
    feeds = {"z": z, "c": one_hot([0] * 9, CLASSES), "truncation_psi": np.ones(9, np.float32)}
    (wanted,) = whole.run(None, feeds)
    assert_same(levels(tiles), wanted)


def test_grow(open_site: Open, digits: Bundle, digits_bundle: Path) -> None:
    from onnxruntime import InferenceSession

    page = open_site(FAST + "&tool=grow&seed=5&label=3&grow=plain").page
    wait_until_drawn(page)
    ws = digits.latents([5], 3)
    synthesis = InferenceSession(str(digits_bundle / "onnx" / "synthesis.onnx"), providers=["CPUExecutionProvider"])
    sizes = [4, 8, 16, 32]
    names = [*(f"rgb_b{size}" for size in sizes[:-1]), "image"]
    wanted = synthesis.run(names, {"ws": ws, "noise_scale": np.ones(1, np.float32)})
    tiles = page.locator(".sizes .tile")
    assert tiles.count() == len(sizes)
    for at, image in enumerate(wanted):
        shown = levels(tiles.nth(at))
        assert shown.shape == (1, sizes[at], sizes[at])
        assert_same(shown, to_uint8(image, (-1, 1)))
    assert_same(levels(tiles.nth(3)), digits.generate([5], 3))

    # What each size adds is what its to-RGB gives, in colours: within their steps, and those of 8-bit pictures.
    adds = page.get_by_role("group", name="What each size adds").get_by_role("button")
    assert adds.count() == len(sizes)
    most = int(re.findall(r"at most (\d+) grey levels", adds.last.get_attribute("aria-label") or "")[0])
    layers = look_inside(open_subject(digits_bundle), 5, 3).recording.layers
    for at in (1, 2):
        given = layers[f"b{sizes[at]}.torgb"].output[0, 0] * 127.5  # nothing of it is beyond black or white
        reds = signed_colours(given, most)[..., 0].astype(np.int16)
        assert np.abs(levels(adds.nth(at))[0] - reds).max() < 10
        assert reds.min() < 230

    position = page.get_by_role("slider", name="Picture", exact=True)
    # Each size takes its turn by itself; the slider stops that.
    expect(position).not_to_have_value("0", timeout=60_000)
    position.press("Home")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert np.array_equal(levels(page.locator(".player .tile")), levels(tiles.nth(0)))

    page.get_by_label("Full contrast at every size").press("Space")
    wait_until_drawn(page)
    stretched = levels(tiles.nth(1))
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert part_of_address(page, "grow") == ""


def test_directions(open_site: Open, digits: Bundle) -> None:
    assert digits.manifest.directions is not None
    first, second = digits.manifest.directions.items[:2]
    page = open_site(FAST + "&tool=directions&seed=5&label=3").page
    wait_until_drawn(page)
    ws = digits.latents([5], 3)
    after = page.locator(".pair .tile").first
    before = page.locator(".pair .tile").last
    assert_same(levels(after), digits.draw(ws))

    slider = page.get_by_role("slider", name=first.title or first.name, exact=True)
    for _ in range(15):
        slider.press("ArrowRight")
    wait_until_drawn(page)
    moved = move_along(ws, digits.moves({first.name: 1.5}))
    assert_same(levels(after), digits.draw(moved))
    assert_same(levels(before), digits.draw(ws))
    assert part_of_address(page, "directions") == f"{first.name}:1.5"

    # While the mouse holds a slider the picture follows it, and the address waits until it is let go.
    other = page.get_by_role("slider", name=second.title or second.name, exact=True)
    box = other.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2, steps=5)
    expect(after).to_have_accessible_name(f"Seed 5, class 3: {first.title} +1.5, {second.title} +3.0")
    held = levels(after)
    assert part_of_address(page, "directions") == f"{first.name}:1.5"
    page.mouse.up()
    wait_until_drawn(page)
    assert part_of_address(page, "directions") == f"{first.name}:1.5,{second.name}:3"
    both = move_along(ws, digits.moves({first.name: 1.5, second.name: 3.0}))
    assert_same(levels(after), digits.draw(both))
    assert np.array_equal(levels(after), held)  # 32² is small enough to be drawn in full all the time

    page.get_by_role("button", name=f"{first.title} back to the middle").press("Enter")
    wait_until_drawn(page)
    assert_same(levels(after), digits.draw(move_along(ws, digits.moves({second.name: 3.0}))))
    page.get_by_role("button", name="All back to the middle").click()
    wait_until_drawn(page)
    assert_same(levels(after), digits.draw(ws))


@pytest.mark.parametrize("tool", ["mix", "morph", "directions", "arithmetic", "sweep", "grow"])
def test_a_phone_is_wide_enough(open_site: Open, tool: str) -> None:
    watched = open_site(FAST + f"&tool={tool}")
    watched.page.set_viewport_size({"width": 360, "height": 800})
    wait_until_drawn(watched.page)
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert watched.messages == []
