"""The page's way from a picture to its latents, against what Python finds with the same bundle."""

from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect
from safetensors.numpy import load_file
from support.encoders import encoder_for
from support.generators import make_generator, stylegan2_spec
from tool_page import FAST, assert_same, levels, part_of_address, wait_until_drawn
from watched import Watched

from ganexport.add_encoder import add_encoder
from ganexport.bundle import Bundle, open_bundle
from ganexport.generator import load
from ganexport.latents import lerp
from ganexport.manifest import CHECKPOINT_NAME, read_manifest
from ganexport.pictures import fit
from ganexport.site import build_site

pytestmark = pytest.mark.web

Open = Callable[[str], Watched]
Pixels = NDArray[np.uint8]
CLASSES = 10

GIVE = """([event, name, type, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], name, { type }));
  const init = { bubbles: true, cancelable: true };
  document.querySelector('#panel').dispatchEvent(
    event === 'paste'
      ? new ClipboardEvent('paste', { ...init, clipboardData: given })
      : new DragEvent(event, { ...init, dataTransfer: given }));
}"""


@pytest.fixture(scope="module")
def digits(digits_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Grey, with classes: its encoder gives z."""
    folder = Path(shutil.copytree(digits_bundle, tmp_path_factory.mktemp("encoding") / "digits"))
    return with_encoder(folder)


@pytest.fixture(scope="module")
def colours(bundle_of: Callable[..., Path]) -> Bundle:
    """RGB without classes: its encoder gives a w for each layer."""
    return with_encoder(bundle_of(make_generator(stylegan2_spec(c_dim=0)), "colours"))


def with_encoder(folder: Path) -> Bundle:
    """A bundle with an encoder; where it has none of its own, with one of random weights."""
    if read_manifest(folder).encoder is None:
        generator = load(folder / CHECKPOINT_NAME)
        add_encoder(folder, encoder_for(generator.spec, generator.provenance.weights_sha256))
    return open_bundle(folder)


@pytest.fixture(scope="module")
def encoding_site(site_folder: Path, digits: Bundle, colours: Bundle) -> str:
    """A site of models with encoders on the same host; returns its address there."""
    build_site([digits.path, colours.path], site_folder.parents[1] / "encoding")
    return "/encoding/"


def in_each_class(digits: Bundle, z: NDArray[np.float32], psi: float = 1.0) -> Pixels:
    """The same z in every class."""
    return digits.draw(digits.latents([0] * CLASSES, range(CLASSES), psi, z=z.repeat(CLASSES, axis=0)))


def give(page: Page, event: str, name: str, kind: str, data: bytes) -> None:
    """Drop or paste a file."""
    page.evaluate(GIVE, [event, name, kind, base64.b64encode(data).decode("ascii")])


def png(picture: Pixels) -> bytes:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, format="png")
    return data.getvalue()


def said(watched: Watched) -> list[str]:
    """What the page said, but for the advice that these tests read canvases too often."""
    return [message for message in watched.messages if "willReadFrequently" not in message]


def reading(page: Page) -> str:
    """The words before the first comma are the class."""
    text = page.locator(".reading").inner_text()
    expect(page.locator("#status")).to_have_text(text)  # and is said
    return text.removeprefix("Read as ").split(",")[0]


def test_its_own_picture(open_page: Open, encoding_site: str, digits: Bundle) -> None:
    watched = open_page(f"{encoding_site}{FAST}&model=digits&seed=5&label=7")
    page = watched.page
    wait_until_drawn(page)
    assert not [url for url in watched.requests if "encoder" in url]
    page.get_by_role("tab", name="From a picture").click()
    wait_until_drawn(page)
    assert sum("/tfjs/encoder/model.json" in url for url in watched.requests) == 1

    own = digits.generate([5], 7)
    found = digits.encode(own)
    assert found.labels is not None
    seen, again = page.locator(".seen-again .tile").all()
    assert_same(levels(seen), own)
    assert reading(page) == str(found.labels[0])
    assert_same(levels(again), digits.draw(digits.latents([0], found.labels[0], 1.0, z=found.latents)))
    classes = page.locator(".classes .tile")
    assert_same(levels(classes), in_each_class(digits, found.latents))
    expect(page.locator(".classes [data-read]")).to_have_accessible_name(re.compile(f"^Class {found.labels[0]} "))

    page.get_by_role("slider", name="Strength of its style").press("ArrowLeft")
    wait_until_drawn(page)
    assert part_of_address(page, "picture") == "0.95"
    assert_same(levels(classes), in_each_class(digits, found.latents, 0.95))

    classes.nth(3).press("Enter")
    dialog = page.get_by_role("dialog", name="Class 3 in the style of your picture")
    expect(dialog).to_contain_text("its style at 95 % · digits · psi 0.95")
    expect(dialog.get_by_role("button", name="Copy link")).not_to_be_visible()  # no link shows it
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Save PNG").click()
    with Image.open(download.value.path()) as saved:
        assert_same(np.asarray(saved.convert("L"), np.int16)[None], in_each_class(digits, found.latents, 0.95)[3:4])
        assert "Source" not in saved.info
    assert said(watched) == []


def test_a_picture_that_is_brought(open_page: Open, encoding_site: str, digits: Bundle) -> None:
    watched = open_page(f"{encoding_site}{FAST}&model=digits&tool=picture")
    page = watched.page
    wait_until_drawn(page)
    address = page.url
    photo = np.full((60, 90, 4), 255, np.uint8)  # dark ink on light paper, wider than high
    photo[6:54, 21:69, :3] = 255 - digits.generate([5], 3)[0].repeat(3, 2)[4:28, 4:28].repeat(2, 0).repeat(2, 1)
    fitted = fit(photo, 32, 1)
    both = np.stack([fitted, 255 - fitted])
    found = digits.encode(both)
    assert found.labels is not None
    again = digits.draw(digits.latents([0, 0], found.labels, 1.0, z=found.latents))
    errors = np.square(again.astype(float) - both).mean(axis=(1, 2, 3))
    assert errors[1] < errors[0] / 2  # the generator knows light ink alone

    give(page, "paste", "photo.png", "image/png", png(photo))
    swap = page.get_by_label("Swap light and dark")
    expect(swap).to_be_checked(timeout=60_000)
    wait_until_drawn(page)
    seen = page.locator(".seen-again .tile").first
    assert np.array_equal(levels(seen)[0], both[1, :, :, 0])
    assert reading(page) == str(found.labels[1])
    assert_same(levels(page.locator(".classes .tile")), in_each_class(digits, found.latents[1:]))

    swap.uncheck()
    wait_until_drawn(page)
    assert np.array_equal(levels(seen)[0], both[0, :, :, 0])
    assert_same(levels(page.locator(".classes .tile")), in_each_class(digits, found.latents[:1]))

    page.get_by_role("tab", name="Pictures").click()
    wait_until_drawn(page)
    page.go_back()
    wait_until_drawn(page)
    assert np.array_equal(levels(page.locator(".seen-again .tile").first)[0], both[0, :, :, 0])  # it is still here
    assert page.url == address

    give(page, "drop", "notes.txt", "text/plain", b"no picture")
    expect(page.locator("#status")).to_contain_text("notes.txt is no picture that this browser reads")
    assert said(watched) == []


def test_recorded_pictures_are_read_as_what_they_are(
    open_page: Open, encoding_site: str, digits: Bundle, digits_bundle: Path
) -> None:
    assert read_manifest(digits_bundle).encoder is not None
    page = open_page(f"{encoding_site}{FAST}&model=digits&tool=picture").page
    wait_until_drawn(page)
    goldens = digits.manifest.goldens
    recorded = load_file(digits.path / goldens.file)
    case = next(case for case in goldens.cases if case.labels and 0 < case.truncation_psi < 1)
    assert case.labels is not None
    for picture, label in zip(recorded[f"{case.name}.images"], case.labels, strict=True):
        give(page, "drop", "golden.png", "image/png", png(picture[:, :, 0]))
        expect(page.locator(".reading")).to_have_text(re.compile(f"^Read as {label},"), timeout=60_000)
        wait_until_drawn(page)
        assert np.array_equal(levels(page.locator(".seen-again .tile").first)[0], picture[:, :, 0])


def test_a_drawing(open_page: Open, encoding_site: str, digits: Bundle) -> None:
    watched = open_page(f"{encoding_site}{FAST}&model=digits&tool=picture")
    page = watched.page
    wait_until_drawn(page)
    box = page.locator(".pad").bounding_box()
    assert box is not None
    x, y, side = box["x"], box["y"], box["width"]
    page.mouse.move(x + 0.1 * side, y + 0.15 * side)
    page.mouse.down()
    page.mouse.move(x + 0.1 * side, y + 0.4 * side, steps=8)  # a bar in a corner
    page.mouse.up()
    wait_until_drawn(page)
    seen = levels(page.locator(".seen-again .tile").first)[0].astype(float)
    rows, columns = np.nonzero(seen > 60)
    assert abs(np.ptp(rows) + 1 - 20) <= 1  # the size of a digit, in the middle
    assert abs(rows.mean() - 15.5) < 1
    assert abs(columns.mean() - 15.5) < 1
    found = digits.encode(seen.astype(np.uint8)[None, :, :, None])
    assert found.labels is not None
    assert reading(page) == str(found.labels[0])
    assert_same(levels(page.locator(".classes .tile")), in_each_class(digits, found.latents))
    assert said(watched) == []


def test_colours_without_classes(open_page: Open, encoding_site: str, colours: Bundle) -> None:
    watched = open_page(f"{encoding_site}#runtime=ort-wasm&model=colours&tool=picture&picture=0.5")
    page = watched.page
    wait_until_drawn(page)
    photo = np.random.default_rng(0).integers(0, 256, (24, 33, 3), np.uint8)
    page.get_by_label("Choose a file").set_input_files({"name": "p.png", "mimeType": "image/png", "buffer": png(photo)})
    fitted = fit(photo, 16, 3)
    seen = page.locator(".given .tile")
    page.wait_for_function(
        """red => {
          const canvas = document.querySelector('.given .tile canvas');
          return canvas.getContext('2d').getImageData(0, 0, 1, 1).data[0] === red;
        }""",
        arg=int(fitted[0, 0, 0]),
    )
    wait_until_drawn(page)
    assert np.array_equal(levels(seen)[0], fitted[:, :, 0])
    ws = colours.encode(fitted[None]).latents
    average = colours.latents([0], psi=0.0)
    assert_same(levels(page.locator(".seen-again .tile")), colours.draw(lerp(average, ws, 0.5)))  # red stands for all
    expect(page.locator(".reading")).not_to_be_visible()
    expect(page.locator(".pad")).to_have_count(0)
    assert said(watched) == []
