"""The memory that a page's worker holds, as the browser's debugger tells it after a collection of garbage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, Route

# Comes before the worker's own script, to see the memories that WebAssembly is given or makes.
WATCH_WASM = """
const memories = new Set();
globalThis.wasmBytes = () => [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
for (const name of ['instantiate', 'instantiateStreaming']) {
  const original = WebAssembly[name];
  WebAssembly[name] = async (...given) => {
    const result = await original(...given);
    for (const value of Object.values((result.instance ?? result).exports)) {
      if (value instanceof WebAssembly.Memory) memories.add(value);
    }
    return result;
  };
}
WebAssembly.Memory = class extends WebAssembly.Memory {
  constructor(...given) { super(...given); memories.add(this); }
};
"""


@dataclass(frozen=True)
class Held:
    """Bytes that are held: by objects, by array buffers, by WebAssembly."""

    objects: int
    buffers: int
    wasm: int


class WorkerHeap:
    """Watches the worker that a page starts after this."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = ""
        self._answers: dict[int, dict[str, Any]] = {}
        self._debugger = page.context.new_cdp_session(page)
        self._debugger.on("Target.attachedToTarget", self._attach)
        self._debugger.on("Target.receivedMessageFromTarget", self._receive)
        wanted = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False}
        self._debugger.send("Target.setAutoAttach", wanted)
        page.route("**/lib/worker.js", _watch_wasm)

    def measure(self) -> Held:
        self._ask("HeapProfiler.collectGarbage")
        usage = self._ask("Runtime.getHeapUsage")
        worker = next(worker for worker in self._page.workers if worker.url.endswith("/lib/worker.js"))
        return Held(usage["usedSize"], usage["backingStorageSize"], worker.evaluate("wasmBytes()"))

    def _ask(self, method: str) -> dict[str, Any]:
        number = len(self._answers) + 1
        message = {"sessionId": self._session, "message": json.dumps({"id": number, "method": method})}
        self._debugger.send("Target.sendMessageToTarget", message)
        while number not in self._answers:
            self._page.evaluate("0")  # events come while something is awaited
        result: dict[str, Any] = self._answers[number]["result"]
        return result

    def _attach(self, event: dict[str, Any]) -> None:
        if event["targetInfo"]["type"] == "worker":
            self._session = event["sessionId"]

    def _receive(self, event: dict[str, Any]) -> None:
        message = json.loads(event["message"])
        if "id" in message:
            self._answers[message["id"]] = message


def _watch_wasm(route: Route) -> None:
    response = route.fetch()
    route.fulfill(response=response, body=WATCH_WASM + response.text())
