"""Sees every request from outside: gives it a number, measures it, logs it."""

from __future__ import annotations

import re
import time
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganexport.serve.logs import log
from ganexport.serve.metrics import Metrics

__all__ = ["Watch"]

REQUEST_ID = re.compile(rb"[\w.:-]{1,64}")
UNKNOWN = "(none)"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Watch:
    """Measures and logs the requests of an application.

    Args:
        app: What answers.
        metrics: Where the figures go.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and say how that went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        number = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex.encode()
        status, sent = 500, 0

        async def watched(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", number)]
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - begin
            self._measure(scope, status, seconds)
            log.info(
                "request",
                extra={
                    "fields": {
                        "request_id": number.decode(),
                        "method": scope["method"],
                        "path": scope["path"],
                        "status": status,
                        "seconds": round(seconds, 4),
                        "bytes": sent,
                        "client": (scope.get("client") or ("",))[0],
                    }
                },
            )

    def _measure(self, scope: Scope, status: int, seconds: float) -> None:
        """By the route's pattern, not by the address: callers cannot make up new series."""
        route = getattr(scope.get("route"), "path", UNKNOWN)
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
