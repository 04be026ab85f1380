"""What the browser's tracing tells of the tasks of a page's own thread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page


@dataclass
class Trace:
    """The events of a trace, once it is over."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def longest_task(self) -> float:
        """Milliseconds for which the longest task of a page's thread had the processor."""
        threads = {
            (event["pid"], event["tid"])
            for event in self.events
            if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
        }
        tasks = [e for e in self.events if e["name"].endswith("RunTask") and (e["pid"], e["tid"]) in threads]
        assert tasks
        return max(task["tdur"] for task in tasks if "tdur" in task) / 1000


@contextmanager
def traced(page: Page) -> Iterator[Trace]:
    browser = page.context.browser
    assert browser is not None
    trace = Trace()
    browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-devtools.timeline"])
    try:
        yield trace
    finally:
        trace.events = json.loads(browser.stop_tracing())["traceEvents"]
