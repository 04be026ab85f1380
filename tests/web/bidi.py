"""Firefox over WebDriver BiDi: as much of the protocol as a test needs, on one web socket."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from websockets.sync.client import ClientConnection, connect

BROWSERS = ("firefox-esr", "firefox")
ADDRESS = "WebDriver BiDi listening on "
TO_START, TO_ANSWER, TO_STOP = 60.0, 120.0, 20.0
"""Seconds."""
NO_ONE = 9
"""A port on which nobody listens."""
PREFERENCES: dict[str, str | int | bool] = {
    # Whatever is not on this machine goes to a proxy that is not there.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": NO_ONE,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": NO_ONE,
    "network.dns.disablePrefetch": True,
    "app.update.disabledForTesting": True,
    "browser.startup.homepage": "about:blank",
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "extensions.update.enabled": False,
}


class BidiError(Exception):
    """Firefox did not start, or answered with an error."""


class Firefox:
    """A Firefox with one page."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sent = 0
        self.messages: list[str] = []
        self.version: str = self.command("session.new", capabilities={})["capabilities"]["browserVersion"]
        self.command("session.subscribe", events=["log.entryAdded"])
        self._page: str = self.command("browsingContext.getTree")["contexts"][0]["context"]

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its result; what was logged meanwhile goes to `messages`."""
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(TO_ANSWER))
            if answer.get("method") == "log.entryAdded":
                self.messages.append(f"{answer['params']['level']}: {answer['params']['text']}")
            if answer.get("id") == self._sent:
                if answer["type"] == "error":
                    raise BidiError(f"{method}: {answer['error']}: {answer['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def goto(self, url: str) -> None:
        """Open an address and wait until it has loaded; what other pages said is forgotten."""
        self.messages.clear()
        self.command("browsingContext.navigate", context=self._page, url=url, wait="complete")

    def evaluate(self, function: str, argument: object = None) -> Any:
        """Call a function of JavaScript with an argument, both JSON; wait for what it promises."""
        expression = f"(async () => JSON.stringify(await ({function})({json.dumps(argument)})))()"
        target = {"context": self._page}
        answer = self.command("script.evaluate", expression=expression, target=target, awaitPromise=True)
        if answer["type"] == "exception":
            raise BidiError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"]) if answer["result"]["type"] == "string" else None


def find_firefox() -> str | None:
    """Path of the Firefox of this machine."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def open_firefox() -> Iterator[Firefox]:
    """Headless Firefox with a profile of its own and no way to the network; gone afterwards, with all its processes.

    Raises:
        BidiError: There is none, or it does not start.
    """
    program = find_firefox()
    if program is None:
        raise BidiError(f"no Firefox here: none of {', '.join(BROWSERS)}")
    with TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as home:
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (Path(home) / "user.js").write_text("\n".join(lines))
        command = [program, "--headless", "--no-remote", "--profile", home, "--remote-debugging-port", "0"]
        environment = {**os.environ, "HOME": home, "MOZ_CRASHREPORTER_DISABLE": "1"}  # root needs a home of its own
        pipes = {"text": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, env=environment, **pipes) as process:
            try:
                with connect(f"{_address(process)}/session", max_size=None, open_timeout=TO_START) as socket:
                    firefox = Firefox(socket)
                    yield firefox
                    firefox.command("browser.close")
                process.wait(TO_STOP)
            finally:
                process.kill()


def _address(process: subprocess.Popen[str]) -> str:
    """Where it listens, as it says on stderr; the rest of that is read and dropped, so that it never has to wait."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line.strip())
        if line.startswith(ADDRESS):
            threading.Thread(target=process.stderr.read).start()
            return line.removeprefix(ADDRESS).strip()
    raise BidiError(f"Firefox did not start: {' / '.join(said[-5:])}")
