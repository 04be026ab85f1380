"""A real server in a process of its own, on a loopback port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

TIMEOUT = 60.0


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    log_file: Path
    address: str = ""

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def log(self) -> list[dict[str, Any]]:
        """What it logged; every line of it must be JSON."""
        return [json.loads(line) for line in self.log_file.read_text(encoding="utf-8").splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["event"] == name]

    def troubles(self) -> list[dict[str, Any]]:
        """Lines that say that the server itself failed."""
        return [line for line in self.log if line["level"] in ("error", "critical") or "traceback" in line]

    def client(self, **more: Any) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=TIMEOUT, trust_env=False, **more)

    def stop(self) -> int:
        """End it with SIGTERM, and wait for the end: its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT)


@contextmanager
def served(folder: Path, *arguments: str | Path) -> Iterator[Server]:
    """`ganexport serve` with these arguments, ready to answer; its log lies in the folder."""
    command = [sys.executable, "-m", "ganexport", "serve", *map(str, arguments), "--port", "0"]
    log_file = folder / "serve.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMETHEUS_")}
    with log_file.open("wb") as file:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file, env=environment)
    server = Server(process, log_file)
    try:
        wait_for(lambda: process.poll() is not None or bool(server.events("ready")))
        assert process.poll() is None, log_file.read_text(encoding="utf-8")
        server.address = server.events("listening")[0]["address"]
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(TIMEOUT)


def wait_for(condition: Callable[[], bool], seconds: float = TIMEOUT) -> None:
    """Wait until it holds, looking now and then."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
