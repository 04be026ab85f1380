"""A page of somebody else with one `<gan-generator>` on it: what the element drew there, or said."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page

# Catches what any element says from the first moment on; neither event bubbles.
LISTEN = """for (const type of ['generate', 'error']) {
  addEventListener(type, (event) => {
    if (event.target.localName === 'gan-generator') window.said ??= event;
  }, true);
}"""
PIXELS = """() => {
  if (said.type === 'error') throw new Error(said.message);
  const { width, height } = said.detail.pictures;
  const canvas = document.querySelector('gan-generator').shadowRoot.querySelector('canvas');
  return { size: [height, width], rgba: [...canvas.getContext('2d').getImageData(0, 0, width, height).data] };
}"""
MOST_MILLISECONDS = 60_000


def listen(page: Page) -> None:
    """Before the page is opened: remember what its element says first."""
    page.add_init_script(LISTEN)


def picture(page: Page) -> np.ndarray:
    """What the element shows, uint8 [H, W, 4] as int16; an error of the element is raised with its text."""
    page.wait_for_function("window.said", timeout=MOST_MILLISECONDS)
    found = page.evaluate(PIXELS)
    return np.array(found["rgba"], dtype=np.int16).reshape(*found["size"], 4)


def error(page: Page) -> str:
    """What the element said went wrong."""
    page.wait_for_function("window.said", timeout=MOST_MILLISECONDS)
    message: str = page.evaluate("said.message")
    return message
