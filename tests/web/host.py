"""A host that sees what it is asked for, and that fails as a test wants it to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ganexport.site import HEADERS, SiteHandler

ISOLATION = {"Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy"}


@dataclass
class Asked:
    """A request, and how many bytes of a file were sent for it."""

    path: str
    range: str | None
    sent: int = 0


class Host(ThreadingHTTPServer):
    """Serves a folder.

    Attributes:
        asked: All requests so far.
        faults: What to do instead, by the end of a path.
        isolates: Whether pages get the headers that isolate them from other origins.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder), extra=HEADERS))
        self.asked: list[Asked] = []
        self.faults: dict[str, Callable[[_Handler], None]] = {}
        self.isolates = True
        self.ended = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def of(self, end: str) -> list[Asked]:
        """The requests for files with this end."""
        return [asked for asked in self.asked if asked.path.endswith(end)]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser may leave at any moment."""


class _Handler(SiteHandler):
    server: Host

    def do_GET(self) -> None:  # noqa: N802
        path = self.path.split("?")[0]
        self.asked = Asked(path, self.headers.get("Range"))
        self.server.asked.append(self.asked)
        fault = next((fault for end, fault in self.server.faults.items() if path.endswith(end)), None)
        if fault is not None:
            fault(self)
        else:
            super().do_GET()

    def send_header(self, keyword: str, value: str) -> None:
        if self.server.isolates or keyword not in ISOLATION:
            super().send_header(keyword, value)

    def copyfile(self, source: Any, outputfile: Any) -> None:
        self.send(source.read())

    def send(self, data: bytes) -> None:
        """A part of the body."""
        self.wfile.write(data)
        self.wfile.flush()
        self.asked.sent += len(data)


@contextmanager
def serve(folder: Path) -> Iterator[Host]:
    """A host of this folder, running."""
    with Host(folder) as host:
        thread = threading.Thread(target=host.serve_forever)
        thread.start()
        try:
            yield host
        finally:
            host.ended.set()
            host.shutdown()
            thread.join()


def missing(handler: _Handler) -> None:
    handler.send_error(HTTPStatus.NOT_FOUND)


def html(handler: _Handler) -> None:
    """As hosts do that answer every address with a page."""
    _send_whole(handler, b"<!doctype html>", "text/html")


def altered(handler: _Handler) -> None:
    data = bytearray(_file_of(handler))
    data[len(data) // 2] ^= 1
    _send_whole(handler, bytes(data), "application/octet-stream")


def stalls(*counts: int, pause: float) -> Callable[[_Handler], None]:
    """Sends so many bytes, after a pause so many more, and then no more until the test ends."""

    def fault(handler: _Handler) -> None:
        data = _file_of(handler)
        _start(handler, len(data), "application/octet-stream")
        for count in counts:
            handler.send(data[handler.asked.sent : handler.asked.sent + count])
            handler.server.ended.wait(pause)
        handler.server.ended.wait()
        handler.close_connection = True

    return fault


def _file_of(handler: _Handler) -> bytes:
    return Path(handler.translate_path(handler.path)).read_bytes()


def _send_whole(handler: _Handler, data: bytes, kind: str) -> None:
    _start(handler, len(data), kind)
    handler.send(data)


def _start(handler: _Handler, length: int, kind: str) -> None:
    handler.send_response(HTTPStatus.OK)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()
