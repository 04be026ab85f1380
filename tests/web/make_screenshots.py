"""Write `docs/pictures/page-*.png`: the page as it looks.

`python tests/web/make_screenshots.py [FOLDER] [BUNDLE ...]`; the digits when no bundle is given.
"""

from __future__ import annotations

import io
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Page, expect

from ganexport.runtimes.browser import open_browser
from ganexport.site import build_site, make_server

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"desktop": (1280, 900), "phone": (360, 800)}
SHOTS: tuple[tuple[str, str, Literal["light", "dark"]], ...] = (
    ("grid", "desktop", "light"),
    ("grid", "desktop", "dark"),
    ("grid", "phone", "light"),
    ("grid", "phone", "dark"),
    ("mix", "desktop", "light"),
    ("mix", "phone", "dark"),
    ("directions", "desktop", "light"),
    ("directions", "phone", "dark"),
    ("morph", "desktop", "dark"),
    ("arithmetic", "phone", "light"),
    ("picture", "desktop", "light"),
    ("picture", "phone", "dark"),
    ("check", "desktop", "light"),
)
SEVEN = ((0.3, 0.25), (0.7, 0.25), (0.62, 0.45), (0.52, 0.65), (0.45, 0.85))


def main(folder: Path, bundles: Sequence[Path]) -> None:
    """Take every picture of a site with these bundles."""
    with tempfile.TemporaryDirectory() as scratch:
        site = build_site(bundles, Path(scratch) / "site")
        with make_server(site, 0) as server, open_browser() as browser:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            for tool, size, scheme in SHOTS:
                width, height = SIZES[size]
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
                )
                page.goto(f"http://127.0.0.1:{server.server_port}/#tool={tool}&seed=4&runtime=tfjs-wasm")
                wait_until_drawn(page)
                if tool == "check":
                    check(page)
                if tool == "picture":
                    draw_seven(page)
                save(page.screenshot(), folder / f"page-{tool}-{size}-{scheme}.png")
                page.close()
            server.shutdown()


def wait_until_drawn(page: Page) -> None:
    """Until the open tool has drawn all that it shows."""
    expect(page.locator("#panel")).to_have_attribute("aria-busy", "false", timeout=60_000)
    expect(page.locator("#status")).to_have_attribute("data-state", "done")


def check(page: Page) -> None:
    """Let the page compare two runtimes with the recorded pictures."""
    for runtime in ("ort-wasm", "tfjs-wasm"):
        row = page.locator(f"[data-runtime={runtime}]")
        row.get_by_role("button").click()
        expect(row).to_have_attribute("data-state", "passed", timeout=60_000)


def draw_seven(page: Page) -> None:
    """Draw on the pad with the mouse."""
    box = page.locator(".pad").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    wait_until_drawn(page)


def save(png: bytes, path: Path) -> None:
    """Write a screenshot with a palette: a third of the bytes, and nobody sees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"
    main(target, [Path(item) for item in sys.argv[2:]] or [ROOT / "converted_models" / "digits"])
