"""A page that is watched for what must not happen."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Page, Request

LIBRARY = "/sub/site/lib/index.js"


def forget_weights(page: Page) -> None:
    """Let the next load fetch weights that this browser has kept."""
    page.evaluate(f"import('{LIBRARY}').then(({{ clearCache }}) => clearCache())")


NO_GRAPHICS_CARD = "No available adapters."
"""What Chromium says by itself when it is asked for WebGPU in vain."""


@dataclass
class Watched:
    """A page, what it has said, and what it has asked for."""

    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.messages.append(f"pageerror: {error}"))
        self.page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.text != NO_GRAPHICS_CARD:
            self.messages.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)
