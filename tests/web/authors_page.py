"""A page of somebody else with one `<gan-generator>` on it: what the element drew there, or said."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page

# Catches what any element says first; its events do not bubble.
LISTEN = """window.said = new Promise((resolve) => {
  const listen = (event) => event.target.localName === 'gan-generator' && resolve(event);
  addEventListener('generate', listen, true);
  addEventListener('error', listen, true);
});"""
PIXELS = """async () => {
  const { type, message, detail } = await said;
  if (type === 'error') throw new Error(message);
  const { width, height } = detail.pictures;
  const canvas = document.querySelector('gan-generator').shadowRoot.querySelector('canvas');
  return { size: [height, width], rgba: [...canvas.getContext('2d').getImageData(0, 0, width, height).data] };
}"""


def listen(page: Page) -> None:
    """Before the page is opened: remember what its element says first."""
    page.add_init_script(LISTEN)


def picture(page: Page) -> np.ndarray:
    """What the element shows, uint8 [H, W, 4] as int16; an error of the element is raised with its text."""
    found = page.evaluate(PIXELS)
    return np.array(found["rgba"], dtype=np.int16).reshape(*found["size"], 4)


def error(page: Page) -> str:
    """What the element said went wrong."""
    message: str = page.evaluate("async () => (await said).message")
    return message
