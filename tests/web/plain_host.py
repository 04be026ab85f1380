"""Web servers that know nothing of this project: Python's own, with the headers that a test asks for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, extra: Mapping[str, str], reports: Queue[str], **kwargs: Any) -> None:
        self._extra, self._reports = extra, reports
        super().__init__(*args, **kwargs)

    def do_POST(self) -> None:
        """What browsers report, such as a violated policy."""
        self._reports.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def end_headers(self) -> None:
        for name, value in self._extra.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def plain_host(
    folder: Path, name: str = "127.0.0.1", headers: Mapping[str, str] | None = None, reports: Queue[str] | None = None
) -> Iterator[str]:
    """Serve a folder; yields the origin. Under the names `127.0.0.1` and `localhost` two hosts are different sites.

    Args:
        folder: What to serve.
        name: One of those names.
        headers: Of every answer.
        reports: Takes what browsers send.
    """
    handler = partial(_Handler, directory=str(folder), extra=headers or {}, reports=reports or Queue())
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{name}:{server.server_port}"
        server.shutdown()
        thread.join()
