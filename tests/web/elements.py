"""A `<gan-generator>` on a page: made, changed, waited for."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

MANIFEST = "sub/site/models/digits/ganexport.json"

# Makes an element with these attributes; its events go to `window.events`.
MAKE = """async (attributes) => {
  await import('/sub/site/lib/gan-generator.js');
  const element = document.createElement('gan-generator');
  window.events = [];
  for (const type of ['load', 'progress', 'preview', 'generate', 'frame', 'fallback', 'error']) {
    element.addEventListener(type, (event) => window.events.push(event));
  }
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  document.body.replaceChildren(element);
  window.element = element;
}"""

# Changes attributes, and waits for what comes of it: the picture, or the error's text.
CHANGE = """(attributes) => new Promise((resolve) => {
  const { element } = window;
  const done = new AbortController();
  const finish = (result) => { done.abort(); resolve(result); };
  element.addEventListener('error', (event) => finish({ error: event.message }), done);
  element.addEventListener('generate', ({ detail }) => {
    const canvas = element.shadowRoot.querySelector('canvas');
    const copy = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    Object.assign(copy.canvas, { width: canvas.width, height: canvas.height });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    finish({
      rgba: [...data],
      size: [canvas.height, canvas.width],
      name: canvas.getAttribute('aria-label'),
      seed: detail.seed,
    });
  }, done);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) element.removeAttribute(name); else element.setAttribute(name, value);
  }
})"""


def make(page: Page, **attributes: object) -> None:
    page.evaluate(MAKE, {name: str(value) for name, value in attributes.items()})


def change(page: Page, **attributes: object) -> dict[str, Any]:
    """Change attributes of the element; returns what it drew, or `{"error": …}`."""
    texts = {name: None if value is None else str(value) for name, value in attributes.items()}
    result: dict[str, Any] = page.evaluate(CHANGE, texts)
    return result
