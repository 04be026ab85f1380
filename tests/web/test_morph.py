"""Morphing on the page, and the files it makes, against what Python draws and what other programs read."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence
from playwright.sync_api import Page, expect
from tool_page import FAST, assert_same, levels, part_of_address, wait_until_drawn
from watched import Watched

from ganexport.bundle import Bundle, open_bundle
from ganexport.latents import walk

pytestmark = pytest.mark.web

Open = Callable[..., Watched]
SIDE = 32
ENLARGED = 256
FRAMES = 12  # three keyframes, four pictures from each to the next, and back

PLAY = """async (data) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const video = document.createElement('video');
  video.muted = true;
  video.src = URL.createObjectURL(new Blob([bytes], { type: 'video/webm' }));
  const seen = [];
  const happens = (name) => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener('error', () => reject(new Error(video.error.message)), { once: true });
  });
  await happens('loadeddata');
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  for (const frame of [0, 6, 11]) {
    const sought = happens('seeked');
    video.currentTime = (frame + 0.5) / 25;
    await sought;
    context.drawImage(video, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    seen.push([...data.filter((_, i) => i % 4 === 0)]);
  }
  return { duration: video.duration, width: canvas.width, height: canvas.height, seen };
}"""


@pytest.fixture(scope="module")
def digits(digits_bundle: Path) -> Bundle:
    return open_bundle(digits_bundle)


@pytest.fixture
def page(open_site: Open) -> Page:
    """Three keyframes of classes 3, 1 and 8."""
    page = open_site(FAST + "&tool=morph&morph=5:3,6:1,9:8/4/loop").page
    wait_until_drawn(page)
    return page


def keyframes(digits: Bundle) -> NDArray[np.float32]:
    return digits.latents([5, 6, 9], [3, 1, 8])


def saved(page: Page, title: str, folder: Path, *, key: str | None = None) -> Path:
    """Save a file, with the mouse or with a key."""
    button = page.get_by_role("group", name="Save as").get_by_role("button", name=title)
    with page.expect_download() as download:
        button.press(key) if key else button.click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    expect(page.locator("#status")).to_contain_text(f"{title} saved")
    return path


def test_every_picture_is_on_the_way(page: Page, digits: Bundle) -> None:
    position = page.get_by_role("slider", name="Picture", exact=True)
    big = page.locator(".player .tile")
    # It plays by itself; the slider stops it.
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(position).not_to_have_value("0", timeout=60_000)
    position.press("Home")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    shown = []
    for frame in range(FRAMES):
        expect(position).to_have_value(str(frame))
        shown.append(levels(big)[0])
        position.press("ArrowRight")
    ws = keyframes(digits)
    assert_same(np.array(shown), digits.draw(walk(ws, 4, loop=True)))
    assert_same(np.array(shown[::4]), digits.draw(ws))
    assert_same(levels(page.locator(".keyframes .tile")), digits.draw(ws))
    position.press("Home")
    position.press("ArrowRight")
    big.press("Enter")
    expect(page.get_by_role("dialog", name="25 % of the way from seed 5 (3) to seed 6 (1)")).to_be_visible()


def test_keyframes_come_go_and_move(page: Page, digits: Bundle) -> None:
    tiles = page.locator(".keyframes .tile")
    tiles.nth(0).drag_to(tiles.nth(2))
    wait_until_drawn(page)
    assert part_of_address(page, "morph") == "6:1,9:8,5:3/4/loop"
    page.get_by_role("button", name="Move earlier: seed 5 (3)").press("Enter")
    wait_until_drawn(page)
    assert part_of_address(page, "morph") == "6:1,5:3,9:8/4/loop"
    expect(page.get_by_role("button", name="Move earlier: seed 5 (3)")).to_be_focused()
    assert_same(levels(tiles), digits.generate([6, 5, 9], [1, 3, 8]))

    page.get_by_role("button", name="Remove: seed 6 (1)").click()
    wait_until_drawn(page)
    assert part_of_address(page, "morph") == "5:3,9:8/4/loop"
    expect(page.get_by_role("button", name="Remove: seed 5 (3)")).to_be_disabled()  # a way has two ends

    page.get_by_label("Seed to add").fill("77")
    page.keyboard.press("Enter")
    wait_until_drawn(page)
    page.get_by_role("button", name="Add any").click()
    wait_until_drawn(page)
    page.get_by_label("Back to the first").uncheck()
    wait_until_drawn(page)
    page.get_by_role("slider", name="Pictures from one to the next").press("ArrowLeft")
    wait_until_drawn(page)
    state = part_of_address(page, "morph")
    assert state.startswith("5:3,9:8,77,")
    assert state.endswith("/3")
    assert (
        page.get_by_role("slider", name="Picture", exact=True).get_attribute("max") == "9"
    )  # 3 ways of 3, and the end


def test_files_hold_the_pictures(
    page: Page, open_page: Callable[[str], Watched], digits: Bundle, tmp_path: Path
) -> None:
    with Image.open(saved(page, "PNG strip", tmp_path)) as image:
        assert image.size == (FRAMES * SIDE, SIDE)
        strip = np.asarray(image.convert("L")).reshape(SIDE, FRAMES, SIDE).transpose(1, 0, 2)
    assert_same(strip.astype(np.int16), digits.draw(walk(keyframes(digits), 4, loop=True)))

    gif = saved(page, "GIF", tmp_path, key="Enter")
    assert gif.name == "digits-seeds-5-6-9.gif"
    with Image.open(gif) as image:
        assert image.size == (ENLARGED, ENLARGED)
        assert image.info["loop"] == 0  # for ever
        frames = [frame.convert("L") for frame in ImageSequence.Iterator(image)]
        assert {frame.info["duration"] for frame in ImageSequence.Iterator(image)} == {40}
    scale = ENLARGED // SIDE
    enlarged = strip.repeat(scale, axis=1).repeat(scale, axis=2)
    assert np.array_equal(np.array([np.asarray(frame) for frame in frames]), enlarged)

    video = saved(page, "WebM video", tmp_path).read_bytes()
    assert video.startswith(bytes.fromhex("1a45dfa3"))
    elsewhere = open_page("/").page  # this page may not play videos
    played: dict[str, Any] = elsewhere.evaluate(PLAY, base64.b64encode(video).decode())
    assert (played["width"], played["height"]) == (ENLARGED, ENLARGED)
    assert played["duration"] == pytest.approx(FRAMES / 25)
    for frame, seen in zip([0, 6, 11], played["seen"], strict=True):
        errors = [np.abs(np.reshape(seen, enlarged.shape[1:]) - one.astype(float)).mean() for one in enlarged]
        assert np.argmin(errors) == frame
        assert errors[frame] < 4  # VP8 keeps no picture exactly


def test_nothing_moves_by_itself_where_motion_is_unwanted(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.reload()
    wait_until_drawn(page)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    expect(page.get_by_role("slider", name="Picture", exact=True)).to_have_value("0")


def test_a_file_can_be_called_off(open_site: Open, tmp_path: Path) -> None:
    watched = open_site(FAST + "&tool=morph&label=3&morph=1,2,3,4,5,6/48/loop")
    page = watched.page
    wait_until_drawn(page)
    page.get_by_role("button", name="GIF").press("Enter")
    expect(page.get_by_role("progressbar", name="File")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("GIF: stopped")
    expect(page.get_by_role("button", name="Cancel")).not_to_be_visible()
    page.get_by_role("slider", name="Pictures from one to the next").fill("2")
    wait_until_drawn(page)
    with Image.open(saved(page, "GIF", tmp_path)) as image:
        assert getattr(image, "n_frames", 1) == 12
    assert not any("rror" in message for message in watched.messages)
